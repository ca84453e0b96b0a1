//! On random tasks: every write leaves exactly the rows that `rows_of` derives, so the shortcuts of the write path (payloads that are not read,
//! rows that are not compared, limit rows that are updated in place) are equal to the pure function.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod examples;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use proptest::prelude::*;
use redb::{Database, ReadableTable, backends::InMemoryBackend};
use uuid::Uuid;

use super::*;
use crate::{
    model::{
        kind::KindSpec,
        task::{IndexLimit, IndexValue as _, Need, NeededAmount, TaskId as _},
        transition::Lease,
    },
    storage::{
        encoding,
        store::{StoreKey, StoredTable},
        tables::{Tables, Writing, init},
        write::{bulk::NewRow, change::TaskChange},
    },
};

const KIND: u32 = 1;

/// The random properties of a task.
#[derive(Clone, Copy, Debug)]
struct Traits {
    code: i32,
    priority: u8,
    time: i64,
    unreadable: bool,
    waits: u32,
    batch: Option<u64>,
    place: Option<u64>,
    paused: bool,
    /// 0 is `None` in the index and an empty unique key.
    host: u8,
    name: u8,
    size: u8,
    changes_payload: bool,
}

fn traits() -> impl Strategy<Value = Traits> {
    let header = (1..=5, 0..2_u8, 0..4_i64, prop::bool::weighted(0.1), 0..2_u32, prop::option::of(0..2_u64));
    let order = (prop::option::weighted(0.2, 0..3_u64), prop::bool::weighted(0.1));
    let payload = (0..3_u8, 0..4_u8, 0..3_u8, any::<bool>());
    (header, order, payload).prop_map(
        |((code, priority, time, unreadable, waits, batch), (place, paused), (host, name, size, changes_payload))| {
            Traits { code, priority, time, unreadable, waits, batch, place, paused, host, name, size, changes_payload }
        },
    )
}

/// A change of one of five tasks: to these traits, or its deletion.
fn changes() -> impl Strategy<Value = Vec<(u64, Option<Traits>)>> {
    prop::collection::vec((0..5_u64, prop::option::weighted(0.9, traits())), 1..40)
}

/// Kinds with all sorts of keys: none, indexes, unique keys, needs and concurrency limits.
fn kind(sort: usize) -> Kind {
    let mut spec = KindSpec::sample();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (unique, while_unfinished) = (("name".to_owned(), false), ("size".to_owned(), true));
    match sort {
        0 => {}
        1 => spec.indexes = names(&["host", "size"]),
        2 => (spec.indexes, spec.uniques) = (names(&["host"]), vec![unique, while_unfinished]),
        3 => (spec.indexes, spec.uniques) = (names(&["size", "host"]), vec![while_unfinished]),
        4 => {
            spec.indexes = names(&["size", "host"]);
            let amount = |resource, amount| Need { resource: Cow::Borrowed(resource), amount };
            let size = NeededAmount::Field(Cow::Borrowed("size"));
            spec.policy.needs = Cow::Owned(vec![amount("mem", size), amount("gpu", NeededAmount::Fixed(2))]);
        }
        5 => {
            spec.indexes = names(&["size", "host"]);
            spec.policy.limits = limits(&[("host", 1)]);
        }
        6 => {
            spec.indexes = names(&["size", "host", "name"]);
            spec.policy.limits = limits(&[("host", 1), ("name", 2)]);
        }
        _ => {
            spec.indexes = names(&["size", "host"]);
            spec.policy.limits = limits(&[("host", 2)]);
            let size = NeededAmount::Field(Cow::Borrowed("size"));
            spec.policy.needs = Cow::Owned(vec![Need { resource: Cow::Borrowed("mem"), amount: size }]);
        }
    }
    spec.kind(KIND, false)
}

