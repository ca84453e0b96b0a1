//! Tests of how attempts end, and of the counters of attempts, failures and crashes.

use crate::model::{
    error::Reason,
    status::Role,
    transition::{
        Annotations, AttemptStatus, Command, Explanation, Failure, Finish, NEVER, Outcome,
        tests::{
            machines::{code, full, no_exhausted, no_failed, only_failed, pipeline},
            task_fixture::{FAIL, LEASE, TaskFixture},
        },
    },
};

const SPENT: Reason = Reason::Exhausted { failures: 3, crashes: 0 };

#[test]
fn three_failures_of_three_are_failed_failed_exhausted() {
    let mut fixture = TaskFixture::of(full());
    let roles = [(); 3].map(|()| {
        fixture.run(FAIL);
        fixture.role()
    });
    assert_eq!(roles, [Role::Failed, Role::Failed, Role::Exhausted]);
    assert_eq!((fixture.task().attempts, fixture.counters()), (3, (3, 0)));
    assert_eq!(fixture.start(|_| ()), Err(SPENT));
    assert_eq!(fixture.attempt_statuses(), [AttemptStatus::Failed; 3]);
}

/// The wall clock says when, and not how long: it may have been set in between.
#[test]
fn attempt_stores_the_measured_run_time() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    let annotations = Annotations::default();
    let outcome = Outcome::Succeed;
    fixture.apply(&Command::Finish(Finish {
        owner,
        outcome,
        with_changes: false,
        priority: None,
        failure: None,
        annotations,
        run: Some(70),
        random: 0.5,
    }));
    assert_eq!(fixture.task().last.as_ref().map(|ended| ended.run), Some(Some(70)));
}

#[test]
fn attempt_names_its_step_its_start_and_its_end() {
    let mut fixture = TaskFixture::of(pipeline());
    fixture.run(Outcome::Succeed);
    fixture.pass(LEASE);
    let owner = fixture.claim_in(1).expect("claimed");
    let started = fixture.now;
    fixture.pass(LEASE / 2);
    fixture.end(owner, Outcome::Succeed);
    let last = fixture.task().last.as_ref().map(|ended| (ended.step, ended.started, ended.ended));
    assert_eq!(last, Some((1, started, started + 30_000_000)));
}

#[test]
fn only_a_new_status_sets_the_time_of_the_last_change() {
    let mut fixture = TaskFixture::of(full());
    fixture.pass(LEASE);
    let owner = fixture.claim();
    assert_eq!(fixture.task().updated, fixture.now);
    fixture.pass(LEASE / 2);
    fixture.end(owner, FAIL);
    let ended = fixture.now;
    assert_eq!(fixture.task().updated, ended);
    fixture.pass(LEASE);
    fixture.apply(&Command::SetPriority(9));
    assert_eq!(fixture.task().updated, ended);
}

/// A finish with these details, which stores changes of the handler.
fn finish_with(fixture: &mut TaskFixture, outcome: Outcome, failure: Option<Failure>, annotations: Annotations) {
    let owner = fixture.claim();
    fixture.apply(&Command::Finish(Finish {
        owner,
        outcome,
        with_changes: true,
        priority: failure.is_some().then_some(7),
        failure,
        annotations,
        run: None,
        random: 0.5,
    }));
}

#[test]
fn details_of_an_attempt_go_to_the_history_at_once() {
    let failure = Some(Failure::new("it broke"));
    let notes = Annotations { notes: vec!["a note".to_owned()], ..Annotations::default() };
    let metrics = Annotations { metrics: vec![("rows".to_owned(), 3.0)], ..Annotations::default() };
    let nothing = Annotations::default();
    for (failure, annotations) in [(failure, nothing), (None, notes), (None, metrics)] {
        for outcome in [FAIL, Outcome::Ignore, Outcome::Release, Outcome::Snooze { delay: LEASE }] {
            let mut fixture = TaskFixture::of(full());
            finish_with(&mut fixture, outcome, failure.clone(), annotations.clone());
            let [ended] = &fixture.history[..] else { panic!("{outcome:?}: {:?}", fixture.history) };
            assert_eq!((&ended.failure, &ended.annotations), (&failure, &annotations), "{outcome:?}");
            assert_eq!((fixture.task().last.as_ref(), fixture.task().ended), (None, 1));
            assert_eq!(fixture.task().priority, if failure.is_some() { 7 } else { 0 }, "the changes of the handler");
        }
    }
}

