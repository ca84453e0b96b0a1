//! Rows come back as they were stored, in the order of their keys, from each table.

use std::collections::BTreeMap;

use proptest::{prelude::*, test_runner::TestRunner};
use tracker_core::store::{Access, Committed, Store, StoreTable, StoreUnit, Want};

use crate::support::{
    changes, claim_key, connect, done, first_rows, id_key, load_one, put, related, row, server_or_skip, task_key,
    value, waiting_task,
};

/// A key of a table, and its value, for a small number.
fn sample(table: StoreTable, number: u8) -> (Vec<u8>, Vec<u8>) {
    let seq = u64::from(number) + 1;
    let text = vec![number; usize::from(number % 4)];
    match table {
        StoreTable::Headers | StoreTable::Payloads | StoreTable::Successors | StoreTable::Progress => {
            (task_key(1 + u32::from(number % 2), seq), text)
        }
        StoreTable::Ids => (id_key(1, &format!("{number:03}")), seq.to_le_bytes().to_vec()),
        StoreTable::ClaimOrder => {
            (claim_key(1, i32::from(number % 3) - 1, number % 5, 7 - i64::from(number), seq), vec![])
        }
        StoreTable::Updated => {
            let at = (i64::from(number % 7) ^ i64::MIN).to_be_bytes();
            ([&[0, 0, 0, 1, 128, 0, 0, 2][..], &at, &seq.to_be_bytes()].concat(), vec![])
        }
        StoreTable::UniqueKeys => ([&[0, 0, 0, 1, 0, 0][..], &text, &[number]].concat(), seq.to_le_bytes().to_vec()),
        StoreTable::Indexes => ([&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, number][..], &seq.to_be_bytes()].concat(), vec![]),
        StoreTable::Counts => (vec![0, 0, 0, 1, 128, 0, 0, number], seq.to_le_bytes().to_vec()),
        _ => (vec![number % 3, 255 - number, number], text),
    }
}

#[test]
fn each_table_keeps_its_rows_in_order() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    for &table in StoreTable::ALL {
        let samples: BTreeMap<_, _> = (0..20).map(|number| sample(table, number)).collect();
        put(&store, samples.iter().map(|(key, bytes)| value(table, key, Some(bytes))).collect());

        for access in [Access::Read, Access::Write] {
            let mut unit = store.begin(access).unwrap();
            let wants: Vec<_> = samples.keys().map(|key| row(table, key)).collect();
            for (loaded, (key, bytes)) in unit.load(&wants).unwrap().into_iter().zip(&samples) {
                assert_eq!(loaded.rows, [(key.clone(), bytes.clone())], "{table:?}");
            }
            check_ranges(&mut unit, table, &samples);
        }

        let (removed, kept) = (samples.keys().next().unwrap(), samples.keys().nth(1).unwrap());
        put(&store, vec![value(table, removed, None)]);
        let mut unit = store.begin(Access::Read).unwrap();
        assert_eq!(load_one(&mut unit, row(table, removed)).rows, [], "{table:?}");
        assert_eq!(load_one(&mut unit, row(table, kept)).rows.len(), 1, "{table:?}");
        drop(unit);
        put(&store, samples.keys().map(|key| value(table, key, None)).collect());
        let mut unit = store.begin(Access::Read).unwrap();
        assert_eq!(load_one(&mut unit, first_rows(table, &[], None, 100)).rows, [], "{table:?}");
    }
    let left = server.psql("postgres", &format!("SELECT count(*) FROM {}.tasks", schema_of(&store)));
    assert_eq!(left, Ok("0".into()));
}

