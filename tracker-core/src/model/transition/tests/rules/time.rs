//! Tests of due times, backoff and jitter, and of times at both ends of the range.

use std::time::Duration;

use crate::model::{
    error::Reason,
    status::Role,
    task::Backoff,
    time::Micros,
    transition::{
        Annotations, Command, Explanation, Finish, LATEST, NEVER, Outcome, Requeue, Submit,
        tests::{
            machines::{full, only_failed},
            task_fixture::{FAIL, TaskFixture},
        },
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// When a task is due whose only attempt failed, counted from the failure.
fn due_after_failure(backoff: Backoff, jitter: f32, random: f32) -> Micros {
    let mut fixture = TaskFixture::with(full(), |policy| (policy.backoff, policy.jitter) = (backoff, jitter));
    let owner = fixture.claim();
    let annotations = Annotations::default();
    let outcome = FAIL;
    fixture.apply(&Command::Finish(Finish {
        owner,
        outcome,
        with_changes: false,
        priority: None,
        failure: None,
        annotations,
        run: None,
        random,
    }));
    fixture.task().due - fixture.now
}

#[test]
fn claim_honours_the_due_time_and_start_by_id_does_not() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.backoff = Backoff::Fixed(SECOND));
    fixture.run(FAIL);
    fixture.pass(SECOND.saturating_sub(Duration::from_micros(1)));
    assert!(matches!(fixture.claim_in(0), Err(Reason::NotStartable { .. })));
    let owner = fixture.start(|_| ()).expect("by id");
    fixture.end(owner, Outcome::Release);
    assert!(fixture.claim_in(0).is_err(), "released to its due time");
    fixture.pass(Duration::from_micros(1));
    fixture.claim();
}

#[test]
fn backoff_grows_with_failures_up_to_its_maximum() {
    let backoff = Backoff::Exponential { first: SECOND, max: 5 * SECOND };
    let mut fixture = TaskFixture::with(full(), |policy| (policy.backoff, policy.max_attempts) = (backoff, None));
    let delays = [(); 5].map(|()| {
        fixture.pass(5 * SECOND);
        fixture.run(FAIL);
        (fixture.task().due - fixture.now) / 1_000_000
    });
    assert_eq!(delays, [1, 2, 4, 5, 5]);
}

#[test]
fn backoff_counts_failures_and_crashes_apart() {
    let backoff = Backoff::Exponential { first: SECOND, max: 60 * SECOND };
    let mut fixture = TaskFixture::with(full(), |policy| (policy.backoff, policy.max_attempts) = (backoff, None));
    let mut delay_after = |end: fn(&mut TaskFixture)| {
        fixture.pass(60 * SECOND);
        end(&mut fixture);
        (fixture.task().due - fixture.now) / 1_000_000
    };
    let (fail, crash) = (|fixture: &mut TaskFixture| fixture.run(FAIL), TaskFixture::crash);
    assert_eq!([fail, fail, crash, fail, crash].map(&mut delay_after), [1, 2, 1, 4, 2]);
}

#[test]
fn jitter_takes_at_most_its_share_of_the_delay() {
    let delay = Backoff::Fixed(Duration::from_secs(100));
    for (jitter, random, seconds) in [
        (0.0, 0.0, 100),
        (0.5, 1.0, 100),
        (0.5, 0.0, 50),
        (0.5, 0.5, 75),
        (1.0, 0.0, 0),
        (7.0, -3.0, 0),
        (1.0, 9.0, 100),
    ] {
        assert_eq!(due_after_failure(delay, jitter, random), seconds * 1_000_000, "{jitter} {random}");
    }
}

#[test]
fn without_jitter_a_long_delay_is_kept_to_the_microsecond() {
    let delay = Duration::from_micros(123_456_789_012_345);
    assert_eq!(due_after_failure(Backoff::Fixed(delay), 0.0, 0.0), 123_456_789_012_345);
}

