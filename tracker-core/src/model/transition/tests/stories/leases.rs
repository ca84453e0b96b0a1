use std::time::Duration;

use uuid::Uuid;

use crate::model::{
    error::Reason,
    status::Role,
    task::{Backoff, Policy, QueueEnd},
    transition::{
        AttemptStatus, Command, Outcome, Owner,
        tests::{
            machines::{full, pipeline},
            scene::{FAIL, LEASE, Scene},
        },
    },
};

const MICRO: Duration = Duration::from_micros(1);

#[test]
fn only_fence_and_token_together_make_an_owner() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    let old = scene.task().clone();
    for stale in [Owner { fence: 0, ..owner }, Owner { token: Uuid::nil(), ..owner }] {
        assert_eq!(scene.finish(stale, Outcome::Succeed), Err(Reason::LeaseLost));
        assert_eq!(scene.ask(&Command::Checkpoint { owner: stale, priority: None }), Err(Reason::LeaseLost));
    }
    assert_eq!(*scene.task(), old);
}

#[test]
fn steal_lease_stores_an_attempt_and_no_failure() {
    let mut scene = Scene::of(full());
    let loser = scene.claim();
    assert!(matches!(scene.start(|start| start.force = true), Err(Reason::Leased { .. })), "force is not steal_lease");
    let taker = scene.start(|start| start.steal_lease = true).expect("taken over");
    assert_eq!((scene.task().attempts, scene.counters()), (2, (0, 0)));
    assert_eq!(scene.endings(), [AttemptStatus::TakenOver]);
    assert_eq!(scene.finish(loser, FAIL), Err(Reason::LeaseLost));
    scene.end(taker, Outcome::Succeed);
    let refused = scene.start(|start| start.steal_lease = true);
    assert_eq!(refused, Err(Reason::AlreadySucceeded), "steal_lease is not force");
}

#[test]
fn a_re_entry_has_a_new_fence_and_the_same_attempt() {
    let mut scene = Scene::of(full());
    let before = scene.claim();
    let after = scene.start(|start| start.reenter = Some(before.token)).expect("re-entered");
    assert_eq!((scene.task().attempts, scene.endings()), (1, vec![]));
    assert_eq!(scene.finish(before, Outcome::Succeed), Err(Reason::LeaseLost));
    scene.end(after, Outcome::Succeed);
}

#[test]
fn a_re_entry_names_the_step_in_which_the_task_runs() {
    let mut scene = Scene::of(pipeline());
    let owner = scene.claim();
    let elsewhere = scene.start(|start| (start.step, start.reenter) = (1, Some(owner.token)));
    let wrong = Reason::WrongStep { step: "step 0".to_owned(), asked: "step 1".to_owned() };
    assert_eq!(elsewhere, Err(wrong));
}

/// A handler that re-enters has run before: a crash still counts, also before it starts again.
#[test]
fn what_has_begun_has_begun_after_a_re_entry_too() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.start(|start| (start.reenter, start.begun) = (Some(owner.token), false)).expect("re-entered");
    assert!(scene.task().lease.as_ref().is_some_and(|lease| lease.begun));
}

/// The lease is the newcomer's in all that it says: who holds it, in which process, and whether the handler has begun.
#[test]
fn a_re_entry_puts_its_own_name_on_the_lease() {
    let mut scene = Scene::of(full());
    let owner = scene.start(|start| (start.is_claim, start.begun) = (true, false)).expect("claimed ahead");
    let here = Uuid::from_u128(7);
    scene.start(|start| (start.reenter, start.instance) = (Some(owner.token), here)).expect("re-entered");
    let lease = scene.task().lease.as_ref().expect("it runs");
    assert_eq!((lease.worker.as_str(), lease.instance, lease.begun), ("worker 2", here, true));
}

#[test]
fn at_the_very_instant_of_expiry_the_task_is_free() {
    let mut scene = Scene::of(full());
    let late = scene.claim();
    scene.pass(LEASE.saturating_sub(MICRO));
    assert!(matches!(scene.start(|_| ()), Err(Reason::Leased { .. })));
    scene.pass(MICRO);
    scene.claim();
    assert_eq!((scene.task().attempts, scene.counters()), (2, (0, 1)));
    assert_eq!(scene.finish(late, Outcome::Succeed), Err(Reason::LeaseLost));
}

#[test]
fn a_late_owner_whose_task_nobody_has_taken_is_still_its_owner() {
    let mut scene = Scene::of(full());
    let late = scene.claim();
    scene.pass(2 * LEASE);
    scene.does(&Command::Renew { owner: late, lease: None, begin: false });
    assert!(matches!(scene.start(|_| ()), Err(Reason::Leased { .. })));
    scene.pass(2 * LEASE);
    scene.end(late, Outcome::Succeed);
    assert_eq!((scene.role(), scene.counters()), (Role::Succeeded, (0, 0)));
}

#[test]
fn a_rescued_task_goes_to_the_back_of_the_line_after_its_delay() {
    let delay = Duration::from_secs(7);
    let mut scene = Scene::with(full(), |policy| policy.backoff = Backoff::Fixed(delay));
    scene.crash();
    assert_eq!((scene.role(), scene.task().due), (Role::Failed, scene.now + 7_000_000));
    assert_eq!(scene.endings(), [AttemptStatus::Crashed]);
    assert!(scene.claim_in(0).is_err());
    scene.pass(delay);
    scene.claim();
}

