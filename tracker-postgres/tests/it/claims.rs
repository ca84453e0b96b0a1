//! Units of work that use the same tasks at the same time.

use std::{
    collections::BTreeSet,
    sync::{Barrier, mpsc},
    thread,
    time::Duration,
};

use tracker_core::store::{Access, Changes, Committed, Store, StoreTable};
use tracker_postgres::{Isolation, PostgresStore};

use crate::support::{
    changes, claim_key, connect, done, first_rows, id_key, is_conflict, load_one, new_value, put, row, server_or_skip,
    task_key, value, waiting_task,
};

#[test]
fn second_unit_waits_for_a_locked_task() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, waiting_task(1));
    let key = task_key(1, 1);
    let mut first = store.begin(Access::Write).unwrap();
    load_one(&mut first, row(StoreTable::Headers, &key));
    thread::scope(|scope| {
        let (sent, answer) = mpsc::channel();
        let (store, key) = (&store, &key);
        scope.spawn(move || {
            let mut second = store.begin(Access::Write).unwrap();
            sent.send(load_one(&mut second, row(StoreTable::Headers, key)).rows).unwrap();
        });
        assert!(answer.recv_timeout(Duration::from_millis(200)).is_err(), "the second unit did not wait");
        done(first.commit(changes(vec![value(StoreTable::Headers, key, Some(b"changed"))])).unwrap());
        assert_eq!(answer.recv().unwrap(), [(key.clone(), b"changed".to_vec())]);
    });
}

#[test]
fn claims_skip_tasks_of_other_units() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, (1..=6).flat_map(waiting_task).collect());
    let claim = |most| {
        let mut unit = store.begin(Access::Write).unwrap();
        let loaded = load_one(&mut unit, first_rows(StoreTable::ClaimOrder, &[0, 0, 0, 1], Some(&[0, 0, 0, 2]), most));
        let keys: Vec<_> = loaded.rows.into_iter().map(|(key, _)| key).collect();
        (unit, keys, loaded.is_complete)
    };
    let place = |seq| claim_key(1, 0, 100, 5, seq);
    let (_one, keys, _) = claim(2);
    assert_eq!(keys, [place(1), place(2)]);
    let (two, keys, is_complete) = claim(3);
    assert_eq!((keys, is_complete), (vec![place(3), place(4), place(5)], false));
    let (_three, keys, is_complete) = claim(3);
    assert_eq!((keys, is_complete), (vec![place(6)], true));
    let mut last = store.begin(Access::Write).unwrap();
    let loaded = load_one(&mut last, first_rows(StoreTable::ClaimOrder, &[0, 0, 0, 1], Some(&[0, 0, 0, 2]), 8));
    assert!(loaded.rows.is_empty() && loaded.has_skipped, "all are locked: {loaded:?}");
    let loaded = load_one(&mut last, first_rows(StoreTable::ClaimOrder, &[0, 0, 0, 2], None, 8));
    assert!(loaded.rows.is_empty() && !loaded.has_skipped, "there is none: {loaded:?}");
    drop(last);
    drop(two);
    let (_four, keys, _) = claim(1);
    assert_eq!(keys, [place(3)]);
}

/// Claims all tasks one by one, and returns the sequence numbers.
fn drain(store: &PostgresStore) -> Vec<u64> {
    let mut claimed = Vec::new();
    loop {
        let mut unit = store.begin(Access::Write).unwrap();
        let (from, to) = (claim_key(1, 0, 0, i64::MIN, 0), claim_key(1, 1, 0, i64::MIN, 0));
        let loaded = match unit.load(&[first_rows(StoreTable::ClaimOrder, &from, Some(&to), 1)]) {
            Ok(mut loaded) => loaded.remove(0),
            Err(error) if is_conflict(&error) => continue,
            Err(error) => panic!("{error}"),
        };
        let Some((key, _)) = loaded.rows.into_iter().next() else { break };
        let seq = u64::from_be_bytes(*key.last_chunk().unwrap());
        let rows = vec![
            value(StoreTable::Headers, &task_key(1, seq), Some(b"running")),
            value(StoreTable::ClaimOrder, &key, None),
            value(StoreTable::ClaimOrder, &claim_key(1, 1, 0, 9, seq), Some(b"")),
        ];
        let counts = vec![(vec![0, 0, 0, 1, 128, 0, 0, 1], 1)];
        if let Committed::Done { .. } = unit.commit(Changes { counts, ..changes(rows) }).unwrap() {
            claimed.push(seq);
        }
    }
    claimed
}

#[test]
fn each_task_is_claimed_once() {
    let server = server_or_skip!();
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        let options = server.options().isolation(isolation);
        let (one, two) = (connect(&options), connect(&options));
        put(&one, (1..=200).flat_map(waiting_task).collect());
        let claimed: Vec<u64> = thread::scope(|scope| {
            let threads: Vec<_> = [&one, &two, &one, &two].map(|store| scope.spawn(|| drain(store))).into();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(claimed.len(), 200, "{isolation:?}");
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 200, "{isolation:?}");
        let mut unit = one.begin(Access::Read).unwrap();
        let count = load_one(&mut unit, row(StoreTable::Counts, &[0, 0, 0, 1, 128, 0, 0, 1]));
        assert_eq!(count.rows[0].1, 200_u64.to_le_bytes());
    }
}

