//! `Tracker::verify`: recomputes every index and counter from the tasks themselves, and reports differences. Called by users and the
//! CLI; reads every table, and writes nothing.

mod dependencies;
mod head_lists;
#[cfg(test)]
mod tests;
mod throttles;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use dependencies::DependencyCheck;

use crate::api::tracker::Tracker;
use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        status::Role,
        task::TaskRef,
        task_row::TaskRow,
    },
    storage::{
        definitions,
        keys::{self, AttemptKey, ClaimKey, CountKey, UpdatedKey},
        rows_of::{DerivedRows, LimitRows, LimitState, limit_rows_of, rows_of},
        tables::{Reading, Source, Tables},
    },
};

/// Something in the file that does not follow from its tasks, or a row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table.
    pub table: String,
    /// The inconsistency, with the key.
    pub what: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}

#[derive(Default)]
struct Expected {
    claim_order: BTreeSet<ClaimKey>,
    updated: BTreeSet<UpdatedKey>,
    ids: BTreeMap<Vec<u8>, u64>,
    uniques: BTreeMap<Vec<u8>, u64>,
    indexes: BTreeSet<Vec<u8>>,
    counts: BTreeMap<CountKey, u64>,
    limit_queues: BTreeSet<Vec<u8>>,
    limit_in_use: BTreeMap<Vec<u8>, u64>,
    limit_heads: BTreeMap<ClaimKey, Vec<u8>>,
    tasks: BTreeSet<TaskRef>,
    running: BTreeSet<TaskRef>,
    successors: BTreeSet<TaskRef>,
    ended: BTreeMap<TaskRef, u32>,
    dependencies: DependencyCheck,
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

fn verify(rows: &mut Tables<Reading<'_>>) -> Result<Vec<Inconsistency>> {
    let mut found = Found(Vec::new());
    let expected = expect(rows, &mut found)?;
    let last_fence = compare(rows, &expected, &mut found)?.max(expected.last_fence);
    check_next(rows, &expected, last_fence, &mut found)?;
    expected.dependencies.compare(rows, &mut found)?;
    check_schedules(rows, &mut found)?;
    throttles::check(rows, &mut found)?;
    check_budgets(rows, &mut found)?;
    head_lists::check(rows, &expected.limit_heads, &mut found)?;
    Ok(found.0)
}

/// Reports next numbers of the file that it has given out already.
fn check_next(rows: &mut Tables<Reading<'_>>, expected: &Expected, last_fence: u64, found: &mut Found) -> Result<()> {
    let (next_seq, next_fence) = rows.next_numbers()?;
    let batch = rows.last_batch_number()?;
    if let Some(last) = expected.tasks.iter().map(|task| task.seq).chain(batch).max()
        && last >= next_seq
    {
        found.add("tracker.meta", format!("the next number is {next_seq}, and {last} is given out"));
    }
    if last_fence >= next_fence {
        found.add("tracker.meta", format!("the next fence is {next_fence}, and {last_fence} is given out"));
    }
    Ok(())
}

/// Reports schedules that cannot be read, and those of a kind that the file does not have.
fn check_schedules(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
    let kinds = rows.all_kinds()?;
    for (name, row) in rows.schedules_after(None, usize::MAX)? {
        match row {
            Ok(row) if kinds.get(row.kind).is_some() => {}
            Ok(row) => found.add("tracker.schedules", format!("{name:?} is of kind {}, which is missing", row.kind)),
            Err(error) => found.add_error("tracker.schedules", error)?,
        }
    }
    Ok(())
}

/// Reports budgets of 0, and overtaken tasks of a kind that the file does not have.
fn check_budgets(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<()> {
    for (resource, _) in rows.stored_budgets()?.0.iter().filter(|(_, amount)| **amount == 0) {
        found.add("tracker.budgets", format!("the budget of {resource:?} is 0"));
    }
    let kinds = rows.all_kinds()?;
    for row in rows.overtaken_rows()?.rows()? {
        let (kind, _) = row?.0.value();
        if kinds.get(kind).is_none() {
            found.add("tracker.overtaken", format!("kind {kind} is missing, and has a task"));
        }
    }
    Ok(())
}

struct Found(Vec<Inconsistency>);

impl Found {
    fn add(&mut self, table: &str, what: impl fmt::Display) {
        self.0.push(Inconsistency { table: table.to_owned(), what: what.to_string() });
    }

    /// Reports a row that cannot be read. After a page that the disk did not have, nothing can be read any more.
    fn add_error(&mut self, table: &str, error: Error) -> Result<()> {
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

/// Derives the expected rows from headers and payloads.
fn expect(rows: &mut Tables<Reading<'_>>, found: &mut Found) -> Result<Expected> {
    let mut expected = Expected::default();
    let kinds = rows.all_kinds()?;
    for kind in kinds.all() {
        let mut beyond = None;
        let mut limits = Limits::new();
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
                        found.add_error("tracker.headers", error)?;
                        continue;
                    }
                };
                let role = kind.graph.status(header.code).map(|status| status.role);
                if role.is_none() || header.lease.is_some() != (role == Some(Role::InProgress)) {
                    found.add("tracker.headers", format!("{task}: status {} does not fit its lease", header.code));
                }
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
                for (table, readable) in [
                    ("tracker.history", rows.past(task).map(drop)),
                    ("tracker.progress", rows.progress(task).map(drop)),
                    ("tracker.successors", rows.successor(task).map(drop)),
                ] {
                    if let Err(error) = readable {
                        found.add_error(table, error)?;
                    }
                }
                let row = match rows.find_task_row(task) {
                    Ok(row) => {
                        if row.is_none() {
                            found.add("tracker.payloads", format!("{task} has none"));
                        }
                        row
                    }
                    Err(error) => {
                        found.add_error("tracker.payloads", error)?;
                        None
                    }
                };
                let derived = rows_of(kind, task, &header, row.as_ref().map(TaskRow::keys));
                expected.dependencies.add(kind, task, &header, derived.member);
                expected.add(task, &derived, &mut limits);
            }
        }
        expected.add_limits(kind, &limits);
    }
    Ok(expected)
}