#[test]
fn decision_tells_the_attempt_that_it_ended() {
    let mut fixture = TaskFixture::of(full());
    for (outcome, status) in [
        (Outcome::Ignore, AttemptStatus::Ignored),
        (Outcome::Succeed, AttemptStatus::Succeeded),
        (FAIL, AttemptStatus::Failed),
    ] {
        fixture.requeue(false);
        let owner = fixture.claim();
        let running = fixture.task().clone();
        let decision = fixture.end(owner, outcome);
        assert_eq!(decision.ended_attempt(Some(&running)).map(|ended| ended.status), Some(status));
        let ended = fixture.task().clone();
        let decision = fixture.apply(&Command::SetHasDependents(true));
        assert_eq!(decision.ended_attempt(Some(&ended)), None, "no attempt ended");
    }
}

#[test]
fn an_ending_is_written_as_its_name() {
    assert_eq!(AttemptStatus::TakenOver.to_string(), "taken_over");
}

#[test]
fn force_resets_failures_and_keeps_attempts() {
    let mut fixture = TaskFixture::of(full());
    (0..3).for_each(|_| fixture.run(FAIL));
    let owner = fixture.start(|start| start.force = true).expect("forced");
    assert_eq!((fixture.task().attempts, fixture.counters()), (4, (0, 0)));
    fixture.end(owner, FAIL);
    assert_eq!(fixture.role(), Role::Failed);
}

#[test]
fn a_release_after_force_leads_to_the_start_not_back_to_the_end() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(Outcome::GiveUp);
    let owner = fixture.start(|start| start.force = true).expect("forced");
    fixture.end(owner, Outcome::Release);
    assert_eq!((fixture.role(), fixture.task().attempts), (Role::Pending, 1));
    fixture.claim();
}

#[test]
fn force_opens_every_terminal_status_and_no_other() {
    for (outcome, closed) in [
        (Outcome::Succeed, Reason::AlreadySucceeded),
        (Outcome::GiveUp, Reason::Exhausted { failures: 1, crashes: 0 }),
        (Outcome::Ignore, Reason::Ignored),
    ] {
        let mut fixture = TaskFixture::of(full());
        fixture.run(outcome);
        assert_eq!(fixture.start(|_| ()), Err(closed));
        assert!(fixture.start(|start| start.force = true).is_ok());
    }
    let mut fixture = TaskFixture::of(full());
    fixture.run(Outcome::Park { code: code(0, Role::Parked) });
    let refused = fixture.start(|start| start.force = true).expect_err("parked");
    assert!(matches!(refused, Reason::NotStartable { .. }));
}

#[test]
fn attempts_are_never_reset_by_success_and_failures_are() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(FAIL);
    fixture.crash();
    fixture.run(Outcome::Succeed);
    assert_eq!((fixture.task().attempts, fixture.counters()), (3, (0, 0)));
    fixture.requeue(false);
    fixture.run(FAIL);
    assert_eq!((fixture.task().attempts, fixture.counters()), (4, (1, 0)));
}

#[test]
fn without_a_limit_a_task_is_retried_for_ever() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.max_attempts = None);
    (0..50).for_each(|_| fixture.run(FAIL));
    assert_eq!((fixture.role(), fixture.counters()), (Role::Failed, (50, 0)));
}

