//! Tests of submits of a task that exists: changed fingerprints, debounced submits, and the payload that waits for the end of a run.

use std::sync::Arc;

use crate::model::{
    status::Role,
    time::Micros,
    trace_context::TraceContext,
    transition::{
        Command, CommandResult, Outcome, PayloadChange, Submit,
        tests::{
            machines::{code, full, no_exhausted, only_failed},
            task_fixture::{FAIL, LEASE, TaskFixture},
        },
    },
};

#[test]
fn deleted_task_is_new_again() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(Outcome::Succeed);
    fixture.apply(&Command::Delete);
    let decision = fixture.submit(1);
    assert_eq!((decision.result, decision.payload), (CommandResult::New, PayloadChange::Put));
}

#[test]
fn an_id_that_exists_is_never_reset() {
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Succeed, Outcome::Ignore] {
        let mut fixture = TaskFixture::of(full());
        fixture.run(outcome);
        let before = fixture.task().clone();
        let decision = fixture.submit(1);
        assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Keep));
        assert_eq!(*fixture.task(), before);
    }
}

#[test]
fn changed_fingerprint_requeues_ended_and_failed_tasks() {
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Succeed, Outcome::Ignore] {
        let mut fixture = TaskFixture::of(full());
        fixture.run(outcome);
        let decision = fixture.submit(2);
        assert_eq!((decision.result, decision.payload), (CommandResult::Requeued, PayloadChange::Put));
        assert_eq!((fixture.role(), fixture.counters(), fixture.task().attempts), (Role::Pending, (0, 0), 1));
    }
    let mut fixture = TaskFixture::of(only_failed());
    fixture.run(Outcome::GiveUp);
    fixture.submit(2);
    fixture.claim();
}

#[test]
fn changed_fingerprint_replaces_payload_of_waiting_task() {
    let mut fixture = TaskFixture::of(full());
    let decision = fixture.submit(2);
    assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Put));
    assert_eq!((fixture.role(), fixture.task().revision), (Role::Pending, 1));
    fixture.apply(&Command::Move { code: code(0, Role::Parked) });
    fixture.submit(3);
    assert_eq!(fixture.role(), Role::Parked);
}

#[test]
fn changed_fingerprint_of_a_running_task_applies_at_its_end() {
    for outcome in [Outcome::Succeed, FAIL, Outcome::GiveUp, Outcome::Ignore, Outcome::Release] {
        let mut fixture = TaskFixture::of(full());
        fixture.run(FAIL);
        let owner = fixture.claim();
        let decision = fixture.submit(2);
        assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::PutSuccessor));
        assert_eq!(fixture.task().revision, 0, "the running payload stands");
        assert_eq!(fixture.end(owner, outcome).payload, PayloadChange::TakeSuccessor);
        assert_eq!((fixture.role(), fixture.counters()), (Role::Pending, (0, 0)), "{outcome:?}");
        fixture.run(Outcome::Succeed);
        assert_eq!(fixture.role(), Role::Succeeded, "once");
    }
}

#[test]
fn a_successor_starts_after_a_rescue_too_and_after_the_last_one() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.max_crashes = 1);
    fixture.claim();
    fixture.submit(2);
    fixture.pass(LEASE);
    fixture.claim();
    assert_eq!((fixture.task().successor, fixture.counters(), fixture.task().revision), (false, (0, 0), 1));
}

/// The payload that could not be decoded is the old one; the new one deserves its turn.
#[test]
fn a_successor_starts_after_an_unreadable_payload_too() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.submit(2);
    assert_eq!(fixture.apply(&Command::Unreadable { owner }).payload, PayloadChange::TakeSuccessor);
    assert!(!fixture.task().unreadable && !fixture.task().successor);
    fixture.claim();
}

#[test]
fn a_successor_outlives_the_cancel_of_the_run_before_it() {
    let mut fixture = TaskFixture::of(no_exhausted());
    let owner = fixture.claim();
    fixture.cancel();
    fixture.submit(2);
    fixture.end(owner, FAIL);
    assert_eq!((fixture.role(), fixture.task().cancel), (Role::Pending, false));
}

#[test]
fn changed_fingerprint_outlasts_submits_without_one() {
    let mut fixture = TaskFixture::of(full());
    fixture.submit(2);
    assert_eq!(fixture.submit(2).payload, PayloadChange::Keep);
    let command = debounced(&fixture, None);
    fixture.apply(&command);
    assert_eq!(fixture.task().fingerprint, Some(2));
}

#[test]
fn changed_payload_of_an_unreadable_task_is_claimed() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.apply(&Command::Unreadable { owner });
    fixture.submit(2);
    fixture.claim();
}

#[test]
fn task_takes_batch_and_time_of_its_first_submit_only() {
    let trace = |id| TraceContext::new(id, 1, true).map(Arc::new);
    let submit = |number: u8| {
        Command::Submit(Submit {
            due: None,
            priority: 0,
            sets_priority: false,
            fingerprint: Some(number.into()),
            batch: Some(number.into()),
            scheduled_at: Some(number.into()),
            trace: trace(number.into()),
            max_wait: None,
        })
    };
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::Delete);
    for number in [7, 8] {
        fixture.apply(&submit(number));
        let task = fixture.task();
        assert_eq!((task.batch, task.scheduled_at), (Some(7), Some(7)));
        assert_eq!(task.trace, trace(number.into()), "the next run is the work of the latest submitter");
    }
}

