//! Derives the rows that follow from the tasks, from headers and payloads, and gives them to a sink. Also reports rows of tasks that are unreadable
//! or contradict each other. Called by `verify/mod.rs`; `limit_heads` uses `each_task`. Reads headers, payloads and attempts, and writes no row.

use super::{
    Found,
    comparison::{Comparison, RowContent, RowSink},
    dependencies,
};
use crate::{
    model::{error::Result, kind::Kind, status::Role, task::TaskRef, task_row::TaskRow, transition::Header},
    storage::{
        keys,
        rows_of::{DerivedRows, LimitState, limit_queue_row, rows_of},
        tables::{Reading, Tables},
    },
};

/// Number of tasks that are listed at a time.
const LISTED: usize = 1_000;

/// The highest numbers that tasks have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastNumbers {
    pub seq: Option<u64>,
    pub fence: u64,
}

/// Calls `work` with each task of a kind.
pub(super) fn each_task<'t>(
    rows: &mut Tables<Reading<'t>>,
    kind: &Kind,
    mut work: impl FnMut(&mut Tables<Reading<'t>>, TaskRef) -> Result<()>,
) -> Result<()> {
    let mut beyond = None;
    loop {
        let tasks = rows.tasks_beyond(kind.id, beyond, LISTED)?;
        let Some(last) = tasks.last() else { return Ok(()) };
        beyond = Some(last.seq);
        for task in tasks {
            work(rows, task)?;
        }
    }
}

/// Gives the expected rows of all tasks to a sink. With `found` also reports rows of tasks that are unreadable or contradict each other.
pub(super) fn expect(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    mut found: Option<&mut Found>,
) -> Result<LastNumbers> {
    let mut last = LastNumbers::default();
    let propagating = dependencies::propagating(rows)?;
    for kind in rows.all_kinds()?.all() {
        each_task(rows, kind, |rows, task| {
            sink.expect(Comparison::Headers, &task.pack(), RowContent::Key);
            last.seq = last.seq.max(Some(task.seq));
            let header = match rows.header(task) {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(()),
                Err(error) => return report(found.as_deref_mut(), "tracker.headers", error),
            };
            let fences = header.lease.iter().map(|lease| lease.fence).chain(header.last.iter().map(|last| last.fence));
            last.fence = fences.fold(last.fence, u64::max);
            expect_attempts(rows, sink, found.as_deref_mut(), (kind, task, &header))?;
            let row = match rows.find_task_row(task) {
                Ok(row) => {
                    if let (None, Some(found)) = (&row, found.as_deref_mut()) {
                        found.add("tracker.payloads", format!("{task} has none"));
                    }
                    row
                }
                Err(error) => {
                    report(found.as_deref_mut(), "tracker.payloads", error)?;
                    None
                }
            };
            let derived = rows_of(kind, task, &header, row.as_ref().map(TaskRow::keys));
            // Only the first pass counts rows.
            let counts_in = found.is_some().then_some(&propagating);
            dependencies::expect_task(rows, sink, (kind, task, &header), derived.member, counts_in)?;
            expect_derived(sink, kind, task, &derived);
            Ok(())
        })?;
    }
    Ok(last)
}

/// Reports a row that cannot be read in the first pass. An error that ends the read ends each pass.
fn report(found: Option<&mut Found>, table: &str, error: crate::model::error::Error) -> Result<()> {
    match found {
        Some(found) => found.add_error(table, error),
        None if error.ends_a_read() => Err(error),
        None => Ok(()),
    }
}

/// The rows of the attempts of a task, and of the payload that waits. The first pass reads them, and counts them.
fn expect_attempts(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    found: Option<&mut Found>,
    (kind, task, header): (&Kind, TaskRef, &Header),
) -> Result<()> {
    let (mut past_attempts, mut progress) = (0, 0);
    if let Some(found) = found {
        let role = kind.graph.status(header.code).map(|status| status.role);
        if role.is_none() || header.lease.is_some() != (role == Some(Role::InProgress)) {
            found.add("tracker.headers", format!("{task}: status {} does not fit its lease", header.code));
        }
        match rows.past_attempts(task) {
            Ok(attempts) => past_attempts = attempts.len() as u64,
            Err(error) => found.add_error("tracker.history", error)?,
        }
        match rows.progress(task) {
            Ok(row) => progress = row.is_some().into(),
            Err(error) => found.add_error("tracker.progress", error)?,
        }
        if let Err(error) = rows.successor(task) {
            found.add_error("tracker.successors", error)?;
        }
    }
    let key = task.pack();
    if header.lease.is_some() {
        sink.expect(Comparison::Progress, &key, RowContent::Rows(progress, 0));
    }
    if header.successor {
        sink.expect(Comparison::Successors, &key, RowContent::Key);
    }
    if header.ended > 0 {
        sink.expect(Comparison::History, &key, RowContent::Rows(past_attempts, 0));
    }
    Ok(())
}

fn expect_derived(sink: &mut impl RowSink, kind: &Kind, task: TaskRef, rows: &DerivedRows<'_>) {
    sink.expect(Comparison::ClaimOrder, &rows.claim_order.pack(), RowContent::Key);
    if let Some(updated) = rows.updated {
        sink.expect(Comparison::Updated, &updated.pack(), RowContent::Key);
    }
    sink.expect(Comparison::Counts, &rows.count.pack(), RowContent::Part(1));
    let Some(keys) = &rows.keys else { return };
    sink.expect(Comparison::Ids, &keys::id_key(kind.id, keys.id), RowContent::Number(task.seq));
    for row in &keys.uniques {
        let key = keys::unique_key(kind.id, row.number, row.value);
        sink.expect(Comparison::UniqueKeys, &key, RowContent::Number(task.seq));
    }
    for (number, value) in (0..).zip(keys.indexes) {
        sink.expect(Comparison::Indexes, &keys::index_key(kind.id, number, value, task.seq), RowContent::Key);
    }
    match rows.limit {
        LimitState::NotCounted => {}
        LimitState::Queued(claim_key) => {
            sink.expect(Comparison::LimitQueues, &limit_queue_row(kind, &keys.limit_key, claim_key), RowContent::Key);
        }
        LimitState::InProgress => {
            for key in kind.in_use_keys(&keys.limit_key) {
                sink.expect(Comparison::LimitInUse, &keys::limit_prefix(kind.id, &key), RowContent::Part(1));
            }
        }
    }
}