/// The tasks of a kind by limit key: the places in the queue, and how many are in progress.
type Limits = BTreeMap<Vec<u8>, (BTreeSet<ClaimKey>, u64)>;

impl Expected {
    /// Adds the rows of a task.
    fn add(&mut self, task: TaskRef, rows: &DerivedRows<'_>, limits: &mut Limits) {
        self.claim_order.insert(rows.claim_order);
        self.updated.extend(rows.updated);
        *self.counts.entry(rows.count).or_default() += 1;
        let Some(keys) = &rows.keys else { return };
        self.ids.insert(keys::id_key(task.kind, keys.id), task.seq);
        for row in &keys.uniques {
            self.uniques.insert(keys::unique_key(task.kind, row.number, row.value), task.seq);
        }
        for (number, value) in (0..).zip(keys.indexes) {
            self.indexes.insert(keys::index_key(task.kind, number, value, task.seq));
        }
        match rows.limit {
            LimitState::NotCounted => {}
            LimitState::Queued(place) => drop(limits.entry(keys.limit_key.to_vec()).or_default().0.insert(place)),
            LimitState::InProgress => limits.entry(keys.limit_key.to_vec()).or_default().1 += 1,
        }
    }

    fn add_limits(&mut self, kind: &Kind, limits: &Limits) {
        for (key, (places, in_use)) in limits {
            let LimitRows { queue, heads } = limit_rows_of(kind, key, places, *in_use);
            self.limit_queues.extend(queue);
            self.limit_heads.extend(heads.into_iter().map(|place| (place, key.clone())));
            for key in kind.in_use_keys(key).iter().filter(|_| *in_use > 0) {
                *self.limit_in_use.entry(keys::limit_prefix(kind.id, key)).or_default() += in_use;
            }
        }
    }
}

/// Compares the tables with the expected rows. Returns the highest fence of the history.
fn compare(rows: &mut Tables<Reading<'_>>, expected: &Expected, found: &mut Found) -> Result<u64> {
    let source = rows.source();
    let mut last_fence = 0;
    macro_rules! keys_of {
        ($table:ident, $unpack:expr) => {{
            let mut keys = BTreeSet::new();
            for entry in source.open(definitions::$table)?.rows()? {
                keys.insert($unpack(entry?.0.value()));
            }
            keys
        }};
    }
    found.differ("tracker.claim_order", &expected.claim_order, &keys_of!(CLAIM_ORDER, ClaimKey::unpack));
    found.differ("tracker.updated", &expected.updated, &keys_of!(UPDATED, UpdatedKey::unpack));
    found.differ("tracker.indexes", &expected.indexes, &keys_of!(INDEXES, <[u8]>::to_vec));
    found.differ("tracker.limit_queues", &expected.limit_queues, &keys_of!(LIMIT_QUEUES, <[u8]>::to_vec));
    found.differ("tracker.successors", &expected.successors, &keys_of!(SUCCESSORS, TaskRef::unpack));
    found.differ("tracker.headers", &keys_of!(PAYLOADS, TaskRef::unpack), &keys_of!(HEADERS, TaskRef::unpack));
    found.differ("tracker.headers", &expected.tasks, &keys_of!(HEADERS, TaskRef::unpack));
    for task in keys_of!(PROGRESS, TaskRef::unpack).difference(&expected.running) {
        found.add("tracker.progress", format!("{task} does not run"));
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
            for entry in source.open(definitions::$table)?.rows()? {
                let (key, value) = entry?;
                map.insert($unpack(key.value()), value.value());
            }
            map
        }};
    }
    found.differ_in("tracker.ids", &expected.ids, &map_of!(IDS, <[u8]>::to_vec));
    found.differ_in("tracker.unique_keys", &expected.uniques, &map_of!(UNIQUE_KEYS, <[u8]>::to_vec));
    let mut in_use = map_of!(LIMIT_IN_USE, <[u8]>::to_vec);
    if source.working_set().is_some() {
        // A store keeps the counter of a limit key as the lock of its queue.
        in_use.retain(|_, tasks| *tasks > 0);
    }
    found.differ_in("tracker.limit_in_use", &expected.limit_in_use, &in_use);
    found.differ_in("tracker.counts", &expected.counts, &map_of!(COUNTS, CountKey::unpack));
    let mut heads = BTreeMap::new();
    for entry in source.open(definitions::LIMIT_HEADS)?.rows()? {
        let (key, value) = entry?;
        heads.insert(ClaimKey::unpack(key.value()), value.value().to_vec());
    }
    found.differ_in("tracker.limit_heads", &expected.limit_heads, &heads);
    Ok(last_fence)
}
