//! `Summary` counts and hashes the copied and derived rows of one end of a move, by kind. Two summaries are compared before the source is marked as
//! moved, and one becomes the report. Called by `move_tasks/mod.rs`; reads each of these rows, writes nothing, and reports progress to the user's
//! function.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use super::{
    MoveProgress, Moved, MovedKind,
    copy::{PORTION, is_kept, tables},
    end::End,
};
use crate::{
    model::{error::Result, kind::Kind, kinds::Kinds},
    storage::{
        raw_rows::{WITH_TASKS, rows_after, tasks_after},
        store::StoreTable,
    },
};

/// The number of rows that belong to no kind: kinds begin with 1.
const NO_KIND: u32 = 0;

/// All rows of an end.
#[derive(Default)]
pub(super) struct Summary {
    kinds: BTreeMap<u32, KindSummary>,
    batches: u64,
    schedules: u64,
}

/// The rows of a kind.
#[derive(Default)]
struct KindSummary {
    rows: u64,
    checksum: Xxh3,
    /// Number of tasks by the code of their status.
    tasks: BTreeMap<i32, u64>,
}

/// The compared numbers of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counted<'s> {
    tasks: &'s BTreeMap<i32, u64>,
    rows: u64,
    checksum: u64,
}

impl Summary {
    /// Reads all rows.
    pub(super) fn of(end: &End, progress: &mut MoveProgress, report: &mut dyn FnMut(&MoveProgress)) -> Result<Self> {
        let mut summary = Self::default();
        progress.tasks = 0;
        for table in tables().flat_map(with_derived) {
            let mut after: Option<Vec<u8>> = None;
            loop {
                after = if table == StoreTable::Headers {
                    let tasks = end.read(|source| tasks_after(source, after.as_deref(), PORTION))?;
                    for task in &tasks {
                        let (kind, header) = (task.task()?.kind, task.header()?);
                        *summary.kind(kind).tasks.entry(header.code).or_default() += 1;
                        task.rows().for_each(|(table, value)| summary.add(table, &task.key, value));
                    }
                    progress.tasks += tasks.len() as u64;
                    report(progress);
                    tasks.into_iter().next_back().map(|last| last.key)
                } else {
                    let rows = end.read(|source| rows_after(source, table, after.as_deref(), PORTION))?;
                    let kept = rows.iter().filter(|(_, value)| is_kept(table, value));
                    kept.for_each(|(key, value)| summary.add(table, key, value));
                    rows.into_iter().next_back().map(|(last, _)| last)
                };
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(summary)
    }

    fn kind(&mut self, kind: u32) -> &mut KindSummary {
        self.kinds.entry(kind).or_default()
    }

    fn add(&mut self, table: StoreTable, key: &[u8], value: &[u8]) {
        self.batches += u64::from(table == StoreTable::Batches);
        self.schedules += u64::from(table == StoreTable::Schedules);
        let summary = self.kind(kind_of(table, key));
        summary.rows += 1;
        // The lengths keep the parts apart.
        for part in [table.name().as_bytes(), key, value] {
            summary.checksum.update(&(part.len() as u64).to_le_bytes());
            summary.checksum.update(part);
        }
    }

    /// The first difference from another end, in words.
    pub(super) fn difference(&self, other: &Self, kinds: &Kinds) -> Option<String> {
        let numbers = self.kinds.keys().chain(other.kinds.keys());
        numbers.copied().find_map(|number| {
            let [one, two] = [self, other].map(|summary| summary.kinds.get(&number).map(KindSummary::counted));
            let name = kinds
                .get(number)
                .map_or("batches, schedules and budgets".to_owned(), |kind| format!("kind {:?}", kind.name));
            (one != two).then(|| format!("{name}: {} there, {} here", words(one.as_ref()), words(two.as_ref())))
        })
    }

    /// The summary in the report of a move.
    pub(super) fn report(&self, kinds: &Kinds) -> Moved {
        let nothing = KindSummary::default();
        let others = self.kinds.get(&NO_KIND).unwrap_or(&nothing).counted();
        let kinds = kinds.all().map(|kind| {
            let counted = self.kinds.get(&kind.id).unwrap_or(&nothing).counted();
            MovedKind {
                name: kind.name.clone(),
                tasks: counted.tasks.values().sum(),
                statuses: counted.tasks.iter().map(|(code, tasks)| (status_name(kind, *code), *tasks)).collect(),
                rows: counted.rows,
                checksum: counted.checksum,
            }
        });
        Moved {
            kinds: kinds.collect(),
            batches: self.batches,
            schedules: self.schedules,
            other_rows: others.rows,
            other_checksum: others.checksum,
            next_fence: 0,
            was_continued: false,
            own_tables: Vec::new(),
        }
    }
}

impl KindSummary {
    fn counted(&self) -> Counted<'_> {
        Counted { tasks: &self.tasks, rows: self.rows, checksum: self.checksum.digest() }
    }
}

fn words(counted: Option<&Counted<'_>>) -> String {
    counted.map_or("nothing".to_owned(), |Counted { tasks, rows, checksum }| {
        format!("{} tasks and {rows} rows with the checksum {checksum:016x}", tasks.values().sum::<u64>())
    })
}

fn status_name(kind: &Kind, code: i32) -> String {
    let statuses = kind.graph.statuses();
    let status = statuses.iter().find(|status| status.code == code);
    status.map_or_else(|| code.to_string(), |status| status.name.clone())
}

/// The tables to read for a copied table: with the headers, also those of the derived rows. The other rows of a task are read with its header.
fn with_derived(table: StoreTable) -> Vec<StoreTable> {
    let derived = WITH_TASKS.into_iter().filter(|derived| !StoreTable::OF_TASKS.contains(derived));
    if table == StoreTable::Headers { [table].into_iter().chain(derived).collect() } else { vec![table] }
}

/// The kind at the start of a key; [`NO_KIND`] in a table of other keys.
fn kind_of(table: StoreTable, key: &[u8]) -> u32 {
    match table {
        StoreTable::Batches
        | StoreTable::BatchLabels
        | StoreTable::BatchMembers
        | StoreTable::FollowUps
        | StoreTable::Schedules
        | StoreTable::ThrottleEnds
        | StoreTable::Budgets => NO_KIND,
        _ => key.first_chunk().map_or(NO_KIND, |kind| u32::from_be_bytes(*kind)),
    }
}