fn schema_of(store: &impl std::fmt::Debug) -> String {
    let text = format!("{store:?}");
    text.split("schema: \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn check_ranges(unit: &mut Box<dyn StoreUnit>, table: StoreTable, samples: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let keys: Vec<_> = samples.keys().cloned().collect();
    let behind = [&keys[9][..], &[0]].concat();
    for (from, to) in [
        (vec![], None),
        (keys[3].clone(), None),
        (keys[3].clone(), Some(keys[9].clone())),
        (keys[3].clone(), Some(behind.clone())),
        (behind, None),
        (keys[9].clone(), Some(keys[9].clone())),
    ] {
        for newest_first in [false, true] {
            for most in [1, 4, 20, 100] {
                let is_in = |key: &[u8]| key >= from.as_slice() && to.as_ref().is_none_or(|to| key < to.as_slice());
                let mut all: Vec<_> = samples
                    .iter()
                    .filter(|(key, _)| is_in(key))
                    .map(|(key, bytes)| (key.clone(), bytes.clone()))
                    .collect();
                if newest_first {
                    all.reverse();
                }
                let is_complete = all.len() < most;
                all.truncate(most);
                let want =
                    Want::Rows { table, from: from.clone(), to: to.clone(), newest_first, most, skips_locked: false };
                let loaded = load_one(unit, want.clone());
                assert_eq!((loaded.rows, loaded.is_complete), (all, is_complete), "{want:?}");
            }
        }
    }
}

#[test]
fn rows_of_a_task_come_together() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, waiting_task(9));
    let key = task_key(1, 9);
    for want in [
        row(StoreTable::Headers, &key),
        row(StoreTable::Ids, &id_key(1, "task-9")),
        first_rows(StoreTable::ClaimOrder, &[], None, 5),
        first_rows(StoreTable::Payloads, &[], None, 5),
    ] {
        let mut unit = store.begin(Access::Write).unwrap();
        let loaded = load_one(&mut unit, want);
        assert_eq!(loaded.rows.len(), 1);
        for expected in [
            related(StoreTable::Headers, &key, Some(b"header")),
            related(StoreTable::Payloads, &key, Some(&[7; 200])),
            related(StoreTable::Successors, &key, None),
            related(StoreTable::Progress, &key, None),
            related(StoreTable::Ids, &id_key(1, "task-9"), Some(&9_u64.to_le_bytes())),
        ] {
            assert!(loaded.related.contains(&expected), "{expected:?} is not in {loaded:?}");
        }
    }
    let mut unit = store.begin(Access::Read).unwrap();
    let loaded = load_one(&mut unit, row(StoreTable::Payloads, &task_key(1, 10)));
    assert_eq!((loaded.rows.len(), loaded.related.len()), (0, 4));
}

#[test]
fn columns_tell_status_priority_time_and_id() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, waiting_task(9));
    let columns = || {
        let sql = format!("SELECT kind, seq, status, priority, at, id FROM {}.tasks", schema_of(&store));
        server.psql("postgres", &sql).unwrap()
    };
    assert_eq!(columns(), "1|9|0|155|5|task-9");
    let (old, new) = (claim_key(1, 0, 100, 5, 9), claim_key(1, -2, 0, 8, 9));
    put(&store, vec![value(StoreTable::ClaimOrder, &old, None), value(StoreTable::ClaimOrder, &new, Some(b""))]);
    assert_eq!(columns(), "1|9|-2|255|8|task-9");
    put(&store, vec![value(StoreTable::ClaimOrder, &new, None)]);
    assert_eq!(columns(), "1|9||||task-9");
}

#[test]
fn large_load_and_commit_arrive_whole() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let payload = vec![1; 20_000];
    let keys: Vec<_> = (1..=500).map(|seq| task_key(1, seq)).collect();
    put(&store, keys.iter().map(|key| value(StoreTable::Payloads, key, Some(&payload))).collect());
    let mut unit = store.begin(Access::Write).unwrap();
    let mut wants: Vec<_> = keys.iter().map(|key| row(StoreTable::Payloads, key)).collect();
    // More than the sockets hold, so that both sides would wait for each other if all was sent before anything is read.
    wants.extend((0..8).map(|_| first_rows(StoreTable::Payloads, &[], None, 500)));
    wants.extend((0..20_000_u32).map(|n| row(StoreTable::BatchLabels, &[&n.to_be_bytes()[..], &[0; 60]].concat())));
    let loaded = unit.load(&wants).unwrap();
    assert!(loaded[..500].iter().all(|loaded| loaded.rows.len() == 1 && loaded.rows[0].1 == payload));
    assert!(loaded[500..508].iter().all(|loaded| loaded.rows.len() == 500));
}

