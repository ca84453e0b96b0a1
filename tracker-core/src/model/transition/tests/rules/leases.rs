//! Tests of leases: owners, re-entry, expiry, rescue, renewal, and tasks that were prefetched and not begun.

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
            task_fixture::{FAIL, LEASE, TaskFixture},
        },
    },
};

const MICRO: Duration = Duration::from_micros(1);

#[test]
fn only_fence_and_token_together_make_an_owner() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    let old = fixture.task().clone();
    for stale in [Owner { fence: 0, ..owner }, Owner { token: Uuid::nil(), ..owner }] {
        assert_eq!(fixture.finish(stale, Outcome::Succeed), Err(Reason::LeaseLost));
        assert_eq!(fixture.try_apply(&Command::Checkpoint { owner: stale, priority: None }), Err(Reason::LeaseLost));
    }
    assert_eq!(*fixture.task(), old);
}

#[test]
fn steal_lease_stores_an_attempt_and_no_failure() {
    let mut fixture = TaskFixture::of(full());
    let loser = fixture.claim();
    assert!(
        matches!(fixture.start(|start| start.force = true), Err(Reason::Leased { .. })),
        "force is not steal_lease"
    );
    let taker = fixture.start(|start| start.steal_lease = true).expect("taken over");
    assert_eq!((fixture.task().attempts, fixture.counters()), (2, (0, 0)));
    assert_eq!(fixture.attempt_statuses(), [AttemptStatus::TakenOver]);
    assert_eq!(fixture.finish(loser, FAIL), Err(Reason::LeaseLost));
    fixture.end(taker, Outcome::Succeed);
    let refused = fixture.start(|start| start.steal_lease = true);
    assert_eq!(refused, Err(Reason::AlreadySucceeded), "steal_lease is not force");
}

#[test]
fn a_re_entry_has_a_new_fence_and_the_same_attempt() {
    let mut fixture = TaskFixture::of(full());
    let before = fixture.claim();
    let after = fixture.start(|start| start.reenter = Some(before.token)).expect("re-entered");
    assert_eq!((fixture.task().attempts, fixture.attempt_statuses()), (1, vec![]));
    assert_eq!(fixture.finish(before, Outcome::Succeed), Err(Reason::LeaseLost));
    fixture.end(after, Outcome::Succeed);
}

#[test]
fn a_re_entry_names_the_step_in_which_the_task_runs() {
    let mut fixture = TaskFixture::of(pipeline());
    let owner = fixture.claim();
    let elsewhere = fixture.start(|start| (start.step, start.reenter) = (1, Some(owner.token)));
    let wrong = Reason::WrongStep { step: "step 0".to_owned(), asked: "step 1".to_owned() };
    assert_eq!(elsewhere, Err(wrong));
}

/// A handler that re-enters has run before: a crash still counts, also before it starts again.
#[test]
fn begun_attempt_stays_begun_after_reentry() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.start(|start| (start.reenter, start.begun) = (Some(owner.token), false)).expect("re-entered");
    assert!(fixture.task().lease.as_ref().is_some_and(|lease| lease.begun));
}

/// Every field of the lease is that of the new owner: its worker, its process, and whether the handler has begun.
#[test]
fn a_re_entry_puts_its_own_name_on_the_lease() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.start(|start| (start.is_claim, start.begun) = (true, false)).expect("prefetched");
    let here = Uuid::from_u128(7);
    fixture.start(|start| (start.reenter, start.instance) = (Some(owner.token), here)).expect("re-entered");
    let lease = fixture.task().lease.as_ref().expect("it runs");
    assert_eq!((lease.worker.as_str(), lease.instance, lease.begun), ("worker 2", here, true));
}

#[test]
fn at_the_very_instant_of_expiry_the_task_is_free() {
    let mut fixture = TaskFixture::of(full());
    let late = fixture.claim();
    fixture.pass(LEASE.saturating_sub(MICRO));
    assert!(matches!(fixture.start(|_| ()), Err(Reason::Leased { .. })));
    fixture.pass(MICRO);
    fixture.claim();
    assert_eq!((fixture.task().attempts, fixture.counters()), (2, (0, 1)));
    assert_eq!(fixture.finish(late, Outcome::Succeed), Err(Reason::LeaseLost));
}

