//! Tests of the heartbeat: when it renews leases, ends attempts at their limit and passes on cancellations. On a tracker in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{
    Tracker,
    model::time::{ManualClock, Micros},
    storage::store::{MemoryStore, Store as _},
    store::OptionsExt as _,
    worker::fixture::Fixture,
};

const SECOND: Duration = Duration::from_secs(1);

/// Tasks that are claimed for a minute, and registered for renewal.
struct Scene {
    fixture: Fixture,
    running: Heartbeats,
    claimed: Vec<Claimed>,
}

impl Scene {
    fn new(number: usize) -> Self {
        Self::of(Fixture::new(), number)
    }

    fn of(fixture: Fixture, number: usize) -> Self {
        let running = Heartbeats::default();
        let claimed = fixture.claimed(number).tasks;
        for claimed in &claimed {
            let now = fixture.tracker.shared.engine.time().monotonic();
            running.add_claimed(&fixture.tracker.shared, claimed, now);
        }
        Self { fixture, running, claimed }
    }

    fn change(&self, at: usize, change: impl FnOnce(&mut RunningAttempt)) {
        self.running.lock().entry(self.claimed[at].owner.fence).and_modify(change);
    }

    fn run(&self, at: usize) -> Option<RunningAttempt> {
        self.running.lock().get(&self.claimed[at].owner.fence).cloned()
    }

    fn header(&self, at: usize) -> Header {
        self.fixture.headers(&self.claimed[at..=at]).remove(0)
    }

    fn expires(&self, at: usize) -> Option<Micros> {
        self.header(at).lease.map(|lease| lease.expires)
    }

    fn is_cancelled(run: Option<&RunningAttempt>) -> Option<bool> {
        run.map(|run| run.cancelled.load(Ordering::Relaxed))
    }
}

#[test]
fn next_renewal_comes_before_a_lease_or_a_limit_ends() {
    let millis = Duration::from_millis;
    assert_eq!(Heartbeats::default().pause(), millis(100), "nothing runs");
    let scene = Scene::new(2);
    assert_eq!(scene.running.pause(), millis(100), "leases of a minute");
    for (lease, limit, expected) in [
        (millis(90), None, millis(30)),
        (millis(90), Some(millis(40)), millis(10)),
        (millis(40), Some(SECOND), millis(10)),
        (SECOND, Some(SECOND), millis(100)),
        (millis(3), None, millis(2)),
    ] {
        scene.change(1, |run| (run.lease, run.timeout) = (lease, limit));
        assert_eq!(scene.running.pause(), expected, "{lease:?} {limit:?}");
    }
}

#[test]
fn lease_is_renewed_after_a_third_or_for_an_unstored_begin() {
    let scene = Scene::new(3);
    let before = [0, 1, 2].map(|at| scene.expires(at));
    scene.fixture.clock.advance(SECOND * 19);
    scene.change(1, |run| run.start_unstored = true);
    scene.running.renew_due();
    assert_eq!((scene.expires(0), scene.expires(2)), (before[0], before[2]), "not yet");
    let begun = |at| scene.header(at).lease.is_some_and(|lease| lease.begun);
    assert_eq!((begun(0), begun(1)), (false, true));
    assert!(scene.expires(1) > before[1]);
    assert_eq!(scene.run(1).map(|run| run.start_unstored), Some(false), "it is said once");

    scene.fixture.clock.advance(SECOND);
    scene.running.renew_due();
    let now = scene.fixture.tracker.shared.engine.now();
    assert_eq!((scene.expires(0), scene.expires(2)), (Some(now + 60_000_000), Some(now + 60_000_000)));
    let first = scene.expires(1);
    scene.fixture.clock.advance(SECOND * 18);
    scene.running.renew_due();
    assert_eq!(scene.expires(0), Some(now + 60_000_000), "its time is counted from the renewal");
    assert_eq!(scene.expires(1), first);
    scene.fixture.clock.advance(SECOND);
    scene.running.renew_due();
    assert!(scene.expires(1) > first);
}

#[test]
fn cancelled_handler_is_notified_and_lost_lease_not_renewed() {
    let scene = Scene::new(3);
    let engine = &scene.fixture.tracker.shared.engine;
    let claimed = &scene.claimed[1];
    let target = Target::Known(claimed.task, claimed.row.id.clone());
    assert!(engine.call(TaskCommand::new(scene.fixture.kind, target, Command::Cancel)).is_ok());
    assert!(engine.call(FinishTask::release(scene.claimed[2].clone())).is_ok());
    let lost = scene.run(2);
    scene.fixture.clock.advance(SECOND * 30);
    scene.running.renew_due();
    let cancelled = [0, 1].map(|at| Scene::is_cancelled(scene.run(at).as_ref()));
    assert_eq!(cancelled, [Some(false), Some(true)]);
    assert!(scene.run(2).is_none() && !engine.held().has(scene.claimed[2].owner.fence));
    assert_eq!(Scene::is_cancelled(lost.as_ref()), Some(true), "there is nothing in it any more");
}

#[test]
fn an_attempt_has_its_whole_limit_and_no_more() {
    let scene = Scene::new(1);
    scene.change(0, |run| run.timeout = Some(SECOND * 10));
    scene.fixture.clock.advance(SECOND * 10);
    scene.running.renew_due();
    assert!(scene.header(0).lease.is_some());
    scene.fixture.clock.advance(Duration::from_micros(1));
    scene.running.renew_due();
    assert_eq!((scene.header(0).lease, scene.header(0).failures), (None, 1));
    let fence = scene.claimed[0].owner.fence;
    assert!(scene.run(0).is_none() && scene.running.take_expired(fence).is_some());
    assert_eq!(scene.running.take_expired(fence), None, "its handler returns once");
}

#[test]
fn leases_in_a_store_are_renewed_with_one_load_and_one_commit() {
    let store = MemoryStore::new();
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open_store(store.clone()).unwrap();
    let scene = Scene::of(Fixture::of(tracker, clock), 50);
    let before = (0..50).map(|at| scene.expires(at)).collect::<Vec<_>>();
    scene.fixture.clock.advance(SECOND * 20);
    let (loads, change) = (MemoryStore::loads_of_this_thread(), store.change().unwrap());
    scene.running.renew_due();
    // One more looks for cancellations.
    assert_eq!((MemoryStore::loads_of_this_thread() - loads, store.change().unwrap() - change), (2, 1));
    assert!((0..50).all(|at| scene.expires(at) > before[at]));
}
