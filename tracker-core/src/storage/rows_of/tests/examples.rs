//! The rows of single tasks, written out. The random tests compare what is written with `rows_of` itself, and would not notice that it changed.

use super::*;
use crate::model::place::place_of_submission;

const SEQ: u64 = 9;
const WAITING: Traits = Traits {
    code: 1,
    priority: 0,
    time: 7,
    unreadable: false,
    waits: 0,
    batch: None,
    place: None,
    paused: false,
    host: 1,
    name: 2,
    size: 3,
    changes_payload: true,
};

fn with_code(code: i32) -> Traits {
    Traits { code, ..WAITING }
}

/// Calls `look` with the rows of a task.
fn look<R>(kind: &Kind, traits: Traits, look: impl FnOnce(DerivedRows<'_>) -> R) -> R {
    let row = row(kind, SEQ, traits);
    look(rows_of(kind, kind.task(SEQ), &header(traits), Some(row.keys())))
}

fn limit_key_of(kind: &Kind, traits: Traits) -> Vec<u8> {
    look(kind, traits, |rows| rows.keys.unwrap().limit_key.into_owned())
}

/// The stored value of the index `host`.
fn host(host: u8) -> Vec<u8> {
    (host > 0).then_some(host).encoded()
}

#[test]
fn every_task_is_ordered_listed_and_counted_by_its_status() {
    let place = place_of_submission(SEQ);
    for (code, rank, at, is_listed) in [(1, 255, 12, true), (2, 0, 17, false), (3, 255, 12, true), (4, 255, 7, false)] {
        look(&kind(0), with_code(code), |rows| {
            assert_eq!(rows.claim_order, ClaimKey { kind: KIND, code, rank, at, place, seq: SEQ });
            let listed = UpdatedKey { kind: KIND, code, at: 7, seq: SEQ };
            assert_eq!(rows.updated, is_listed.then_some(listed), "{code}");
            assert_eq!(rows.count, CountKey { kind: KIND, code });
        });
    }
}

#[test]
fn task_is_a_member_of_its_batch_in_every_status() {
    let kind = kind(0);
    for code in 1..=5 {
        let member = |batch| look(&kind, Traits { batch, ..with_code(code) }, |rows| rows.member);
        assert_eq!(member(Some(3)), Some(MemberKey { batch: 3, task: kind.task(SEQ) }), "{code}");
        assert_eq!(member(None), None);
    }
}

#[test]
fn only_tasks_that_claims_can_find_are_queued() {
    let limited = kind(5);
    let queued = |traits| look(&limited, traits, |rows| LimitState::Queued(rows.claim_order));
    let limit = |traits| look(&limited, traits, |rows| rows.limit);
    for code in [1, 3] {
        assert_eq!(limit(with_code(code)), queued(with_code(code)));
        for traits in [
            Traits { paused: true, ..with_code(code) },
            Traits { waits: 1, ..with_code(code) },
            Traits { unreadable: true, ..with_code(code) },
        ] {
            assert_eq!(limit(traits), LimitState::NotCounted, "{traits:?}");
        }
    }
    let last = rows_of(&limited, limited.task(SEQ), &Header { due: LATEST, ..header(WAITING) }, None);
    assert_eq!(last.limit, LimitState::Queued(last.claim_order), "it is due at the last time");
    assert_eq!(limit(with_code(2)), LimitState::InProgress);
    for code in [4, 5] {
        assert_eq!(limit(with_code(code)), LimitState::NotCounted);
    }
    for code in 1..=5 {
        assert_eq!(look(&kind(1), with_code(code), |rows| rows.limit), LimitState::NotCounted, "no limit");
    }
}

#[test]
fn index_rows_are_those_of_the_definition() {
    let (all, first) = (kind(1), KindSpec { indexes: vec!["host".to_owned()], ..KindSpec::sample() }.kind(KIND, false));
    look(&all, WAITING, |rows| assert_eq!(rows.keys.unwrap().indexes, [host(1), 3_u8.encoded()]));
    let row = row(&all, SEQ, WAITING);
    let rows = rows_of(&first, first.task(SEQ), &header(WAITING), Some(row.keys()));
    assert_eq!(rows.keys.unwrap().indexes, [host(1)], "the payload was stored under an earlier definition");
}

#[test]
fn unfinished_key_is_held_until_the_task_ends() {
    let kind = kind(2);
    let held = |traits| {
        look(&kind, traits, |rows| {
            let uniques = rows.keys.unwrap().uniques;
            uniques.iter().map(|row| (row.number, row.value.to_vec())).collect::<Vec<_>>()
        })
    };
    let (name, size) = ((0, 2_u8.encoded()), (1, 3_u8.encoded()));
    for code in [1, 2, 3] {
        assert_eq!(held(with_code(code)), [name.clone(), size.clone()], "{code}");
    }
    for code in [4, 5] {
        assert_eq!(held(with_code(code)), std::slice::from_ref(&name), "{code}");
    }
    assert_eq!(held(Traits { name: 0, ..WAITING }), [size], "an empty value is no key");
}

#[test]
fn limit_key_holds_the_limited_values_and_amounts() {
    let amounts = |amounts: &[u64]| amounts.iter().flat_map(|amount| amount.to_be_bytes()).collect::<Vec<_>>();
    let with_length = |value: &[u8]| [&u32::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat();
    let free = Traits { host: 0, ..WAITING };
    assert!(limit_key_of(&kind(1), WAITING).is_empty());
    assert_eq!(limit_key_of(&kind(5), WAITING), host(1));
    assert!(limit_key_of(&kind(5), free).is_empty(), "a task without a value is not limited");
    let needs = limit_key_of(&kind(4), WAITING);
    assert_eq!((needs.clone(), amounts_of_key(&needs)), (amounts(&[3, 2]), vec![3, 2]));
    let both = limit_key_of(&kind(6), WAITING);
    assert_eq!(both, [with_length(&host(1)), with_length(&2_u8.encoded())].concat());
    assert_eq!(limit_key_of(&kind(6), free), [with_length(&[]), with_length(&2_u8.encoded())].concat());
    assert_eq!(limit_key_of(&kind(7), WAITING), [with_length(&host(1)), amounts(&[3])].concat());
}

#[test]
fn task_in_progress_counts_for_each_value_and_amount() {
    let in_use = |kind: &Kind| {
        let key = limit_key_of(kind, WAITING);
        kind.in_use_keys(&key).into_iter().map(Cow::into_owned).collect::<Vec<_>>()
    };
    assert_eq!(in_use(&kind(5)), [host(1)]);
    assert_eq!(in_use(&kind(6)), [[vec![0, 1], host(1)].concat(), [vec![0, 2], 2_u8.encoded()].concat()]);
    let amount = [vec![0, 0], 3_u64.to_be_bytes().to_vec()].concat();
    assert_eq!(in_use(&kind(7)), [[vec![0, 1], host(1)].concat(), amount]);
}

#[test]
fn payload_is_read_only_where_its_rows_may_change() {
    let needs = |kind: &Kind, old, new| needs_keys(kind, kind.task(SEQ), &header(old), &header(new));
    let permanent = KindSpec { uniques: vec![("name".to_owned(), false)], ..KindSpec::sample() }.kind(KIND, false);
    let later = Traits { time: 8, ..WAITING };
    let all = (1..=5).flat_map(|old| (1..=5).map(move |new| (old, new)));
    for (old, new) in all {
        let ends = (old >= 4) != (new >= 4);
        let (old, new) = (with_code(old), with_code(new));
        assert_eq!(needs(&kind(3), old, new), ends, "a key of unfinished tasks: {} to {}", old.code, new.code);
        assert!(!needs(&kind(1), old, new) && !needs(&permanent, old, new));
        let is_counted_alike = old.code == new.code || (old.code >= 4 && new.code >= 4);
        assert_eq!(needs(&kind(5), old, new), !is_counted_alike, "a limit: {} to {}", old.code, new.code);
    }
    assert!(needs(&kind(5), WAITING, later), "it has another place in its queue");
    assert!(!needs(&kind(3), WAITING, later));
}

#[test]
fn first_task_of_each_status_and_priority_is_eligible() {
    let queue = [(1, 254), (1, 254), (1, 255), (3, 255), (3, 255)];
    let heads = |key: &[u8], in_use| {
        let mut heads = EligibleHeads::new(&kind(5), key, in_use);
        let key = |at, (code, rank)| ClaimKey { kind: KIND, code, rank, at, place: 0, seq: 0 };
        (0..).zip(queue).map(|(at, group)| heads.is_next_head(key(at, group))).collect::<Vec<_>>()
    };
    let eligible = [true, false, true, true, false];
    assert_eq!(heads(&host(1), 0), eligible);
    assert_eq!(heads(&host(1), 1), [false; 5], "the limit is reached");
    assert_eq!(heads(&[], 1), eligible, "no value is limited");
}
