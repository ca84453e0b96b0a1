//! Tests of the shared dispatcher: a closed pool, a closed file and a halt reach every slot. On a tracker in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{
    model::error::{Error, ErrorKind},
    worker::{fixture::Fixture, pool_state::PoolState},
};

/// A pool of one slot that prefetches four tasks, and has claimed the first two.
fn pool(fixture: &Fixture) -> (Arc<SharedDispatcher>, Vec<Claimed>) {
    let settings = Settings { prefetch: 4, ..Settings::default() };
    let pool = SharedDispatcher::new(&settings, 1, &fixture.tracker.shared.engine.signal, [false]);
    assert_eq!(pool.open_slots(), Some(vec![0]));
    let (Action::Claim(request), _) = pool.free(0, true) else { panic!("nothing is claimed") };
    let claims = fixture.claimed(2);
    let claimed = claims.tasks.clone();
    pool.claimed(&fixture.tracker.shared, request, claims, false);
    (pool, claimed)
}

fn start(pool: &SharedDispatcher) -> (Claimed, Option<ClaimRequest>) {
    let (Action::Start { task, claim, .. }, _) = pool.free(0, true) else { panic!("nothing starts") };
    (task, claim)
}

#[test]
fn closed_pool_releases_tasks_that_have_not_started() {
    let fixture = Fixture::new();
    let (pool, claimed) = pool(&fixture);
    let (started, request) = start(&pool);
    let late = fixture.claimed(2);
    let brought = late.tasks.clone();
    pool.close();
    pool.claimed(&fixture.tracker.shared, request.unwrap(), late, false);
    let leased = |claimed: &[Claimed]| -> Vec<_> {
        fixture.headers(claimed).iter().map(|header| (header.lease.is_some(), header.attempts)).collect()
    };
    assert_eq!(leased(&claimed[1..]), [(false, 0)]);
    assert_eq!(leased(&brought), [(false, 0); 2]);
    assert_eq!(leased(std::slice::from_ref(&started)), [(true, 1)], "its handler ends it, or its lease");
    assert!(!claimed.iter().chain(&brought).any(|claimed| fixture.holds(claimed)));
}

#[test]
fn lease_is_held_until_the_outcome_is_stored() {
    let fixture = Fixture::new();
    let shared = &fixture.tracker.shared;
    let (pool, claimed) = pool(&fixture);
    let (started, _) = start(&pool);
    assert!(fixture.holds(&started));
    let Storing::Queued { kind, .. } = pool.finished(0, None, true) else { panic!("the slot waits") };
    assert!(fixture.holds(&started));
    pool.queue_outcome(shared, (kind, false), FinishTask::release(started.clone()), None).unwrap();
    fixture.tracker.flush().unwrap();
    assert!(!fixture.holds(&started) && fixture.holds(&claimed[1]));
}

#[test]
fn closed_file_fails_a_queued_claim_and_a_slot_reports_it() {
    let fixture = Fixture::new();
    let (pool, _) = pool(&fixture);
    let (_, request) = start(&pool);
    fixture.tracker.clone().close().unwrap();
    pool.queue_claim(&fixture.tracker.shared, request.unwrap(), fixture.claim(1), false);
    pool.finished(0, None, false);
    assert!(matches!(pool.free(0, true).0, Action::Report));
    let answers = pool.take_answers();
    assert!(answers.len() == 1 && answers[0].ended.is_none() && answers[0].result.is_err());
}

#[test]
fn halt_ends_every_slot() {
    let fixture = Fixture::new();
    let settings = Settings { keep_running: true, ..Settings::default() };
    let pool = SharedDispatcher::new(&settings, 2, &fixture.tracker.shared.engine.signal, [false]);
    assert_eq!(pool.open_slots(), Some(vec![0, 1]));
    let seen = pool.file_signal.seen();
    pool.halt();
    assert!(pool.file_signal.seen() > seen, "slots that sleep wake up");
    assert!((0..2).all(|slot| matches!(pool.free(slot, true).0, Action::Exit)));
    assert_eq!(pool.open_slots(), None);
}

#[test]
fn pool_returns_the_cause_of_a_closed_file() {
    let fixture = Fixture::new();
    let shared = &fixture.tracker.shared;
    let settings = Settings::default();
    let pool = PoolState::new(&settings, shared, vec![false]);
    let closed = || Err(Error::closed());
    let io = || Err(Error::new(ErrorKind::Io, "the disk failed"));
    let answer = |results: [Result<()>; 2]| {
        let answers = results.map(|result| Answer { kind: 0, ended: None, result });
        pool.dispatcher.lock().answers.extend(answers);
    };
    let kind = |result: Result<()>| result.unwrap_err().kind();
    answer([closed(), io()]);
    assert_eq!(kind(pool.report(shared)), ErrorKind::Io, "a later answer has the cause");
    answer([closed(), io()]);
    assert_eq!(kind(pool.with_cause(closed())), ErrorKind::Io, "an answer that no slot has counted has the cause");
    assert_eq!(kind(pool.with_cause(closed())), ErrorKind::Closed);
    answer([closed(), io()]);
    assert!(pool.with_cause(Ok(())).is_ok());
}
