//! Tests of when a batch ends, and of what its end tells its dependents.

use crate::model::{
    status::Role,
    transition::{Batch, BatchDelta, DependencyEnd, batch::BatchEnd},
};

/// A sealed batch with one task in each of these roles.
fn sealed(roles: &[Role]) -> Batch {
    let mut batch = Batch::new("night", 5);
    let mut delta = BatchDelta { seal: Some(true), ..BatchDelta::default() };
    for role in roles {
        delta.count(None, Some(*role), 1);
    }
    batch.apply(&delta, 10);
    batch
}

/// Counts a task that goes from one role to another; `None` is outside the batch.
fn moved(batch: &mut Batch, from: Option<Role>, to: Option<Role>, now: i64) -> Option<BatchEnd> {
    let mut delta = BatchDelta::default();
    delta.count(from, to, 1);
    batch.apply(&delta, now)
}

#[test]
fn a_batch_is_over_when_it_is_sealed_and_no_task_of_it_is_open() {
    for open in [Role::Pending, Role::InProgress, Role::Failed, Role::Parked] {
        assert_eq!((sealed(&[open]).open(), sealed(&[open]).end()), (1, None), "{open}");
    }
    let mut batch = Batch::new("night", 5);
    assert_eq!(moved(&mut batch, None, Some(Role::Succeeded), 10), None, "more may come");
    let end = batch.apply(&BatchDelta { seal: Some(true), ..BatchDelta::default() }, 20);
    assert_eq!(end, Some(BatchEnd { first: true, end: DependencyEnd::Satisfied }));
    assert_eq!((batch.open(), batch.finished), (0, Some(20)));
}

#[test]
fn batch_end_names_the_unsuccessful_role() {
    for missed in [Role::Exhausted, Role::Cancelled, Role::Ignored] {
        let mut batch = sealed(&[Role::Succeeded, missed]);
        assert_eq!(batch.end(), Some(DependencyEnd::Failed(missed)));
        moved(&mut batch, Some(missed), None, 20);
        assert_eq!(batch.end(), Some(DependencyEnd::Deleted), "deleted, and so never to succeed");
        assert_eq!((batch.count(missed), batch.count(Role::Succeeded)), (1, 1));
    }
    let mut batch = sealed(&[Role::Succeeded, Role::Succeeded]);
    moved(&mut batch, Some(Role::Succeeded), None, 20);
    assert_eq!(
        (batch.end(), batch.count(Role::Succeeded)),
        (Some(DependencyEnd::Satisfied), 2),
        "a success counts also when gone"
    );
}

#[test]
fn batch_end_is_reported_once_and_after_a_change() {
    let mut batch = sealed(&[Role::Exhausted]);
    assert_eq!(batch.apply(&BatchDelta::default(), 20), None);
    assert_eq!(moved(&mut batch, Some(Role::Exhausted), Some(Role::Pending), 30), None, "it is open again");
    let end = moved(&mut batch, Some(Role::Pending), Some(Role::Succeeded), 40);
    assert_eq!(end, Some(BatchEnd { first: false, end: DependencyEnd::Satisfied }));
    assert_eq!(batch.finished, Some(10), "when it was over for the first time");
}

#[test]
fn only_ended_tasks_count_after_they_have_left() {
    for role in Role::ALL {
        let mut batch = sealed(&[role]);
        moved(&mut batch, Some(role), None, 20);
        assert_eq!(batch.count(role), u64::from(DependencyEnd::of(role).is_some()), "{role}");
    }
}

#[test]
fn counts_with_the_opposite_sign_undo_each_other() {
    let mut delta = BatchDelta::default();
    for (left, entered) in [(Some(Role::Cancelled), None), (Some(Role::Pending), Some(Role::Succeeded))] {
        delta.count(left, entered, 1);
        delta.count(left, entered, -1);
    }
    assert_eq!(delta, BatchDelta::default());
}

#[test]
fn batch_measures_the_ends_of_its_tasks() {
    let mut batch = sealed(&[Role::Pending]);
    batch.apply(&BatchDelta { ends: 2, ran: 60, ..BatchDelta::default() }, 20);
    assert_eq!((batch.throughput.ends, batch.throughput.last), (2, 20));
}

#[test]
fn batch_that_ended_without_tasks_left_may_be_pruned() {
    let mut batch = sealed(&[Role::Succeeded]);
    assert!(!batch.may_be_pruned(100), "a task is left");
    moved(&mut batch, Some(Role::Succeeded), None, 20);
    assert!(batch.may_be_pruned(11) && !batch.may_be_pruned(10));
    assert!(!Batch::new("empty", 5).may_be_pruned(100), "it is open");
}
