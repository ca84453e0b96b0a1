use crate::model::{
    status::Role,
    transition::{
        Command, CommandResult, Outcome, PayloadChange,
        tests::{
            machines::{code, full, no_exhausted, only_failed},
            task_fixture::{FAIL, LEASE, TaskFixture},
        },
    },
};

#[test]
fn what_was_deleted_is_new_again() {
    let mut fixture = TaskFixture::of(full());
    fixture.run(Outcome::Succeed);
    fixture.does(&Command::Delete);
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
fn a_changed_fingerprint_replaces_the_payload_of_what_waits() {
    let mut fixture = TaskFixture::of(full());
    let decision = fixture.submit(2);
    assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Put));
    assert_eq!((fixture.role(), fixture.task().revision), (Role::Pending, 1));
    fixture.does(&Command::Move { code: code(0, Role::Parked) });
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
    assert_eq!(fixture.does(&Command::Unreadable { owner }).payload, PayloadChange::TakeSuccessor);
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