#[test]
fn rival_with_the_same_id_conflicts() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let submit = |seq: u64| {
        let mut unit = store.begin(Access::Write).unwrap();
        assert_eq!(load_one(&mut unit, row(StoreTable::Ids, &id_key(1, "same"))).rows, []);
        let rows = vec![
            value(StoreTable::Headers, &task_key(1, seq), Some(b"h")),
            value(StoreTable::Ids, &id_key(1, "same"), Some(&seq.to_le_bytes())),
        ];
        (unit, changes(rows))
    };
    let ((one, first), (two, second)) = (submit(1), submit(2));
    done(one.commit(first).unwrap());
    assert_eq!(two.commit(second).unwrap(), Committed::Conflict);
    let mut unit = store.begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, row(StoreTable::Ids, &id_key(1, "same"))).rows[0].1, 1_u64.to_le_bytes());
}

/// The rival commits between two loads of the unit, and the second one finds its task.
#[test]
fn rival_that_a_later_load_finds_keeps_its_id() {
    let server = server_or_skip!();
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        let store = connect(&server.options().isolation(isolation));
        let mut unit = store.begin(Access::Write).unwrap();
        let id = id_key(1, "task-7");
        assert_eq!(load_one(&mut unit, row(StoreTable::Ids, &id)).rows, []);
        put(&store, waiting_task(7));
        load_one(&mut unit, first_rows(StoreTable::ClaimOrder, &[], None, 8));
        let rows = vec![
            value(StoreTable::Headers, &task_key(1, 8), Some(b"header")),
            new_value(StoreTable::Ids, &id, &8_u64.to_le_bytes()),
        ];
        assert_eq!(unit.commit(changes(rows)).unwrap(), Committed::Conflict, "{isolation:?}");
        let mut unit = store.begin(Access::Read).unwrap();
        assert_eq!(load_one(&mut unit, row(StoreTable::Ids, &id)).rows[0].1, 7_u64.to_le_bytes());
    }
}

#[test]
fn rival_with_the_same_key_conflicts() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let key = [0, 0, 0, 1, 0, 0, 7];
    for table in [StoreTable::UniqueKeys, StoreTable::BatchLabels, StoreTable::RateStarts] {
        let units: Vec<_> = (0..2)
            .map(|_| {
                let mut unit = store.begin(Access::Write).unwrap();
                assert_eq!(load_one(&mut unit, row(table, &key)).rows, []);
                unit
            })
            .collect();
        let results: Vec<_> = units
            .into_iter()
            .zip(1_u64..)
            .map(|(unit, seq)| unit.commit(changes(vec![new_value(table, &key, &seq.to_le_bytes())])).unwrap())
            .collect();
        assert!(matches!(results[..], [Committed::Done { .. }, Committed::Conflict]), "{table:?}: {results:?}");
    }
}

#[test]
fn units_of_a_limit_key_follow_each_other() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let key = [0, 0, 0, 1, 0, 0, 0, 1, 9];
    let mut first = store.begin(Access::Write).unwrap();
    // There is no row that could be locked.
    assert_eq!(load_one(&mut first, row(StoreTable::LimitInUse, &key)).rows, []);
    thread::scope(|scope| {
        let (sent, answer) = mpsc::channel();
        let (store, key) = (&store, &key);
        scope.spawn(move || {
            let mut second = store.begin(Access::Write).unwrap();
            sent.send(load_one(&mut second, row(StoreTable::LimitInUse, key)).rows).unwrap();
        });
        assert!(answer.recv_timeout(Duration::from_millis(200)).is_err(), "the second unit did not wait");
        let one = 1_u64.to_le_bytes();
        done(first.commit(changes(vec![value(StoreTable::LimitInUse, key, Some(&one))])).unwrap());
        assert_eq!(answer.recv().unwrap(), [(key.to_vec(), one.to_vec())]);
    });
}

#[test]
fn circle_of_locks_is_a_conflict() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, (1..=2).flat_map(waiting_task).collect());
    let barrier = Barrier::new(2);
    let results: Vec<_> = thread::scope(|scope| {
        let threads = [(1, 2), (2, 1)].map(|(mine, other)| {
            let (store, barrier) = (&store, &barrier);
            scope.spawn(move || {
                let mut unit = store.begin(Access::Write).unwrap();
                load_one(&mut unit, row(StoreTable::Headers, &task_key(1, mine)));
                barrier.wait();
                unit.load(&[row(StoreTable::Headers, &task_key(1, other))]).map(drop)
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(matches!(&errors[..], [error] if is_conflict(error) ), "{errors:?}");
}

#[test]
fn change_of_kinds_waits_and_is_refused_when_late() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let kinds = |unit: Box<dyn tracker_core::store::StoreUnit>| {
        let schema = Some(unit.state().schema);
        let rows = vec![value(StoreTable::Kinds, &[0, 0, 0, 1], Some(b"kind"))];
        unit.commit(Changes { schema, ..changes(rows) }).unwrap()
    };
    let (one, two) = (store.begin(Access::Write).unwrap(), store.begin(Access::Write).unwrap());
    let schema = one.state().schema;
    let results: Vec<_> = thread::scope(|scope| {
        let threads = [scope.spawn(|| kinds(one)), scope.spawn(|| kinds(two))];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| matches!(result, Committed::Done { .. })).count(), 1, "{results:?}");
    assert_eq!(store.begin(Access::Read).unwrap().state().schema, schema + 1);

    // A unit that runs with the old kinds keeps them until it ends.
    let unit = store.begin(Access::Write).unwrap();
    thread::scope(|scope| {
        let (sent, answer) = mpsc::channel();
        let store = &store;
        scope.spawn(move || sent.send(kinds(store.begin(Access::Write).unwrap())).unwrap());
        assert!(answer.recv_timeout(Duration::from_millis(200)).is_err(), "the change did not wait");
        done(unit.commit(changes(waiting_task(5))).unwrap());
        done(answer.recv().unwrap());
    });
}
