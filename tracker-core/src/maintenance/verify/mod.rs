//! Recomputes every index and counter from the tasks themselves.

mod dependencies;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use dependencies::DependencyCheck;
use redb::{ReadTransaction, ReadableTable};

use crate::api::tracker::Tracker;
use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        status::Role,
        task::TaskRef,
        task_row::TaskRow,
        transition::Header,
    },
    storage::{
        definitions,
        keys::{self, AttemptKey, ClaimKey, CountKey, UpdatedKey},
        order::position,
        tables::Tables,
        write::concurrency_limit::LimitPlace,
    },
};

/// Something in the file that does not follow from its tasks, or a row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table.
    pub table: String,
    /// What is wrong, with the key.
    pub what: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}

#[derive(Default)]
struct Expected {
    line: BTreeSet<ClaimKey>,
    updated: BTreeSet<UpdatedKey>,
    ids: BTreeMap<Vec<u8>, u64>,
    uniques: BTreeMap<Vec<u8>, u64>,
    indexes: BTreeSet<Vec<u8>>,
    counts: BTreeMap<CountKey, u64>,
    lanes: BTreeSet<Vec<u8>>,
    slots: BTreeMap<Vec<u8>, u64>,
    fronts: BTreeMap<ClaimKey, Vec<u8>>,
    tasks: BTreeSet<TaskRef>,
    running: BTreeSet<TaskRef>,
    successors: BTreeSet<TaskRef>,
    ended: BTreeMap<TaskRef, u32>,
    ties: DependencyCheck,
    last_fence: u64,
}

impl Tracker {
    /// Recomputes every index and counter from the tasks, and reports each difference. Empty for a sound file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn verify(&self) -> Result<Vec<Inconsistency>> {
        self.shared.engine.read(verify)
    }
}

fn verify(rows: &mut Tables<&ReadTransaction>) -> Result<Vec<Inconsistency>> {
    let mut found = Found(Vec::new());
    let expected = expect(rows, &mut found)?;
    let last_fence = compare(rows, &expected, &mut found)?.max(expected.last_fence);
    check_next(rows, &expected, last_fence, &mut found)?;
    expected.ties.compare(rows, &mut found)?;
    Ok(found.0)
}

/// Reports next numbers of the file that it has given out already.
fn check_next(
    rows: &mut Tables<&ReadTransaction>,
    expected: &Expected,
    last_fence: u64,
    found: &mut Found,
) -> Result<()> {
    let state = rows.file_state()?;
    let batch = rows.last_batch_number()?;
    if let Some(last) = expected.tasks.iter().map(|task| task.seq).chain(batch).max()
        && last >= state.next_seq
    {
        found.add("tracker.meta", format!("the next number is {}, and {last} is given out", state.next_seq));
    }
    if last_fence >= state.next_fence {
        found.add("tracker.meta", format!("the next fence is {}, and {last_fence} is given out", state.next_fence));
    }
    Ok(())
}

struct Found(Vec<Inconsistency>);

impl Found {
    fn add(&mut self, table: &str, what: impl fmt::Display) {
        self.0.push(Inconsistency { table: table.to_owned(), what: what.to_string() });
    }

    /// Reports a row that cannot be read. After a page that the disk did not have, nothing can be read any more.
    fn told(&mut self, table: &str, error: Error) -> Result<()> {
        if error.is_of_the_disk() {
            return Err(error);
        }
        self.add(table, error);
        Ok(())
    }

    /// Reports what is on one side only.
    fn differ<K: Ord + fmt::Debug>(&mut self, table: &str, expected: &BTreeSet<K>, actual: &BTreeSet<K>) {
        for key in expected.difference(actual) {
            self.add(table, format!("{key:?} is missing"));
        }
        for key in actual.difference(expected) {
            self.add(table, format!("{key:?} belongs to no task"));
        }
    }

    fn differ_in<K: Ord + fmt::Debug, V: PartialEq + fmt::Debug>(
        &mut self,
        table: &str,
        expected: &BTreeMap<K, V>,
        actual: &BTreeMap<K, V>,
    ) {
        for (key, value) in expected {
            if actual.get(key) != Some(value) {
                self.add(table, format!("{key:?} is {:?} and should be {value:?}", actual.get(key)));
            }
        }
        for (key, value) in actual {
            if !expected.contains_key(key) {
                self.add(table, format!("{key:?} is {value:?} and should not be"));
            }
        }
    }
}

/// What the tables should hold, from headers and bodies.
fn expect(rows: &mut Tables<&ReadTransaction>, found: &mut Found) -> Result<Expected> {
    let mut expected = Expected::default();
    let kinds = rows.all_kinds()?;
    for kind in kinds.all() {
        let mut beyond = None;
        let mut lanes = Lanes::new();
        loop {
            let tasks = rows.tasks_beyond(kind.id, beyond, 1_000)?;
            let Some(last) = tasks.last() else { break };
            beyond = Some(last.seq);
            for task in tasks {
                expected.tasks.insert(task);
                let header = match rows.header(task) {
                    Ok(Some(header)) => header,
                    Ok(None) => continue,
                    Err(error) => {
                        found.told("tracker.headers", error)?;
                        continue;
                    }
                };
                let role = kind.graph.status(header.code).map(|status| status.role);
                if role.is_none() || header.lease.is_some() != (role == Some(Role::InProgress)) {
                    found.add("tracker.headers", format!("{task}: status {} does not fit its lease", header.code));
                }
                let place = position(&kind.graph, task, &header);
                expected.line.insert(place.line);
                expected.updated.extend(place.updated);
                *expected.counts.entry(CountKey { kind: kind.id, code: header.code }).or_default() += 1;
                let fences =
                    header.lease.iter().map(|lease| lease.fence).chain(header.last.iter().map(|last| last.fence));
                expected.last_fence = fences.fold(expected.last_fence, u64::max);
                if header.lease.is_some() {
                    expected.running.insert(task);
                }
                if header.successor {
                    expected.successors.insert(task);
                }
                expected.ended.insert(task, header.ended);
                expected.ties.add(kind, task, &header);
                for (table, readable) in [
                    ("tracker.history", rows.past(task).map(drop)),
                    ("tracker.live", rows.progress(task).map(drop)),
                    ("tracker.successors", rows.successor(task).map(drop)),
                ] {
                    if let Err(error) = readable {
                        found.told(table, error)?;
                    }
                }
                match rows.body(task) {
                    Ok(Some(body)) => {
                        expect_keys(&mut expected, kind, task, &header, &body);
                        if kind.limit().is_some() {
                            let places = lanes.entry(kind.limited_value(&body).to_vec()).or_default();
                            places.push(kind.place(task, &header));
                        }
                    }
                    Ok(None) => found.add("tracker.bodies", format!("{task} has none")),
                    Err(error) => found.told("tracker.bodies", error)?,
                }
            }
        }
        expect_lanes(&mut expected, kind, lanes);
    }
    Ok(expected)
}