#[test]
fn the_last_crash_exhausts_and_its_error_says_so() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.max_crashes = 2);
    fixture.crash();
    assert_eq!((fixture.role(), fixture.counters()), (Role::Failed, (0, 1)));
    fixture.crash();
    assert_eq!((fixture.role(), fixture.counters()), (Role::Exhausted, (0, 2)));
    let errors: Vec<_> = fixture.history.iter().filter_map(|ended| ended.failure.as_ref()).map(|f| &f.error).collect();
    assert!(!errors[0].contains("given up"), "{}", errors[0]);
    assert!(errors[1].contains("given up after 2 crashes"), "{}", errors[1]);
}

#[test]
fn crashes_and_failures_are_counted_apart() {
    let mut fixture = TaskFixture::with(full(), |policy| (policy.max_attempts, policy.max_crashes) = (Some(2), 2));
    fixture.run(FAIL);
    fixture.crash();
    assert_eq!((fixture.role(), fixture.counters()), (Role::Failed, (1, 1)));
}

#[test]
fn failure_leads_to_pending_without_a_failed_status() {
    let mut fixture = TaskFixture::of(no_failed());
    let roles = [(); 3].map(|()| {
        fixture.run(FAIL);
        fixture.role()
    });
    assert_eq!(roles, [Role::Pending, Role::Pending, Role::Exhausted]);
}

#[test]
fn without_an_exhausted_ignored_is_used_for_both() {
    let mut fixture = TaskFixture::of(no_exhausted());
    fixture.run(Outcome::GiveUp);
    assert_eq!(fixture.role(), Role::Ignored);
    assert_eq!(fixture.start(|_| ()), Err(Reason::Ignored));
}

#[test]
fn spent_task_is_never_claimed_without_exhausted_status() {
    let mut fixture = TaskFixture::of(only_failed());
    (0..3).for_each(|_| fixture.run(FAIL));
    assert_eq!((fixture.role(), fixture.task().due), (Role::Failed, NEVER));
    assert_eq!(fixture.claim_in(0), Err(SPENT));
    assert_eq!(fixture.explain(), Explanation::Exhausted { failures: 3, crashes: 0 });
    let owner = fixture.start(|start| start.force = true).expect("forced");
    fixture.end(owner, Outcome::Release);
    assert_eq!((fixture.role(), fixture.counters()), (Role::Pending, (0, 0)));
}

/// Failures left or not: what a handler gave up, or what crashed too often, has ended; a start by id must not revive it.
#[test]
fn given_up_task_ends_in_failed_without_exhausted_status() {
    let mut fixture = TaskFixture::of(only_failed());
    fixture.run(Outcome::GiveUp);
    assert_eq!(fixture.start(|_| ()), Err(Reason::Exhausted { failures: 1, crashes: 0 }));
    let mut fixture = TaskFixture::with(only_failed(), |policy| policy.max_crashes = 1);
    fixture.crash();
    assert_eq!(fixture.start(|_| ()), Err(Reason::Exhausted { failures: 0, crashes: 1 }));
    assert_eq!(fixture.move_to(Role::Failed), Err(Reason::Exhausted { failures: 0, crashes: 1 }));
    fixture.requeue(false);
    fixture.claim();
}

#[test]
fn snooze_and_release_cost_nothing_and_restore_the_status() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(FAIL);
    for outcome in [Outcome::Release, Outcome::Snooze { delay: std::time::Duration::ZERO }] {
        fixture.run(outcome);
        assert_eq!((fixture.role(), fixture.task().attempts, fixture.counters()), (Role::Failed, 1, (1, 0)));
    }
    assert_eq!(fixture.attempt_statuses(), [AttemptStatus::Failed]);
    fixture.apply(&Command::Move { code: code(0, Role::Parked) });
    let owner = fixture.start(|start| start.startable = vec![code(0, Role::Parked)]).expect("an extra status");
    fixture.end(owner, Outcome::Release);
    assert_eq!(fixture.role(), Role::Parked);
}

#[test]
fn outcome_without_a_status_of_its_role_is_refused() {
    let mut fixture = TaskFixture::of(only_failed());
    let owner = fixture.claim();
    assert_eq!(fixture.finish(owner, Outcome::Ignore), Err(Reason::MissingRole { role: "ignored" }));
    fixture.end(owner, Outcome::Succeed);
}