#[test]
fn expired_owner_of_an_unclaimed_task_is_still_owner() {
    let mut fixture = TaskFixture::of(full());
    let late = fixture.claim();
    fixture.pass(2 * LEASE);
    fixture.apply(&Command::Renew { owner: late, lease: None, begin: false });
    assert!(matches!(fixture.start(|_| ()), Err(Reason::Leased { .. })));
    fixture.pass(2 * LEASE);
    fixture.end(late, Outcome::Succeed);
    assert_eq!((fixture.role(), fixture.counters()), (Role::Succeeded, (0, 0)));
}

#[test]
fn rescued_task_is_due_after_its_backoff() {
    let delay = Duration::from_secs(7);
    let mut fixture = TaskFixture::with(full(), |policy| policy.backoff = Backoff::Fixed(delay));
    fixture.crash();
    assert_eq!((fixture.role(), fixture.task().due), (Role::Failed, fixture.now + 7_000_000));
    assert_eq!(fixture.attempt_statuses(), [AttemptStatus::Crashed]);
    assert!(fixture.claim_in(0).is_err());
    fixture.pass(delay);
    fixture.claim();
}

#[test]
fn interrupted_attempt_counts_as_a_crash_and_no_failure() {
    let delay = Duration::from_secs(7);
    let mut fixture =
        TaskFixture::with(full(), |policy| (policy.backoff, policy.max_crashes) = (Backoff::Fixed(delay), 3));
    for crashes in 1..3 {
        fixture.interrupt();
        assert_eq!(
            (fixture.role(), fixture.task().due),
            (Role::Failed, fixture.now + 7_000_000),
            "to the back of the queue"
        );
        assert_eq!(fixture.counters(), (0, crashes));
        fixture.pass(delay);
    }
    fixture.interrupt();
    assert_eq!((fixture.role(), fixture.counters()), (Role::Exhausted, (0, 3)), "crashes are bounded");
    assert_eq!(fixture.attempt_statuses(), [AttemptStatus::Interrupted; 3]);
}

#[test]
fn interrupted_task_goes_once_to_the_front_of_its_kind() {
    let delay = Duration::from_secs(7);
    let front = |policy: &mut Policy| (policy.backoff, policy.interrupted) = (Backoff::Fixed(delay), QueueEnd::Front);
    let mut fixture = TaskFixture::with(full(), front);
    let due = fixture.task().due;
    fixture.pass(delay);
    fixture.interrupt();
    assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, due), "its former place, without a delay");
    assert_eq!((fixture.counters(), fixture.attempt_statuses()), ((0, 1), vec![AttemptStatus::Interrupted]));
    fixture.interrupt();
    assert_eq!(
        (fixture.role(), fixture.task().due),
        (Role::Failed, fixture.now + 7_000_000),
        "an isolated task never goes first"
    );
    // A lease that ran out says nothing of the process.
    let mut fixture = TaskFixture::with(full(), front);
    fixture.crash();
    assert_eq!((fixture.role(), fixture.attempt_statuses()), (Role::Failed, vec![AttemptStatus::Crashed]));
}

#[test]
fn interrupted_task_that_was_to_start_later_is_due_now() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.interrupted = QueueEnd::Front);
    fixture.run(Outcome::Snooze { delay: LEASE });
    let owner = fixture.start(|_| ()).expect("started before its time");
    fixture.instance = Uuid::from_u128(1);
    fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
    assert_eq!((fixture.role(), fixture.task().due), (Role::Pending, fixture.now));
}

/// A worker prefetches tasks and dies: tasks whose handlers never began lose no attempt, and wait after the others.
#[test]
fn prefetched_task_that_never_began_is_rescued_without_cost() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.start(|start| (start.is_claim, start.begun) = (true, false)).expect("prefetched");
    fixture.pass(LEASE);
    fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
    assert_eq!((fixture.role(), fixture.task().attempts, fixture.counters()), (Role::Pending, 0, (0, 0)));
    assert_eq!((fixture.task().due, fixture.attempt_statuses()), (fixture.now, vec![]));
}