/// Where the tasks of a kind with a limit stand, by value.
type Lanes = BTreeMap<Vec<u8>, Vec<LimitPlace>>;

fn expect_lanes(expected: &mut Expected, kind: &Kind, lanes: Lanes) {
    for (value, mut places) in lanes {
        places.sort_unstable();
        let lane = keys::lane(kind.id, &value);
        let taken = places.iter().filter(|place| **place == LimitPlace::Slot).count() as u64;
        if taken > 0 {
            expected.slots.insert(lane.clone(), taken);
        }
        let full = !value.is_empty() && kind.limit().is_some_and(|(_, most)| taken >= u64::from(most));
        let mut first = BTreeSet::new();
        for key in
            places.iter().filter_map(|place| if let LimitPlace::KindRunner(key) = place { Some(*key) } else { None })
        {
            expected.lanes.insert(keys::lane_key(&lane, key));
            if first.insert((key.code, key.rank)) && !full {
                expected.fronts.insert(key, value.clone());
            }
        }
    }
}

fn expect_keys(expected: &mut Expected, kind: &Kind, task: TaskRef, header: &Header, body: &TaskRow) {
    expected.ids.insert(keys::id_key(kind.id, &body.id), task.seq);
    for (number, value) in kind.held(header, body) {
        expected.uniques.insert(keys::unique_key(kind.id, number, value), task.seq);
    }
    for (number, value) in (0..).zip(&body.indexes) {
        expected.indexes.insert(keys::index_key(kind.id, number, value, task.seq));
    }
}

/// What the tables hold, against what they should. Returns the highest fence of the history.
fn compare(rows: &mut Tables<&ReadTransaction>, expected: &Expected, found: &mut Found) -> Result<u64> {
    let txn = rows.source();
    let mut last_fence = 0;
    macro_rules! keys_of {
        ($table:ident, $unpack:expr) => {{
            let mut keys = BTreeSet::new();
            for entry in txn.open_table(definitions::$table)?.iter()? {
                keys.insert($unpack(entry?.0.value()));
            }
            keys
        }};
    }
    found.differ("tracker.line", &expected.line, &keys_of!(LINE, ClaimKey::unpack));
    found.differ("tracker.updated", &expected.updated, &keys_of!(UPDATED, UpdatedKey::unpack));
    found.differ("tracker.indexes", &expected.indexes, &keys_of!(INDEXES, <[u8]>::to_vec));
    found.differ("tracker.lanes", &expected.lanes, &keys_of!(LANES, <[u8]>::to_vec));
    found.differ("tracker.successors", &expected.successors, &keys_of!(SUCCESSORS, TaskRef::unpack));
    found.differ("tracker.headers", &keys_of!(BODIES, TaskRef::unpack), &keys_of!(HEADERS, TaskRef::unpack));
    found.differ("tracker.headers", &expected.tasks, &keys_of!(HEADERS, TaskRef::unpack));
    for task in keys_of!(LIVE, TaskRef::unpack).difference(&expected.running) {
        found.add("tracker.live", format!("{task} does not run"));
    }
    for run in keys_of!(HISTORY, AttemptKey::unpack) {
        last_fence = last_fence.max(run.fence);
        if expected.ended.get(&run.task).is_none_or(|ended| *ended == 0) {
            found.add("tracker.history", format!("{run:?} belongs to no attempt"));
        }
    }
    macro_rules! map_of {
        ($table:ident, $unpack:expr) => {{
            let mut map = BTreeMap::new();
            for entry in txn.open_table(definitions::$table)?.iter()? {
                let (key, value) = entry?;
                map.insert($unpack(key.value()), value.value());
            }
            map
        }};
    }
    found.differ_in("tracker.ids", &expected.ids, &map_of!(IDS, <[u8]>::to_vec));
    found.differ_in("tracker.uniques", &expected.uniques, &map_of!(UNIQUES, <[u8]>::to_vec));
    found.differ_in("tracker.slots", &expected.slots, &map_of!(SLOTS, <[u8]>::to_vec));
    found.differ_in("tracker.counts", &expected.counts, &map_of!(COUNTS, CountKey::unpack));
    let mut fronts = BTreeMap::new();
    for entry in txn.open_table(definitions::FRONTS)?.iter()? {
        let (key, value) = entry?;
        fronts.insert(ClaimKey::unpack(key.value()), value.value().to_vec());
    }
    found.differ_in("tracker.fronts", &expected.fronts, &fronts);
    Ok(last_fence)
}
