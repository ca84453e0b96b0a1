//! The end of a dependency, and the dependents that it satisfies or fails.

use crate::model::{
    error::Reason,
    status::Role,
    transition::{
        AttemptStatus, Command, DependencyEffect, DependencyEnd, DependentOutcome, OnDependencyFailure, Outcome,
        ResolveDependency,
        tests::{
            machines::{full, only_failed, pipeline},
            task_fixture::TaskFixture,
        },
    },
};

#[test]
fn only_a_changed_end_is_propagated() {
    let end = |before, after| DependencyEnd::between(Some(before), Some(after));
    assert_eq!(end(Role::InProgress, Role::Succeeded), Some(DependencyEnd::Satisfied));
    assert_eq!(end(Role::InProgress, Role::Ignored), Some(DependencyEnd::Failed(Role::Ignored)));
    assert_eq!(end(Role::Exhausted, Role::Succeeded), Some(DependencyEnd::Satisfied), "a late success counts");
    for role in Role::ALL {
        assert_eq!(end(role, role), None, "{role:?} is no news twice");
    }
    assert_eq!(end(Role::Succeeded, Role::Pending), None, "what was requeued has not ended");
}

#[test]
fn deletion_is_an_end_unless_the_task_succeeded() {
    assert_eq!(DependencyEnd::between(Some(Role::Succeeded), None), None);
    for role in [Role::Pending, Role::Exhausted, Role::Cancelled] {
        assert_eq!(DependencyEnd::between(Some(role), None), Some(DependencyEnd::Deleted));
    }
}

#[test]
fn new_task_has_no_end_to_propagate() {
    assert_eq!(DependencyEnd::between(None, Some(Role::Succeeded)), None);
}

/// Ends that were not propagated yet are propagated as one.
#[test]
fn pending_success_outranks_a_later_end() {
    assert_eq!(DependencyEnd::Satisfied.and(DependencyEnd::Deleted), DependencyEnd::Satisfied);
    assert_eq!(DependencyEnd::Failed(Role::Exhausted).and(DependencyEnd::Satisfied), DependencyEnd::Satisfied);
    assert_eq!(DependencyEnd::Failed(Role::Exhausted).and(DependencyEnd::Deleted), DependencyEnd::Deleted);
}

#[test]
fn choice_decides_the_effect_of_each_end() {
    let effect = |resolved, outcome| DependencyEffect { resolved, outcome };
    let (ignore, cancel) = (Some(DependentOutcome::Ignore), Some(DependentOutcome::Cancel));
    for (choice, failed, deleted) in [
        (OnDependencyFailure::Wait, effect(false, None), effect(true, ignore)),
        (OnDependencyFailure::Skip, effect(false, ignore), effect(true, ignore)),
        (OnDependencyFailure::Cancel, effect(false, cancel), effect(true, cancel)),
        (OnDependencyFailure::Run, effect(true, None), effect(true, None)),
    ] {
        assert_eq!(choice.effect_of(DependencyEnd::Satisfied), effect(true, None), "{choice:?}");
        assert_eq!(choice.effect_of(DependencyEnd::Failed(Role::Ignored)), failed, "{choice:?}");
        assert_eq!(choice.effect_of(DependencyEnd::Deleted), deleted, "{choice:?}");
    }
}

#[test]
fn dependency_is_refused_whose_failure_has_no_status() {
    let refusals = |fixture: &TaskFixture| {
        OnDependencyFailure::ALL.map(|choice| fixture.rules().may_wait(fixture.task(), choice).err())
    };
    let missing = |role| Some(Reason::MissingRole { role });
    let fixture = TaskFixture::of(only_failed());
    assert_eq!(refusals(&fixture), [None, missing("ignored"), missing("cancelled"), None]);
    let mut fixture = TaskFixture::of(pipeline());
    assert_eq!(refusals(&fixture), [None, missing("ignored"), None, None]);
    fixture.run(Outcome::Succeed);
    assert_eq!(refusals(&fixture), [(); 4].map(|()| None), "the next step has both");
}

fn resolve(outcome: DependentOutcome) -> Command {
    let effect = DependencyEffect { resolved: true, outcome: Some(outcome) };
    Command::ResolveDependency(ResolveDependency { effect, fence: 9, reason: "depends on \"a\"".to_owned() })
}

#[test]
fn failed_dependency_is_the_reason_in_the_history() {
    for (outcome, role, status) in [
        (DependentOutcome::Ignore, Role::Ignored, AttemptStatus::Ignored),
        (DependentOutcome::Cancel, Role::Cancelled, AttemptStatus::Cancelled),
    ] {
        let mut fixture = TaskFixture::of(full());
        fixture.apply(&Command::SetDependencyCount { dependencies: 1 });
        fixture.apply(&resolve(outcome));
        assert_eq!((fixture.role(), fixture.attempt_statuses()), (role, vec![status]));
        let failure = fixture.history.first().and_then(|ended| ended.failure.as_ref());
        assert_eq!(failure.map(|failure| failure.error.as_str()), Some("depends on \"a\""));
    }
}

#[test]
fn failed_dependency_does_not_end_a_forced_attempt() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::SetDependencyCount { dependencies: 1 });
    let owner = fixture.start(|start| start.force = true).expect("forced");
    fixture.apply(&resolve(DependentOutcome::Ignore));
    assert_eq!((fixture.role(), fixture.attempt_statuses()), (Role::InProgress, vec![]));
    fixture.end(owner, Outcome::Succeed);
}
