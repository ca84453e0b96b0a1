//! Gives the rows of batches and dependencies to a sink: those that follow from headers, and those that are stored. Also reports batches that are
//! unreadable or contradict themselves. Called by `verify/mod.rs` and `task_rows`; writes no row.

use std::collections::BTreeSet;

use super::{
    Found,
    comparison::{Comparison, RowContent, RowSink},
    exact_rows::Target,
};
use crate::{
    model::{
        error::Result,
        kind::Kind,
        task::TaskRef,
        transition::{Batch, DependencyEnd, Header, Roles},
    },
    storage::{
        definitions,
        keys::{DependencyKey, MemberKey},
        tables::{Reading, Source, Tables},
    },
};

/// The tasks and batches whose end has not reached all dependents.
pub(super) type Propagating = BTreeSet<TaskRef>;

pub(super) fn propagating(rows: &mut Tables<Reading<'_>>) -> Result<Propagating> {
    let source = rows.source();
    let rows = source.open(definitions::PROPAGATIONS)?;
    rows.rows()?.map(|row| Ok(TaskRef::unpack(row?.0.value()))).collect()
}

fn count_key(batch: u64, role: u8) -> [u8; 9] {
    let mut key = [role; 9];
    key[..8].copy_from_slice(&batch.to_be_bytes());
    key
}

/// Gives the rows that follow from the dependencies and the batch in the header of a task. Counts the dependents only if `propagating` is given.
pub(super) fn expect_task(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    (kind, task, header): (&Kind, TaskRef, &Header),
    member: Option<MemberKey>,
    propagating: Option<&Propagating>,
) -> Result<()> {
    let role = kind.rules(0).overall_role(header);
    if header.waits > 0 {
        let waits = header.waits.into();
        sink.store(Comparison::Waits, &task.pack(), RowContent::Rows(waits, waits));
    }
    if let Some(member) = member {
        sink.expect(Comparison::BatchMembers, &member.pack(), RowContent::Key);
        sink.expect(Comparison::BatchCounts, &count_key(member.batch, role as u8), RowContent::Part(1));
    }
    let target = Target { has_dependents: header.has_dependents, end: DependencyEnd::of(role) };
    expect_target(rows, sink, task, target, propagating)
}

/// Gives the number of the dependents that may wait for a task or a batch.
fn expect_target(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    key: TaskRef,
    target: Target,
    propagating: Option<&Propagating>,
) -> Result<()> {
    let mut dependents = 0;
    if target.is_awaited() && propagating.is_some_and(|propagating| !propagating.contains(&key)) {
        let first = DependencyKey { from: key, to: TaskRef { kind: 0, seq: 0 } };
        for row in rows.dependents()?.range::<&[u8; DependencyKey::LEN]>(&first.pack()..=&first.last().pack())? {
            row?;
            dependents += 1;
        }
    }
    sink.expect(Comparison::Targets, &key.pack(), RowContent::Rows(dependents, target.pack()));
    Ok(())
}

/// Gives the rows of batches and dependencies. With `found` also reports batches that are unreadable or contradict themselves.
pub(super) fn compare(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    mut found: Option<&mut Found>,
) -> Result<()> {
    let source = rows.source();
    let propagating = propagating(rows)?;
    for entry in source.open(definitions::BATCH_MEMBERS)?.rows()? {
        sink.store(Comparison::BatchMembers, entry?.0.value(), RowContent::Key);
    }
    for entry in source.open(definitions::BATCHES)?.rows()? {
        let number = entry?.0.value();
        match rows.batch(number) {
            Ok(Some(batch)) => {
                let counts_in = found.is_some().then_some(&propagating);
                compare_batch(rows, sink, number, &batch, counts_in)?;
                if let Some(found) = found.as_deref_mut()
                    && batch.end().is_some()
                    && batch.finished.is_none()
                {
                    found.add_to_batch(number, format!("batch {number} is over, but its row has no end"));
                }
            }
            Ok(None) => {}
            Err(error) if error.ends_a_read() => return Err(error),
            Err(error) => {
                if let Some(found) = found.as_deref_mut() {
                    found.add_to_batch(number, error.to_string());
                }
            }
        }
    }
    for entry in source.open(definitions::BATCH_LABELS)?.rows()? {
        let (label, number) = entry?;
        sink.store(Comparison::BatchLabels, label.value().as_bytes(), RowContent::Number(number.value()));
    }
    for entry in source.open(definitions::FOLLOW_UPS)?.rows()? {
        sink.store(Comparison::FollowUps, &entry?.0.value().to_be_bytes(), RowContent::Rows(1, 0));
    }
    for entry in source.open(definitions::DEPENDENCIES)?.rows()? {
        let (key, on_failure) = entry?;
        let dependency = DependencyKey::unpack(key.value());
        sink.expect(Comparison::Waits, &dependency.from.pack(), RowContent::Part(1));
        if !propagating.contains(&dependency.to) {
            sink.store(Comparison::Targets, &dependency.reversed().pack(), RowContent::Rows(1, 0));
        }
        sink.expect(Comparison::Dependents, key.value(), RowContent::Number(on_failure.value().into()));
    }
    for entry in source.open(definitions::DEPENDENTS)?.rows()? {
        let (key, on_failure) = entry?;
        let dependency = DependencyKey::unpack(key.value()).reversed();
        sink.store(Comparison::Dependents, &dependency.pack(), RowContent::Number(on_failure.value().into()));
    }
    Ok(())
}

/// Gives the rows of a batch. Dependents wait for a batch as for a task, so it is compared as a task is.
fn compare_batch(
    rows: &mut Tables<Reading<'_>>,
    sink: &mut impl RowSink,
    number: u64,
    batch: &Batch,
    propagating: Option<&Propagating>,
) -> Result<()> {
    let members: &Roles<u64> = &batch.members;
    for (role, members) in (0..).zip(members) {
        sink.store(Comparison::BatchCounts, &count_key(number, role), RowContent::Rows(*members, *members));
    }
    sink.expect(Comparison::BatchLabels, batch.label.as_bytes(), RowContent::Number(number));
    if batch.finished.is_none() {
        let has_follow_up = rows.follow_ups()?.get(number)?.is_some();
        sink.expect(Comparison::FollowUps, &number.to_be_bytes(), RowContent::Rows(has_follow_up.into(), 0));
    }
    let target = Target { has_dependents: batch.has_dependents, end: batch.end() };
    expect_target(rows, sink, TaskRef::of_batch(number), target, propagating)
}
