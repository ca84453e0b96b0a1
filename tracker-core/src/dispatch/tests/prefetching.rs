//! Single steps of slots that start what the pool has prefetched: when they claim, how much, and when they leave the kind.

use super::{
    bounds,
    plan::Task,
    pool::{answer, claim, finish, found, free, pool, run, start, tasks},
};
use crate::dispatch::{Action, Found, Input, Storing, TASKS_PER_ASSIGNMENT, Waiting, handler_times::SHORT};

#[test]
fn prefetching_slot_changes_its_kind_if_others_suffice() {
    for (left, limited, leaves) in [(40, false, true), (41, false, false), (40, true, false)] {
        let mut pool = pool(bounds(1, 80), 2);
        let first = claim(&mut pool, 0);
        answer(&mut pool, first, Found { limited, ..found(TASKS_PER_ASSIGNMENT + left) });
        for _ in 0..TASKS_PER_ASSIGNMENT {
            run(&mut pool, 0);
        }
        let next = free(&mut pool, 0, 0);
        let claims_other = matches!(&next, Action::Claim(claim) if claim.kind == 1);
        assert_eq!(claims_other, leaves, "{left} {limited}: {next:?}");
        assert_eq!(matches!(next, Action::Start { kind: 0, .. }), !leaves);
    }
}

#[test]
fn slot_that_gives_up_its_place_wakes_another_kind() {
    let mut pool = pool(bounds(2, 2), 2);
    let (first, other) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, first, found(2));
    answer(&mut pool, other, found(1));
    assert!(matches!(free(&mut pool, 1, 0), Action::Start { kind: 1, .. }));
    start(&mut pool, 0);
    finish(&mut pool, None);
    assert_eq!(free(&mut pool, 0, 0), Action::Wait, "one handler runs, and the outcome of another is not stored");
    pool.step(Input::Finished { slot: 1, signal: 0, took: None, stores: false });
    let next = pool.step(Input::Free { slot: 1, signal: 0, may_wait: true });
    assert!(matches!(next.action, Action::Claim(_)), "{next:?}");
    assert_eq!(next.wake.waiting, Waiting::All);
}

#[test]
fn tasks_are_prefetched_when_half_of_them_are_left() {
    let mut pool = pool(bounds(1, 4), 1);
    let first = claim(&mut pool, 0);
    assert_eq!((first.most, first.begin, first.bytes), (5, 1, 100));
    answer(&mut pool, first, found(5));
    assert_eq!((run(&mut pool, 0), run(&mut pool, 0)), (None, None), "more than half are left");
    let second = run(&mut pool, 0).expect("half are left");
    assert_eq!((second.most, second.begin, second.bytes), (2, 0, 98));
    assert_eq!(run(&mut pool, 0), None, "a claim is on its way");
    answer(&mut pool, second, found(2));
    let third = run(&mut pool, 0).expect("a full claim may find more");
    answer(&mut pool, third, Found { is_cut: true, ..found(1) });
    let fourth = run(&mut pool, 0).expect("a claim that was cut may find more");
    answer(&mut pool, fourth, Found { is_cut: true, ..found(0) });
    assert_eq!(run(&mut pool, 0), None, "a claim that was cut to nothing finds no more before the file changes");
    pool.kinds[0].push(tasks(2));
    let last = run(&mut pool, 1).expect("the file has changed");
    answer(&mut pool, last, found(1));
    assert_eq!(run(&mut pool, 1), None, "it has found less than it asked for");
}

#[test]
fn prefetch_is_shared_by_kinds_and_stops_at_half_of_the_bytes() {
    let mut pool = pool(bounds(2, 4), 2);
    let first = claim(&mut pool, 0);
    assert_eq!((first.most, first.bytes), (3, 50), "half of the prefetch, and a task for the slot");
    assert_eq!(claim(&mut pool, 1).most, 3, "slot 0 works on the other kind");
    let large = Task { id: 0, bytes: 26 };
    answer(&mut pool, first, Found { tasks: vec![large; 2], ..found(0) });
    assert_eq!(start(&mut pool, 1), None, "more than half of its bytes are ready");
}

#[test]
fn second_claim_before_the_answer_gets_no_bytes() {
    let mut pool = pool(bounds(2, 2), 1);
    let claims = [claim(&mut pool, 0), claim(&mut pool, 1)];
    assert_eq!(claims.map(|claim| (claim.most, claim.bytes)), [(3, 100), (1, 0)]);
}

#[test]
fn claim_on_its_way_counts_the_bytes_that_it_may_return() {
    let mut pool = pool(bounds(1, 8), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, Found { is_cut: true, ..found(5) });
    let claims: Vec<_> = (0..5).filter_map(|_| run(&mut pool, 0)).map(|claim| (claim.most, claim.bytes)).collect();
    assert_eq!(claims, [(4, 96)], "a second claim would find no bytes left");
}

#[test]
fn slot_that_found_nothing_claims_again_after_a_start() {
    let mut pool = pool(bounds(2, 2), 1);
    let (first, second) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, first, found(0));
    assert_eq!(free(&mut pool, 0, 0), Action::Wait, "the other claim may find a task");
    answer(&mut pool, second, found(1));
    run(&mut pool, 1);
    assert!(matches!(free(&mut pool, 0, 1), Action::Claim(_)));
}

#[test]
fn kind_is_prefetched_when_its_limit_ends() {
    let mut pool = pool(bounds(1, 2), 1);
    pool.kinds[0].limited = true;
    let first = claim(&mut pool, 0);
    assert_eq!(first.most, 1);
    answer(&mut pool, first, Found { limited: false, ..found(1) });
    start(&mut pool, 0);
    assert_eq!(finish(&mut pool, None), Storing::Queued { kind: 0, gathers: false });
    assert_eq!(claim(&mut pool, 0).most, 3);
}

#[test]
fn prefetched_tasks_start_although_the_kind_has_got_a_limit() {
    let mut pool = pool(bounds(2, 2), 1);
    let first = claim(&mut pool, 0);
    pool.step(Input::Resize { slots: 1 });
    answer(&mut pool, first, Found { limited: true, ..found(1) });
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
    assert!(matches!(free(&mut pool, 1, 1), Action::Start { claim: None, .. }));
}

#[test]
fn outcomes_and_claims_gather_once_handlers_are_short() {
    let mut pool = pool(bounds(1, 30), 1);
    let first = claim(&mut pool, 0);
    assert!(!first.gathers);
    answer(&mut pool, first, found(31));
    let (mut gathers, mut claims) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        claims.extend(start(&mut pool, 0));
        gathers.push(finish(&mut pool, Some(SHORT / 5)) == Storing::Queued { kind: 0, gathers: true });
        pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    }
    assert!(!gathers[0] && gathers[19] && gathers.is_sorted(), "{gathers:?}");
    assert!(claims.iter().map(|claim| claim.gathers).eq([true]), "{claims:?}");
}

#[test]
fn outcome_that_a_handler_has_stored_is_not_waited_for() {
    let mut pool = pool(bounds(1, 2), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    assert_eq!(start(&mut pool, 0), None);
    pool.step(Input::Finished { slot: 0, signal: 0, took: None, stores: false });
    let second = claim(&mut pool, 0);
    answer(&mut pool, second, found(0));
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
}