#[test]
fn jitter_that_is_not_a_number_takes_nothing() {
    let delay = Backoff::Fixed(SECOND);
    assert_eq!(due_after_failure(delay, f32::NAN, 0.5), 1_000_000);
    assert_eq!(due_after_failure(delay, 0.5, f32::NAN), 1_000_000);
}

#[test]
fn backoff_beyond_the_last_time_is_clamped() {
    for jitter in [0.0, 0.5, 1.0] {
        for random in [0.0, 0.5, 1.0] {
            let due = due_after_failure(Backoff::Fixed(Duration::MAX), jitter, random);
            assert!(due == 0 || due > 1_000_000_000_000_000_000, "{due}");
        }
    }
    let backoff = Backoff::Exponential { first: Duration::MAX, max: Duration::MAX };
    let mut fixture = TaskFixture::with(full(), |policy| (policy.backoff, policy.max_attempts) = (backoff, None));
    for _ in 0..70 {
        let owner = fixture.start(|_| ()).expect("by id");
        fixture.end(owner, FAIL);
        assert_eq!(fixture.task().due, LATEST);
    }
}

#[test]
fn a_snooze_or_a_retry_for_ever_is_far_away_and_not_given_up() {
    let for_ever = Duration::MAX;
    for outcome in [Outcome::Snooze { delay: for_ever }, Outcome::Fail { retry_in: Some(for_ever) }] {
        let mut fixture = TaskFixture::of(only_failed());
        fixture.run(outcome);
        assert_eq!(fixture.task().due, LATEST);
        assert!(matches!(fixture.explain(), Explanation::NotDue { .. }), "{outcome:?}");
        fixture.start(|_| ()).expect("by id");
    }
}

/// The last time means that the task was given up; a due time that late gives no task up.
#[test]
fn task_due_at_the_last_time_is_not_given_up() {
    let due = Some(NEVER);
    let mut fixture = TaskFixture::of(full());
    fixture.apply(&Command::Requeue(Requeue { due, ..Requeue::default() }));
    assert!(matches!(fixture.explain(), Explanation::NotDue { .. }));
    fixture.apply(&Command::SetPlace { due: NEVER, place: Some(1) });
    assert_eq!((fixture.task().due, fixture.task().place), (LATEST, Some(1)));
    fixture.apply(&Command::Delete);
    fixture.apply(&Command::Submit(Submit {
        due,
        priority: 0,
        sets_priority: false,
        fingerprint: None,
        batch: None,
        scheduled_at: None,
        max_wait: None,
        trace: None,
    }));
    assert!(matches!(fixture.explain(), Explanation::NotDue { .. }));
    assert_eq!(fixture.task().due, LATEST);
}

#[test]
fn a_lease_for_ever_never_runs_out() {
    let mut fixture = TaskFixture::with(full(), |policy| policy.lease = Duration::MAX);
    let owner = fixture.claim();
    fixture.apply(&Command::Renew { owner, lease: None, begin: false });
    fixture.now = LATEST - 1;
    assert!(matches!(fixture.start(|_| ()), Err(Reason::Leased { .. })));
    fixture.end(owner, Outcome::Succeed);
}

#[test]
fn the_rules_hold_at_both_ends_of_time() {
    for now in [Micros::MIN, -1, 0, LATEST - 1] {
        let mut fixture = TaskFixture::of(full());
        fixture.apply(&Command::Delete);
        fixture.now = now;
        fixture.submit(1);
        fixture.run(FAIL);
        let owner = fixture.claim();
        fixture.cancel();
        fixture.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
        assert_eq!((fixture.role(), fixture.counters()), (Role::Cancelled, (1, 1)), "{now}");
        fixture.requeue(false);
        assert!(matches!(fixture.explain(), Explanation::Queued { .. }));
    }
}

#[test]
fn time_that_jumps_far_ahead_frees_a_task_once() {
    let mut fixture = TaskFixture::of(full());
    fixture.claim();
    fixture.pass(Duration::from_secs(10_000 * 365 * 24 * 3600));
    fixture.claim();
    assert_eq!((fixture.task().attempts, fixture.counters()), (2, (0, 1)));
}