fn limits(limits: &[(&'static str, u32)]) -> Cow<'static, [IndexLimit]> {
    limits.iter().map(|(index, most)| IndexLimit { index: Cow::Borrowed(index), most: *most }).collect()
}

fn header(traits: Traits) -> Header {
    let Traits { code, priority, time, unreadable, waits, batch, place, paused, .. } = traits;
    let lease = Lease {
        token: Uuid::nil(),
        fence: 1,
        worker: String::new(),
        instance: Uuid::nil(),
        started: 0,
        expires: time + 10,
        length: 1,
        from: 1,
        due: 0,
        begun: true,
        detached: false,
    };
    Header {
        code,
        priority,
        created: 0,
        updated: time,
        due: time + 5,
        attempts: 1,
        failures: 0,
        crashes: 0,
        revision: 0,
        ended: 0,
        fingerprint: None,
        lease: (code == 2).then_some(lease),
        last: None,
        cancel: false,
        unreadable,
        successor: false,
        waits,
        has_dependents: false,
        batch,
        scheduled_at: None,
        trace: None,
        doubtful: false,
        place,
        paused,
    }
}

fn row(kind: &Kind, seq: u64, traits: Traits) -> TaskRow {
    let value = |field: &str| match field {
        "host" => (traits.host > 0).then_some(traits.host).encoded(),
        "name" if traits.name == 0 => Vec::new(),
        "name" => traits.name.encoded(),
        _ => traits.size.encoded(),
    };
    let indexes = kind.indexes.iter().map(|field| value(field)).collect();
    let uniques = kind.uniques.iter().map(|(field, _)| value(field)).collect();
    TaskRow { id: seq.to_key(), indexes, uniques, payload: vec![traits.host, traits.name, traits.size] }
}

/// Rows by table, as bytes.
type Dump = BTreeMap<&'static str, BTreeMap<Vec<u8>, Vec<u8>>>;

fn dump_table<K: StoreKey, V: redb::Value + 'static>(
    table: &StoredTable<impl ReadableTable<K, V>, K, V>,
) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut dump = BTreeMap::new();
    for row in table.rows().unwrap() {
        let (key, value) = row.unwrap();
        dump.insert(K::as_bytes(&key.value()).as_ref().to_vec(), V::as_bytes(&value.value()).as_ref().to_vec());
    }
    dump
}

/// All derived rows that are stored.
fn stored(tables: &mut Tables<Writing<'_>>) -> Dump {
    BTreeMap::from([
        ("claim_order", dump_table(tables.claim_order().unwrap())),
        ("updated", dump_table(tables.updated().unwrap())),
        ("members", dump_table(tables.batch_members().unwrap())),
        ("ids", dump_table(tables.ids().unwrap())),
        ("indexes", dump_table(tables.indexes().unwrap())),
        ("unique_keys", dump_table(tables.unique_keys().unwrap())),
        ("limit_queues", dump_table(tables.limit_queues().unwrap())),
        ("limit_in_use", dump_table(tables.limit_in_use().unwrap())),
        ("limit_heads", dump_table(tables.limit_heads().unwrap())),
    ])
}

type Tasks = BTreeMap<u64, (Header, TaskRow)>;

/// The union of the rows of all tasks.
fn derived(kind: &Kind, tasks: &Tasks) -> Dump {
    let mut dump: Dump = stored_tables();
    let mut put = |table: &'static str, key: &[u8], value: &[u8]| {
        let before = dump.get_mut(table).unwrap().insert(key.to_vec(), value.to_vec());
        assert_eq!(before, None, "two tasks have the same row in {table}");
    };
    let mut limits: BTreeMap<Vec<u8>, (BTreeSet<ClaimKey>, u64)> = BTreeMap::new();
    for (seq, (header, row)) in tasks {
        let task = kind.task(*seq);
        let number = seq.to_le_bytes();
        let rows = rows_of(kind, task, header, Some(row.keys()));
        put("claim_order", &rows.claim_order.pack(), &[]);
        rows.updated.iter().for_each(|key| put("updated", &key.pack(), &[]));
        rows.member.iter().for_each(|key| put("members", &key.pack(), &[]));
        let keys = rows.keys.unwrap();
        put("ids", &keys::id_key(KIND, keys.id), &number);
        for (index, value) in (0..).zip(keys.indexes) {
            put("indexes", &keys::index_key(KIND, index, value, *seq), &[]);
        }
        for row in keys.uniques {
            put("unique_keys", &keys::unique_key(KIND, row.number, row.value), &number);
        }
        match rows.limit {
            LimitState::NotCounted => {}
            LimitState::Queued(queued) => drop(limits.entry(keys.limit_key.to_vec()).or_default().0.insert(queued)),
            LimitState::InProgress => limits.entry(keys.limit_key.to_vec()).or_default().1 += 1,
        }
    }
    let mut counters: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (key, (claim_keys, in_use)) in limits {
        let mut heads = EligibleHeads::new(kind, &key, in_use);
        for claim_key in claim_keys {
            put("limit_queues", &limit_queue_row(kind, &key, claim_key), &[]);
            if heads.is_next_head(claim_key) {
                put("limit_heads", &claim_key.pack(), &key);
            }
        }
        for key in kind.in_use_keys(&key).iter().filter(|_| in_use > 0) {
            *counters.entry(keys::limit_prefix(KIND, key)).or_default() += in_use;
        }
    }
    for (key, in_use) in counters {
        put("limit_in_use", &key, &in_use.to_le_bytes());
    }
    dump
}

