//! Tests of kinds with several steps: the status after each step, failures by step, and where a requeue or a cancel leads.

use crate::model::{
    error::Reason,
    status::Role,
    transition::{
        Command, Outcome,
        tests::{
            machines::{bare_second_step, code, pipeline},
            task_fixture::{FAIL, TaskFixture},
        },
    },
};

fn run_in(fixture: &mut TaskFixture, step: u16, outcome: Outcome) {
    let owner = fixture.claim_in(step).expect("claimed");
    fixture.end(owner, outcome);
}

#[test]
fn only_the_last_succeeded_of_a_pipeline_is_terminal() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, Outcome::Succeed);
    assert_eq!(fixture.role_in(0), Role::Succeeded, "the second step has no pending of its own");
    run_in(&mut fixture, 1, Outcome::Succeed);
    assert_eq!(fixture.role_in(2), Role::Pending, "the third has");
    run_in(&mut fixture, 2, Outcome::Succeed);
    assert_eq!(fixture.role_in(2), Role::Succeeded);
    assert_eq!(fixture.claim_in(2), Err(Reason::AlreadySucceeded));
    assert_eq!(fixture.task().attempts, 3);
}

#[test]
fn a_start_in_another_step_is_refused_as_the_wrong_step() {
    let mut fixture = TaskFixture::of(pipeline());
    for step in [1, 2] {
        let wrong = Reason::WrongStep { step: "step 0".to_owned(), asked: format!("step {step}") };
        assert_eq!(fixture.claim_in(step), Err(wrong.clone()));
        assert_eq!(fixture.start(|start| (start.step, start.force) = (step, true)), Err(wrong));
    }
}

#[test]
fn failures_belong_to_a_step() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, FAIL);
    run_in(&mut fixture, 0, FAIL);
    run_in(&mut fixture, 0, Outcome::Succeed);
    run_in(&mut fixture, 1, FAIL);
    run_in(&mut fixture, 1, FAIL);
    assert_eq!((fixture.role_in(1), fixture.counters()), (Role::Failed, (2, 0)));
    run_in(&mut fixture, 1, FAIL);
    assert_eq!(fixture.role_in(1), Role::Ignored, "its step has no exhausted");
}

/// A step without `pending` and `failed` fails back to the `succeeded` of the step before. Its failures are counted there.
#[test]
fn attempts_end_in_a_step_that_fails_back_to_the_one_before() {
    let mut fixture = TaskFixture::of(bare_second_step());
    run_in(&mut fixture, 0, Outcome::Succeed);
    for failures in [1, 2] {
        run_in(&mut fixture, 1, FAIL);
        assert_eq!((fixture.role_in(0), fixture.counters()), (Role::Succeeded, (failures, 0)));
    }
    run_in(&mut fixture, 1, FAIL);
    assert_eq!(fixture.role_in(1), Role::Exhausted);
}

#[test]
fn requeue_keeps_the_step_and_from_start_resets_it() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, Outcome::Succeed);
    run_in(&mut fixture, 1, Outcome::Succeed);
    run_in(&mut fixture, 2, Outcome::GiveUp);
    fixture.requeue(false);
    assert_eq!((fixture.role_in(2), fixture.counters()), (Role::Pending, (0, 0)));
    fixture.requeue(true);
    assert_eq!(fixture.role_in(0), Role::Pending);
}

/// The tasks of a step without `pending` wait in the `succeeded` of the step before. A requeue leaves them there.
#[test]
fn a_second_requeue_does_not_go_back_another_step() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, Outcome::Succeed);
    run_in(&mut fixture, 1, FAIL);
    for _ in 0..2 {
        fixture.requeue(false);
        assert_eq!(fixture.role_in(0), Role::Succeeded);
    }
    run_in(&mut fixture, 1, Outcome::Succeed);
}

#[test]
fn waiting_task_is_cancelled_and_ignored_in_its_next_step() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, Outcome::Succeed);
    fixture.cancel();
    assert_eq!(fixture.role_in(1), Role::Cancelled);
    fixture.requeue(false);
    fixture.apply(&Command::Ignore { fence: 9, reason: String::new() });
    assert_eq!(fixture.role_in(1), Role::Ignored);
    fixture.requeue(false);
    assert_eq!(fixture.role_in(0), Role::Succeeded);
}

#[test]
fn a_changed_fingerprint_goes_to_the_first_step() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, Outcome::Succeed);
    run_in(&mut fixture, 1, FAIL);
    fixture.submit(2);
    assert_eq!((fixture.role_in(0), fixture.counters()), (Role::Pending, (0, 0)));
}

#[test]
fn park_in_another_step_resets_failures() {
    let mut fixture = TaskFixture::of(pipeline());
    run_in(&mut fixture, 0, FAIL);
    run_in(&mut fixture, 0, Outcome::Park { code: code(2, Role::Parked) });
    assert_eq!((fixture.role_in(2), fixture.counters()), (Role::Parked, (0, 0)));
}

#[test]
fn startable_status_of_an_earlier_step_resets_failures() {
    let mut fixture = TaskFixture::of(pipeline());
    let parked = code(0, Role::Parked);
    run_in(&mut fixture, 0, FAIL);
    run_in(&mut fixture, 0, Outcome::Park { code: parked });
    assert_eq!(fixture.counters(), (1, 0));
    let owner = fixture.start(|start| (start.step, start.startable) = (2, vec![parked])).expect("started");
    assert_eq!(fixture.counters(), (0, 0));
    fixture.end(owner, Outcome::Release);
    assert_eq!(fixture.role_in(0), Role::Parked);
}
