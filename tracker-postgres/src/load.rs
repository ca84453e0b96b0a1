//! `Plan`: the rows that a unit of work wants, as the statements of one pipeline. Made by `unit` and `caller/unit`, which run it; pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use tracker_core::{
    Error,
    store::{StoreTable, Want},
};

use crate::{
    claim_starts::{ClaimStarts, Parts},
    edits::Missing,
    keys::{self, Place, Task},
    sql::{Load, Lock, Plain, Range, RowCount, Sql, TaskKey},
    wire::{connection::Step, params::Params},
};

/// Where the answer to a statement belongs.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Locks keys; there is nothing to read.
    Nothing,
    Tasks,
    Plain(StoreTable),
    Counts,
    /// The want of this index.
    Range(usize),
    /// The want of this index, with the number of rows beside those that are skipped.
    SkippingRange(usize),
    /// The ranges in [`Plan::claims`], each with its number of rows, and with its first key if a claim learns it.
    ClaimRanges,
}

/// A range that a claim reads.
pub(crate) struct ClaimRead {
    /// Of its want.
    pub index: usize,
    pub parts: Parts,
}

/// The statements of a load.
#[derive(Default)]
pub(crate) struct Plan {
    pub steps: Vec<Step<Sql>>,
    pub sources: Vec<Source>,
    /// The ranges that claims read, by their numbers in the statement.
    pub claims: Vec<ClaimRead>,
    /// Whether tasks are looked for by their keys.
    pub names_keys: bool,
}

/// The keys that the wants name.
#[derive(Default)]
struct Keys {
    tasks: BTreeSet<Task>,
    by_key: BTreeMap<u8, (TaskKey, BTreeSet<Vec<u8>>)>,
    plain: BTreeMap<StoreTable, BTreeSet<Vec<u8>>>,
    counts: BTreeSet<Vec<u8>>,
}

/// Whether the rows of a table are locked in a writing unit. Rows of the other tables are configuration, or follow from a task, a batch or
/// the number of tasks in progress, whose own row is locked by each unit that changes them.
fn is_locked(table: StoreTable) -> bool {
    !matches!(
        table,
        StoreTable::Meta
            | StoreTable::Kinds
            | StoreTable::Budgets
            | StoreTable::History
            | StoreTable::Indexes
            | StoreTable::Counts
            | StoreTable::Dependencies
            | StoreTable::Dependents
            | StoreTable::BatchMembers
            | StoreTable::ThrottleEnds
            | StoreTable::LimitQueues
            | StoreTable::HeadLists
    )
}

fn row_lock(table: StoreTable, writes: bool) -> Lock {
    if writes && is_locked(table) { Lock::Wait } else { Lock::None }
}

fn range_lock(table: StoreTable, writes: bool, skips_locked: bool) -> Lock {
    match table {
        StoreTable::ClaimOrder | StoreTable::LimitHeads if writes && skips_locked => Lock::Skip,
        _ => row_lock(table, writes),
    }
}