/// A random operation on one row.
#[derive(Clone, Debug)]
struct Operation {
    table: usize,
    number: u8,
    is_put: bool,
    is_loaded: bool,
}

#[test]
fn random_commits_leave_what_a_map_holds() {
    let server = server_or_skip!();
    let operation = (0..StoreTable::ALL.len(), 0..12_u8, any::<bool>(), any::<bool>())
        .prop_map(|(table, number, is_put, is_loaded)| Operation { table, number, is_put, is_loaded });
    let commits = prop::collection::vec((prop::collection::vec(operation, 1..30), any::<bool>()), 1..12);
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
    let result = runner.run(&commits, |commits| {
        let store = connect(&server.options());
        let mut model = BTreeMap::new();
        for (operations, is_kept) in commits {
            let mut unit = store.begin(Access::Write).unwrap();
            let mut rows = BTreeMap::new();
            for Operation { table, number, is_put, is_loaded } in operations {
                let table = StoreTable::ALL[table];
                let (key, bytes) = sample(table, number);
                if is_loaded {
                    let found = load_one(&mut unit, row(table, &key)).rows.pop();
                    prop_assert_eq!(
                        found,
                        model.get(&(table, key.clone())).map(|v: &Vec<u8>| (key.clone(), v.clone()))
                    );
                }
                rows.insert((table, key), is_put.then_some(bytes));
            }
            if !is_kept {
                continue;
            }
            let list = rows.iter().map(|((table, key), bytes)| value(*table, key, bytes.as_deref())).collect();
            done(unit.commit(changes(list)).unwrap());
            for (key, bytes) in rows {
                match bytes {
                    Some(bytes) => drop(model.insert(key, bytes)),
                    None => drop(model.remove(&key)),
                }
            }
        }
        let mut unit = store.begin(Access::Read).unwrap();
        for &table in StoreTable::ALL {
            let expected: Vec<_> = model
                .iter()
                .filter(|((of, _), _)| *of == table)
                .map(|((_, key), v)| (key.clone(), v.clone()))
                .collect();
            prop_assert_eq!(load_one(&mut unit, first_rows(table, &[], None, 1000)).rows, expected, "{:?}", table);
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn counts_are_sums_over_all_connections() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let key = vec![0, 0, 0, 1, 128, 0, 0, 0];
    let add = |unit: Box<dyn StoreUnit>, difference| {
        unit.commit(tracker_core::store::Changes { counts: vec![(key.clone(), difference)], ..Default::default() })
    };
    let (one, two) = (store.begin(Access::Write).unwrap(), store.begin(Access::Write).unwrap());
    assert!(matches!(add(one, 5), Ok(Committed::Done { .. })));
    assert!(matches!(add(two, -2), Ok(Committed::Done { .. })));
    let count = || {
        let mut unit = store.begin(Access::Read).unwrap();
        load_one(&mut unit, row(StoreTable::Counts, &key)).rows
    };
    assert_eq!(count(), [(key.clone(), 3_u64.to_le_bytes().to_vec())]);
    add(store.begin(Access::Write).unwrap(), -3).unwrap();
    assert_eq!(count(), []);
}

#[test]
fn reading_unit_sees_one_state() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    put(&store, waiting_task(1));
    let mut unit = store.begin(Access::Read).unwrap();
    put(&store, waiting_task(2));
    assert_eq!(load_one(&mut unit, first_rows(StoreTable::Headers, &[], None, 9)).rows.len(), 1);
    let mut later = store.begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut later, first_rows(StoreTable::Headers, &[], None, 9)).rows.len(), 2);
}
