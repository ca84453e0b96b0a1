use crate::model::{
    status::Role,
    transition::{
        Command, CommandResult, Outcome, PayloadChange,
        tests::{
            machines::{code, full, no_exhausted, only_failed},
            scene::{FAIL, LEASE, Scene},
        },
    },
};

#[test]
fn what_was_deleted_is_new_again() {
    let mut scene = Scene::of(full());
    scene.run(Outcome::Succeed);
    scene.does(&Command::Delete);
    let decision = scene.submit(1);
    assert_eq!((decision.result, decision.payload), (CommandResult::New, PayloadChange::Put));
}

#[test]
fn an_id_that_exists_is_never_reset() {
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Succeed, Outcome::Ignore] {
        let mut scene = Scene::of(full());
        scene.run(outcome);
        let before = scene.task().clone();
        let decision = scene.submit(1);
        assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Keep));
        assert_eq!(*scene.task(), before);
    }
}

#[test]
fn changed_fingerprint_requeues_ended_and_failed_tasks() {
    for outcome in [FAIL, Outcome::GiveUp, Outcome::Succeed, Outcome::Ignore] {
        let mut scene = Scene::of(full());
        scene.run(outcome);
        let decision = scene.submit(2);
        assert_eq!((decision.result, decision.payload), (CommandResult::Requeued, PayloadChange::Put));
        assert_eq!((scene.role(), scene.counters(), scene.task().attempts), (Role::Pending, (0, 0), 1));
    }
    let mut scene = Scene::of(only_failed());
    scene.run(Outcome::GiveUp);
    scene.submit(2);
    scene.claim();
}

#[test]
fn a_changed_fingerprint_replaces_the_payload_of_what_waits() {
    let mut scene = Scene::of(full());
    let decision = scene.submit(2);
    assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::Put));
    assert_eq!((scene.role(), scene.task().revision), (Role::Pending, 1));
    scene.does(&Command::Move { code: code(0, Role::Parked) });
    scene.submit(3);
    assert_eq!(scene.role(), Role::Parked);
}

#[test]
fn changed_fingerprint_of_a_running_task_applies_at_its_end() {
    for outcome in [Outcome::Succeed, FAIL, Outcome::GiveUp, Outcome::Ignore, Outcome::Release] {
        let mut scene = Scene::of(full());
        scene.run(FAIL);
        let owner = scene.claim();
        let decision = scene.submit(2);
        assert_eq!((decision.result, decision.payload), (CommandResult::Existing, PayloadChange::PutSuccessor));
        assert_eq!(scene.task().revision, 0, "the running payload stands");
        assert_eq!(scene.end(owner, outcome).payload, PayloadChange::TakeSuccessor);
        assert_eq!((scene.role(), scene.counters()), (Role::Pending, (0, 0)), "{outcome:?}");
        scene.run(Outcome::Succeed);
        assert_eq!(scene.role(), Role::Succeeded, "once");
    }
}

#[test]
fn a_successor_starts_after_a_rescue_too_and_after_the_last_one() {
    let mut scene = Scene::with(full(), |policy| policy.max_crashes = 1);
    scene.claim();
    scene.submit(2);
    scene.pass(LEASE);
    scene.claim();
    assert_eq!((scene.task().successor, scene.counters(), scene.task().revision), (false, (0, 0), 1));
}

/// The payload that could not be decoded is the old one; the new one deserves its turn.
#[test]
fn a_successor_starts_after_an_unreadable_payload_too() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.submit(2);
    assert_eq!(scene.does(&Command::Unreadable { owner }).payload, PayloadChange::TakeSuccessor);
    assert!(!scene.task().unreadable && !scene.task().successor);
    scene.claim();
}

#[test]
fn a_successor_outlives_the_cancel_of_the_run_before_it() {
    let mut scene = Scene::of(no_exhausted());
    let owner = scene.claim();
    scene.cancel();
    scene.submit(2);
    scene.end(owner, FAIL);
    assert_eq!((scene.role(), scene.task().cancel), (Role::Pending, false));
}