const SECOND: Micros = 1_000_000;

/// A submit that is debounced by 5 seconds, at most 12.
fn debounced(fixture: &TaskFixture, fingerprint: Option<u64>) -> Command {
    Command::Submit(Submit {
        due: Some(fixture.now + 5 * SECOND),
        priority: 0,
        sets_priority: false,
        fingerprint,
        batch: None,
        trace: None,
        scheduled_at: None,
        max_wait: Some(12 * SECOND),
    })
}

#[test]
fn debounced_submits_move_the_due_time_up_to_their_bound() {
    let mut fixture = TaskFixture::of(full());
    let first = fixture.task().updated;
    for (time, due) in [(0, 5), (4, 9), (8, 12), (11, 12), (20, 12)] {
        fixture.now = first + time * SECOND;
        let command = debounced(&fixture, Some(1));
        let decision = fixture.apply(&command);
        assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Put));
        assert_eq!(fixture.task().due, first + due * SECOND, "{time}");
    }
    assert_eq!((fixture.role(), fixture.task().revision), (Role::Pending, 5));
}

#[test]
fn bound_of_debounced_submits_counts_from_the_requeue() {
    let mut fixture = TaskFixture::of(full());
    fixture.now += 20 * SECOND;
    fixture.requeue(false);
    let command = debounced(&fixture, None);
    fixture.apply(&command);
    assert_eq!(fixture.task().due, fixture.now + 5 * SECOND);
}

#[test]
fn debounced_submit_of_a_parked_task_keeps_its_due_time() {
    let mut fixture = TaskFixture::of(full());
    fixture.move_to(Role::Parked).expect("moved");
    let due = fixture.task().due;
    let command = debounced(&fixture, None);
    assert_eq!(fixture.apply(&command).payload, PayloadChange::Put);
    assert_eq!((fixture.role(), fixture.task().due), (Role::Parked, due));
}

#[test]
fn debounced_due_time_may_be_that_of_the_running_attempt() {
    let mut fixture = TaskFixture::of(full());
    let due = fixture.now + 5 * SECOND;
    fixture.apply(&Command::SetDue(due));
    let owner = fixture.start(|_| ()).expect("before its time");
    let command = debounced(&fixture, None);
    fixture.apply(&command);
    fixture.end(owner, Outcome::Succeed);
    assert_eq!(fixture.task().due, due + 1, "it is told from the due time of the attempt by a microsecond");
}

/// The due time before the attempt is no due time of a submit: the next attempt starts at once.
#[test]
fn changed_payload_of_a_forced_attempt_starts_at_its_end() {
    let mut given_up = TaskFixture::of(only_failed());
    given_up.run(Outcome::GiveUp);
    let mut waiting = TaskFixture::of(full());
    waiting.apply(&Command::SetDependencyCount { dependencies: 1 });
    waiting.apply(&Command::SetDue(waiting.now + 3_600 * SECOND));
    for mut fixture in [given_up, waiting] {
        let owner = fixture.start(|start| start.force = true).expect("forced");
        fixture.submit(2);
        fixture.end(owner, Outcome::Succeed);
        assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, fixture.now));
    }
}

#[test]
fn debounced_submit_starts_an_ended_task_again_after_its_delay() {
    for (fingerprint, restarts) in [(None, true), (Some(2), true), (Some(1), false)] {
        let mut fixture = TaskFixture::of(full());
        fixture.run(Outcome::Succeed);
        let command = debounced(&fixture, fingerprint);
        let decision = fixture.apply(&command);
        assert_eq!(decision.result == CommandResult::Requeued, restarts, "{fingerprint:?}");
        if restarts {
            assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, fixture.now + 5 * SECOND));
        }
    }
}

#[test]
fn debounced_submit_of_a_running_task_waits_after_its_end() {
    for (outcome, later, due) in
        [(Outcome::Succeed, 1, 5), (FAIL, 1, 5), (Outcome::Release, 1, 5), (Outcome::Succeed, 7, 7)]
    {
        let mut fixture = TaskFixture::of(full());
        let owner = fixture.claim();
        let start = fixture.now;
        let command = debounced(&fixture, None);
        assert_eq!(fixture.apply(&command).payload, PayloadChange::PutSuccessor);
        fixture.now += later * SECOND;
        fixture.end(owner, outcome);
        assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, start + due * SECOND));
    }
    // Further submits move its due time up to a bound that counts from the start of the attempt.
    let mut fixture = TaskFixture::of(full());
    fixture.now += 10 * SECOND;
    let owner = fixture.claim();
    let start = fixture.now;
    for time in [4, 8, 11] {
        fixture.now = start + time * SECOND;
        let command = debounced(&fixture, None);
        fixture.apply(&command);
    }
    fixture.end(owner, Outcome::Succeed);
    assert_eq!(fixture.task().due, start + 12 * SECOND);
    // A submit that is not debounced starts the task at once.
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.submit(2);
    fixture.end(owner, Outcome::Succeed);
    assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, fixture.now));
}