fn stored_tables() -> Dump {
    let tables = [
        "claim_order",
        "updated",
        "members",
        "ids",
        "indexes",
        "unique_keys",
        "limit_queues",
        "limit_in_use",
        "limit_heads",
    ];
    tables.into_iter().map(|table| (table, BTreeMap::new())).collect()
}

/// Whether a task may get these keys: no other task has one of its unique keys.
fn is_free(kind: &Kind, tasks: &Tasks, seq: u64, header: &Header, row: &TaskRow) -> bool {
    let uniques = |seq: u64, header: &Header, row: &'_ TaskRow| {
        let keys = rows_of(kind, kind.task(seq), header, Some(row.keys())).keys.unwrap();
        keys.uniques.iter().map(|row| (row.number, row.value.to_vec())).collect::<BTreeSet<_>>()
    };
    let entered = uniques(seq, header, row);
    tasks.iter().all(|(other, (header, row))| *other == seq || uniques(*other, header, row).is_disjoint(&entered))
}

fn with_tables(work: impl FnOnce(&mut Tables<Writing<'_>>)) {
    let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
    let txn = db.begin_write().unwrap();
    init(&txn).unwrap();
    work(&mut Tables::new(Writing::File(&txn)));
}

/// Makes changes as the writer does, which reads a payload only where a change needs it.
fn make(tables: &mut Tables<Writing<'_>>, kind: &Kind, tasks: &mut Tasks, changes: &[(u64, Option<Traits>)]) {
    for (seq, traits) in changes {
        let task = kind.task(*seq);
        let known = tasks.get(seq).cloned();
        let new = traits.map(header);
        if known.is_none() && new.is_none() {
            continue;
        }
        let new_row = traits.filter(|traits| traits.changes_payload || known.is_none());
        let new_row = new_row.map(|traits| row(kind, *seq, traits));
        let old = known.as_ref().map(|(header, _)| header);
        let needs = TaskChange::needs_old_row(kind, task, old, new.as_ref(), new_row.is_some());
        let old_row = known.as_ref().map(|(_, row)| row);
        let change = TaskChange {
            old,
            new: new.as_ref(),
            old_row: old_row.filter(|_| needs),
            new_row: new_row.as_ref(),
            ..TaskChange::default()
        };
        let (before, after) = change.rows(kind, task);
        let rival = tables.rival(kind.id, task, before.as_ref(), after.as_ref()).unwrap();
        let stays = new_row.as_ref().or(old_row).cloned();
        if let (Some(new), Some(row)) = (&new, &stays) {
            assert_eq!(rival.is_none(), is_free(kind, tasks, *seq, new, row), "{rival:?}");
        }
        if rival.is_some() {
            continue;
        }
        let counts = tables.apply(kind, task, &change).unwrap();
        assert_eq!(
            counts.map(|count| count.map(|count| count.code)),
            [old, new.as_ref()].map(|header| Some(header?.code))
        );
        match (new, stays) {
            (Some(new), Some(row)) => drop(tasks.insert(*seq, (new, row))),
            _ => drop(tasks.remove(seq)),
        }
        assert_eq!(stored(tables), derived(kind, tasks), "after {traits:?} of task {seq}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn write_leaves_the_rows_of_all_tasks(sort in 0..8_usize, changes in changes()) {
        with_tables(|tables| make(tables, &kind(sort), &mut Tasks::new(), &changes));
    }

    #[test]
    fn redefined_kind_has_the_rows_of_its_new_definition(sorts in (0..4_usize, 0..4_usize), changes in changes()) {
        let (old, new) = (kind(sorts.0), kind(sorts.1));
        with_tables(|tables| {
            let mut tasks = Tasks::new();
            make(tables, &old, &mut tasks, &changes);
            let mut later = Tasks::new();
            for (seq, (header, former)) in &tasks {
                let [host, name, size] = former.payload[..] else { unreachable!() };
                let traits = Traits { host, name, size, code: 1, priority: 0, time: 0, unreadable: false, waits: 0, batch: None, place: None, paused: false, changes_payload: true };
                let row = row(&new, *seq, traits);
                if !is_free(&new, &later, *seq, header, &row) {
                    return;
                }
                later.insert(*seq, (header.clone(), row));
            }
            let rows = |seq: u64| {
                let ((header, former), (_, later)) = (&tasks[&seq], &later[&seq]);
                let task = old.task(seq);
                (rows_of(&old, task, header, Some(former.keys())), rows_of(&new, task, header, Some(later.keys())))
            };
            for seq in tasks.keys() {
                let (before, after) = rows(*seq);
                tables.remove_rows(KIND, old.task(*seq), Some(&before), Some(&after)).unwrap();
            }
            for seq in tasks.keys() {
                let (before, after) = rows(*seq);
                assert_eq!(tables.rival(KIND, old.task(*seq), Some(&before), Some(&after)).unwrap(), None);
                tables.insert_rows(KIND, old.task(*seq), Some(&before), Some(&after)).unwrap();
            }
            assert_eq!(stored(tables), derived(&new, &later));
        });
    }

    #[test]
    fn bulk_write_leaves_the_rows_of_all_tasks(sort in 0..2_usize, traits in prop::collection::vec(traits(), 1..20)) {
        let kind = kind(sort);
        let tasks: Tasks = (7..).zip(&traits).map(|(seq, traits)| (seq, (header(*traits), row(&kind, seq, *traits)))).collect();
        let records: Vec<_> = tasks.values().map(|(_, row)| encoding::encode(row).unwrap()).collect();
        with_tables(|tables| {
            let ids: Vec<_> = tasks.iter().map(|(seq, (_, row))| (keys::id_key(KIND, &row.id), *seq)).collect();
            assert!(tables.insert_new_ids(&ids).unwrap().into_iter().all(|is_new| is_new));
            let rows: Vec<_> = tasks
                .iter()
                .zip(&records)
                .map(|((seq, (header, row)), record)| NewRow {
                    task: kind.task(*seq),
                    id: &row.id,
                    header: header.clone(),
                    indexes: &row.indexes,
                    record,
                })
                .collect();
            tables.apply_new(&kind, &rows).unwrap();
            assert_eq!(stored(tables), derived(&kind, &tasks));
            for (seq, (header, row)) in &tasks {
                assert_eq!(tables.header(kind.task(*seq)).unwrap().as_ref(), Some(header));
                assert_eq!(tables.find_task_row(kind.task(*seq)).unwrap().as_ref(), Some(row));
            }
        });
    }
}