impl Plan {
    /// Plans the statements. Those of `missing` have no want. Claims read their ranges from `starts` on, or whole without any, and then learn nothing.
    pub(crate) fn of(
        wants: &[Want],
        missing: &Missing,
        writes: bool,
        starts: Option<&ClaimStarts>,
    ) -> Result<Self, Error> {
        let mut keys = Keys::default();
        keys.tasks.extend(&missing.tasks);
        missing.ids.iter().for_each(|id| keys.add(TaskKey::Id, id));
        let mut ranges = Vec::new();
        let mut claims = Vec::new();
        let now = Instant::now();
        for (index, want) in wants.iter().enumerate() {
            match want {
                Want::Row { table, key } => match keys::place(*table)? {
                    Place::Column(_) => {
                        keys.tasks.insert(keys::task(*table, key)?);
                    }
                    Place::Key(task_key) => keys.add(task_key, key),
                    Place::Counts => drop(keys.counts.insert(key.clone())),
                    Place::Plain(..) => drop(keys.plain.entry(*table).or_default().insert(key.clone())),
                },
                Want::Rows { table, from, to, newest_first, most, skips_locked } => {
                    let bounds = Bounds { from, to: to.as_deref(), newest_first: *newest_first, most: *most };
                    let lock = range_lock(*table, writes, *skips_locked);
                    if let (StoreTable::ClaimOrder, Lock::Skip, false, Some(to)) = (table, lock, newest_first, to) {
                        let parts = starts.map_or_else(
                            || Parts::whole(from, to).without_learning(),
                            |starts| starts.parts(from, to, now),
                        );
                        claims.push(ClaimRead { index, parts });
                        continue;
                    }
                    let source = if lock == Lock::Skip { Source::SkippingRange(index) } else { Source::Range(index) };
                    ranges.push((source, range(*table, &bounds, lock)?));
                }
            }
        }
        let mut plan = Self { names_keys: !keys.by_key.is_empty(), ..Self::default() };
        // Tables in a fixed order and keys in their own, so that few units wait for each other in a circle.
        plan.plain(&keys, writes)?;
        for (_, (key, values)) in keys.by_key {
            let params = Params::default().list(values.iter().map(Vec::as_slice));
            plan.push(Load::TasksWith(key, row_lock(StoreTable::Headers, writes)), params, Source::Tasks);
        }
        if !keys.tasks.is_empty() {
            let count = RowCount::of(keys.tasks.len());
            let (kinds, seqs) = (keys.tasks.iter().map(|task| task.0), keys.tasks.iter().map(|task| task.1));
            let params = count.params().list(kinds).list(seqs);
            plan.push(Load::Tasks(count, row_lock(StoreTable::Headers, writes)), params, Source::Tasks);
        }
        plan.claims(claims, wants);
        for (source, (load, params)) in ranges {
            plan.push(load, params, source);
        }
        if !keys.counts.is_empty() {
            let params = Params::default().list(keys.counts.iter().map(Vec::as_slice));
            plan.push(Load::Counts, params, Source::Counts);
        }
        Ok(plan)
    }

    /// Plans to read these ranges whole.
    pub(crate) fn of_whole_claims(indexes: Vec<usize>, wants: &[Want]) -> Self {
        let whole = |index: usize| match wants.get(index) {
            Some(Want::Rows { from, to: Some(to), .. }) => Some(ClaimRead { index, parts: Parts::whole(from, to) }),
            _ => None,
        };
        let mut plan = Self::default();
        plan.claims(indexes.into_iter().filter_map(whole).collect(), wants);
        plan
    }

    fn claims(&mut self, claims: Vec<ClaimRead>, wants: &[Want]) {
        if claims.is_empty() {
            return;
        }
        let limit = |claim: &ClaimRead| wants.get(claim.index).map_or(1, limit);
        let numbered = claims.iter().zip(0_i64..);
        let keys: Vec<_> =
            numbered.flat_map(|(claim, number)| claim.parts.keys.iter().map(move |part| (number, part))).collect();
        let parts = RowCount::of(keys.len());
        let ranges = if parts == RowCount::Many { parts } else { RowCount::of(claims.len()) };
        let params = parts
            .params()
            .list(keys.iter().map(|(number, _)| *number))
            .list(keys.iter().map(|(_, (first, _))| first.as_slice()))
            .list(keys.iter().map(|(_, (_, behind))| behind.as_slice()))
            .list((0_i64..).take(claims.len()))
            .list(claims.iter().map(limit));
        let gives_first = claims.iter().any(|claim| claim.parts.learns);
        self.push(Load::ClaimRanges { parts, ranges, gives_first }, params, Source::ClaimRanges);
        self.claims = claims;
    }

