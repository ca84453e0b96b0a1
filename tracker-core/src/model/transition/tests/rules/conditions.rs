//! Tests of the conditions of queries, and of the explanations why a task does not run.

use std::time::Duration;

use crate::model::{
    status::Role,
    transition::{
        Command, Condition, Explanation, StartContext,
        tests::{
            machines::{code, full},
            task_fixture::{LEASE, TaskFixture},
        },
    },
};

#[test]
fn condition_holds_from_its_first_time_up_to_before_its_last() {
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::SetBatch { batch: Some(7) });
    let (task, now) = (fixture.task(), fixture.now);
    let holds =
        |since, until, batch, status| Condition { codes: Some(vec![code(0, status)]), since, until, batch }.holds(task);
    assert!(holds(Some(now), Some(now + 1), Some(7), Role::Pending));
    assert!(!holds(Some(now + 1), None, None, Role::Pending));
    assert!(!holds(None, Some(now), None, Role::Pending));
    assert!(!holds(None, None, Some(8), Role::Pending));
    assert!(!holds(None, None, None, Role::Failed));
}

/// Each reason is named after those that hold longer.
#[test]
fn explanation_names_the_first_of_several_reasons() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.max_in_progress = Some(2));
    fixture.apply(&Command::SetDependencyCount { dependencies: 1 });
    fixture.apply(&Command::SetPaused(true));
    fixture.apply(&Command::SetDue(fixture.now + 60_000_000));
    let explain = |fixture: &TaskFixture, in_progress| {
        let context = StartContext { paused: true, in_progress, ..StartContext::default() };
        fixture.rules().explain(fixture.task(), &context)
    };
    assert!(matches!(explain(&fixture, 2), Explanation::Waiting { others: 1, .. }));
    fixture.apply(&Command::SetDependencyCount { dependencies: 0 });
    assert_eq!(explain(&fixture, 2), Explanation::TaskPaused);
    fixture.apply(&Command::SetPaused(false));
    assert_eq!(explain(&fixture, 2), Explanation::Paused);
    let running = |fixture: &TaskFixture, in_progress| {
        fixture.rules().explain(fixture.task(), &StartContext { in_progress, ..StartContext::default() })
    };
    assert!(matches!(running(&fixture, 2), Explanation::NotDue { wait: LEASE, .. }));
    fixture.pass(LEASE.saturating_sub(Duration::from_micros(1)));
    assert!(matches!(running(&fixture, 2), Explanation::NotDue { .. }));
    fixture.pass(Duration::from_micros(1));
    assert_eq!(running(&fixture, 2), Explanation::KindLimited { most: 2 });
    assert_eq!(running(&fixture, 1), Explanation::Queued { ahead: 0 });
}