#[test]
fn interrupted_attempt_counts_as_a_crash_and_no_failure() {
    let delay = Duration::from_secs(7);
    let mut scene = Scene::with(full(), |policy| (policy.backoff, policy.max_crashes) = (Backoff::Fixed(delay), 3));
    for crashes in 1..3 {
        scene.interrupt();
        assert_eq!((scene.role(), scene.task().due), (Role::Failed, scene.now + 7_000_000), "to the back of the queue");
        assert_eq!(scene.counters(), (0, crashes));
        scene.pass(delay);
    }
    scene.interrupt();
    assert_eq!((scene.role(), scene.counters()), (Role::Exhausted, (0, 3)), "crashes are bounded");
    assert_eq!(scene.endings(), [AttemptStatus::Interrupted; 3]);
}

#[test]
fn interrupted_task_goes_once_to_the_front_of_its_kind() {
    let delay = Duration::from_secs(7);
    let front = |policy: &mut Policy| (policy.backoff, policy.interrupted) = (Backoff::Fixed(delay), QueueEnd::Front);
    let mut scene = Scene::with(full(), front);
    let due = scene.task().due;
    scene.pass(delay);
    scene.interrupt();
    assert_eq!((scene.role(), scene.task().due), (Role::Pending, due), "its former place, without a delay");
    assert_eq!((scene.counters(), scene.endings()), ((0, 1), vec![AttemptStatus::Interrupted]));
    scene.interrupt();
    assert_eq!(
        (scene.role(), scene.task().due),
        (Role::Failed, scene.now + 7_000_000),
        "an isolated task never goes first"
    );
    // A lease that ran out says nothing of the process.
    let mut scene = Scene::with(full(), front);
    scene.crash();
    assert_eq!((scene.role(), scene.endings()), (Role::Failed, vec![AttemptStatus::Crashed]));
}

#[test]
fn interrupted_task_that_was_to_start_later_is_due_now() {
    let mut scene = Scene::with(full(), |policy| policy.interrupted = QueueEnd::Front);
    scene.run(Outcome::Snooze { delay: LEASE });
    let owner = scene.start(|_| ()).expect("started before its time");
    scene.instance = Uuid::from_u128(1);
    scene.does(&Command::Rescue { fence: owner.fence, chance: 0.5 });
    assert_eq!((scene.role(), scene.task().due), (Role::Pending, scene.now));
}

/// A worker claims ahead and dies: the tasks whose bodies never began cost nothing, and still wait behind the others.
#[test]
fn prefetched_task_that_never_began_is_rescued_without_cost() {
    let mut scene = Scene::of(full());
    let owner = scene.start(|start| (start.is_claim, start.begun) = (true, false)).expect("claimed ahead");
    scene.pass(LEASE);
    scene.does(&Command::Rescue { fence: owner.fence, chance: 0.5 });
    assert_eq!((scene.role(), scene.task().attempts, scene.counters()), (Role::Pending, 0, (0, 0)));
    assert_eq!((scene.task().due, scene.endings()), (scene.now, vec![]));
}

/// Its begin never reached the disk, however often its process dies: it is counted from the second time on.
#[test]
fn task_that_kills_before_its_begin_is_stored_is_isolated() {
    let mut scene = Scene::with(full(), |policy| policy.max_crashes = 3);
    let mut deaths = 0;
    while scene.role() != Role::Exhausted {
        let begun = !scene.task().may_be_claimed_ahead();
        let owner = scene.start(|start| start.begun = begun).expect("started");
        scene.pass(LEASE);
        scene.does(&Command::Rescue { fence: owner.fence, chance: 0.5 });
        deaths += 1;
    }
    assert_eq!((deaths, scene.task().attempts, scene.counters()), (4, 3, (0, 3)));
    scene.requeue(false);
    assert!(scene.task().may_be_claimed_ahead(), "nothing is held against it");
}

#[test]
fn a_rescue_of_an_earlier_fence_touches_nothing() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    let before = scene.task().clone();
    assert_eq!(scene.ask(&Command::Rescue { fence: owner.fence - 1, chance: 0.5 }), Err(Reason::LeaseLost));
    assert_eq!(*scene.task(), before);
}

#[test]
fn a_renewal_never_shortens_unless_it_names_a_length() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.does(&Command::Renew { owner, lease: Some(3 * LEASE), begin: false });
    let long = scene.task().lease.as_ref().map(|lease| lease.expires);
    scene.does(&Command::Renew { owner, lease: None, begin: false });
    assert_eq!(scene.task().lease.as_ref().map(|lease| lease.expires), long);
    scene.does(&Command::Renew { owner, lease: Some(LEASE), begin: false });
    assert!(scene.task().lease.as_ref().map(|lease| lease.expires) < long);
}

#[test]
fn unreadable_task_is_released_and_not_claimable() {
    let mut scene = Scene::of(full());
    let owner = scene.claim();
    scene.does(&Command::Unreadable { owner });
    assert_eq!((scene.role(), scene.task().attempts), (Role::Pending, 0));
    assert!(matches!(scene.claim_in(0), Err(Reason::NotStartable { .. })));
    let mut opened = Scene::of(full());
    let owner = opened.claim();
    opened.does(&Command::Unreadable { owner });
    opened.does(&Command::Readable);
    opened.claim();
    scene.requeue(false);
    scene.claim();
}