    fn plain(&mut self, keys: &Keys, writes: bool) -> Result<(), Error> {
        // Units that start tasks of one limit key follow each other, also when no task is in progress and there is no row to lock.
        if let Some(keys) = keys.plain.get(&StoreTable::LimitInUse).filter(|_| writes) {
            let params = Params::default().list(keys.iter().map(Vec::as_slice));
            self.steps.push(Step::Run(Sql::LockKeys, params));
            self.sources.push(Source::Nothing);
        }
        for (table, keys) in &keys.plain {
            let Place::Plain(plain, number) = keys::place(*table)? else { continue };
            let count = if plain == Plain::Rows { RowCount::of(keys.len()) } else { RowCount::Many };
            let keys = || keys.iter().map(Vec::as_slice);
            let params = || Params::default().list(keys());
            let of_table = match plain {
                Plain::Rows => count.params().list(keys().map(|_| number)).list(keys()),
                Plain::Indexes => index_values(Params::default(), keys()),
                Plain::History | Plain::UniqueKeys => params(),
            };
            self.push(Load::Rows(plain, count, row_lock(*table, writes)), of_table, Source::Plain(*table));
            if plain == Plain::UniqueKeys {
                let load = Load::TasksOfUniqueKeys(row_lock(StoreTable::Headers, writes));
                self.push(load, params(), Source::Tasks);
            }
        }
        Ok(())
    }

    fn push(&mut self, load: Load, params: Params, source: Source) {
        self.steps.push(Step::Run(Sql::Load(load), params));
        self.sources.push(source);
    }
}

impl Keys {
    fn add(&mut self, key: TaskKey, value: &[u8]) {
        self.by_key.entry(key as u8).or_insert_with(|| (key, BTreeSet::new())).1.insert(value.to_vec());
    }
}

/// Adds the parts of keys of the indexes as two lists. A key of another form is left out.
pub(crate) fn index_values<'k>(params: Params, keys: impl Iterator<Item = &'k [u8]> + Clone) -> Params {
    let parts = keys.filter_map(|key| keys::index_value(key).ok());
    params.list(parts.clone().map(|(value, _)| value)).list(parts.map(|(_, seq)| seq))
}

/// The most rows that a want loads.
fn limit(want: &Want) -> i64 {
    match want {
        Want::Rows { most, .. } => i64::try_from(*most).unwrap_or(i64::MAX),
        Want::Row { .. } => 1,
    }
}

struct Bounds<'w> {
    from: &'w [u8],
    to: Option<&'w [u8]>,
    newest_first: bool,
    most: usize,
}

impl Bounds<'_> {
    fn limit(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    fn range(&self) -> Range {
        Range { ends: self.to.is_some(), newest_first: self.newest_first }
    }
}

fn range(table: StoreTable, bounds: &Bounds<'_>, lock: Lock) -> Result<(Load, Params), Error> {
    let from_and_limit = || Params::default().value(bounds.from).value(bounds.limit());
    let with_end = |params: Params| match bounds.to {
        Some(to) => params.value(to),
        None => params,
    };
    Ok(match keys::place(table)? {
        Place::Column(column) => {
            let (from, to) = (keys::bound(bounds.from), bounds.to.map_or(keys::END, keys::bound));
            let params = Params::default().value(from.0).value(from.1).value(to.0).value(to.1).value(bounds.limit());
            (Load::TaskRange { column: column.name(), newest_first: bounds.newest_first, lock }, params)
        }
        Place::Key(key) => (Load::TaskKeyRange(key, bounds.range(), lock), with_end(from_and_limit())),
        Place::Counts => (Load::CountRange(bounds.range()), with_end(from_and_limit())),
        Place::Plain(Plain::Indexes, _) => {
            let (key, seq) = keys::index_bound(bounds.from);
            let params = Params::default().value(key).value(bounds.limit()).value(seq);
            let params = match bounds.to.map(keys::index_bound) {
                Some((key, seq)) => params.value(key).value(seq),
                None => params,
            };
            (Load::RowRange(Plain::Indexes, bounds.range(), lock), params)
        }
        Place::Plain(plain, number) => {
            let params = with_end(from_and_limit());
            let params = if plain == Plain::Rows { params.value(number) } else { params };
            (Load::RowRange(plain, bounds.range(), lock), params)
        }
    })
}