/// The begin of the handler is never stored before its process dies. Crashes are counted from the second one on.
#[test]
fn task_that_kills_before_its_begin_is_stored_is_isolated() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.max_crashes = 3);
    let mut deaths = 0;
    while fixture.role() != Role::Exhausted {
        let begun = !fixture.task().may_be_prefetched();
        let owner = fixture.start(|start| start.begun = begun).expect("started");
        fixture.pass(LEASE);
        fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
        deaths += 1;
    }
    assert_eq!((deaths, fixture.task().attempts, fixture.counters()), (4, 3, (0, 3)));
    fixture.requeue(false);
    assert!(fixture.task().may_be_prefetched(), "nothing is held against it");
}

#[test]
fn a_rescue_of_an_earlier_fence_touches_nothing() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    let before = fixture.task().clone();
    assert_eq!(fixture.try_apply(&Command::Rescue { fence: owner.fence - 1, random: 0.5 }), Err(Reason::LeaseLost));
    assert_eq!(*fixture.task(), before);
}

#[test]
fn a_renewal_never_shortens_unless_it_names_a_length() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.apply(&Command::Renew { owner, lease: Some(3 * LEASE), begin: false });
    let long = fixture.task().lease.as_ref().map(|lease| lease.expires);
    fixture.now -= 1;
    fixture.apply(&Command::Renew { owner, lease: None, begin: false });
    assert_eq!(fixture.task().lease.as_ref().map(|lease| lease.expires), long);
    fixture.apply(&Command::Renew { owner, lease: Some(LEASE), begin: false });
    assert!(fixture.task().lease.as_ref().map(|lease| lease.expires) < long);
}

#[test]
fn renewal_for_the_owner_extends_the_lease_alone() {
    let mut fixture = TaskFixture::of(full());
    assert_eq!(fixture.rules().renewed_by_owner(fixture.task()), None);
    fixture.start(|start| (start.is_claim, start.begun) = (true, false)).expect("prefetched");
    fixture.pass(LEASE / 2);
    let mut expected = fixture.task().clone();
    expected.lease.as_mut().expect("a lease").expires += 30_000_000;
    assert_eq!(fixture.rules().renewed_by_owner(fixture.task()), Some(expected));
}

#[test]
fn prefetched_task_begins_by_a_renewal_or_a_resume() {
    let (own, other) = (Uuid::nil(), Uuid::from_u128(7));
    for (begin, instance) in [(false, own), (true, own), (true, other)] {
        let mut fixture = TaskFixture::of(full());
        let owner = fixture.start(|start| (start.is_claim, start.begun) = (true, false)).expect("prefetched");
        fixture.apply(&Command::Detach { owner });
        let command = if instance == own {
            Command::Renew { owner, lease: None, begin }
        } else {
            Command::Resume { owner, instance, lease: None }
        };
        fixture.apply(&command);
        let lease = fixture.task().lease.as_ref().expect("it runs");
        assert_eq!((lease.begun, lease.instance, lease.detached), (begin, instance, instance == own));
    }
}

#[test]
fn rescue_and_start_after_expiry_use_their_random_number() {
    let jitter = |policy: &mut Policy| (policy.backoff, policy.jitter) = (Backoff::Fixed(2 * LEASE), 0.5);
    let mut fixture = TaskFixture::with(full(), jitter);
    let owner = fixture.claim();
    fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.0 });
    assert_eq!(fixture.task().due, fixture.now + 60_000_000);
    let mut fixture = TaskFixture::with(full(), jitter);
    fixture.claim();
    fixture.pass(LEASE);
    fixture.start(|start| start.random = 0.0).expect("by id");
    assert_eq!(fixture.task().lease.as_ref().map(|lease| lease.due), Some(fixture.now + 60_000_000));
}

#[test]
fn unreadable_task_is_released_and_not_claimable() {
    let mut fixture = TaskFixture::of(full());
    let owner = fixture.claim();
    fixture.apply(&Command::Unreadable { owner });
    assert_eq!((fixture.role(), fixture.task().attempts), (Role::Pending, 0));
    assert!(matches!(fixture.claim_in(0), Err(Reason::NotStartable { .. })));
    let mut opened = TaskFixture::of(full());
    let owner = opened.claim();
    opened.apply(&Command::Unreadable { owner });
    opened.apply(&Command::Readable);
    opened.claim();
    fixture.requeue(false);
    fixture.claim();
}
