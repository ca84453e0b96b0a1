//! Plans of statements. Each plan is made once, also for an empty table, and must serve a full one.

use std::time::{Duration, Instant};

use tracker_core::{
    Tracker,
    maintenance::MovePlace,
    store::{Access, RowChange, Store, StoreTable, Want},
};
use tracker_postgres::{PostgresOptions, PostgresStore};

use crate::support::{
    Server, claim_key, connect, first_rows, id_key, job::Job, load_one, new_schema, options, put, row, server_or_skip,
    task_key, value, waiting_task,
};

/// Number of rows that one unit names.
const NAMED: u64 = 50;

/// A use of the rows of tasks by a unit.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Load(StoreTable),
    /// Loads as many waiting tasks as the others name.
    Claim,
    Change(StoreTable),
    Delete(StoreTable),
    DeleteTasks,
}

const UNITS: [Unit; 17] = [
    Unit::Load(StoreTable::Headers),
    Unit::Load(StoreTable::Ids),
    Unit::Load(StoreTable::Batches),
    Unit::Load(StoreTable::History),
    Unit::Load(StoreTable::Indexes),
    Unit::Load(StoreTable::UniqueKeys),
    Unit::Load(StoreTable::Counts),
    Unit::Claim,
    Unit::Change(StoreTable::Payloads),
    Unit::Change(StoreTable::Batches),
    Unit::Change(StoreTable::History),
    Unit::Change(StoreTable::Indexes),
    Unit::Change(StoreTable::UniqueKeys),
    Unit::Delete(StoreTable::Batches),
    Unit::Delete(StoreTable::History),
    Unit::Delete(StoreTable::Indexes),
    Unit::DeleteTasks,
];

/// The row of a task in a table.
fn key_and_value(table: StoreTable, seq: u64) -> (Vec<u8>, Vec<u8>) {
    let number = seq.to_be_bytes();
    match table {
        StoreTable::Headers | StoreTable::Payloads => (task_key(1, seq), b"other".to_vec()),
        StoreTable::Ids => (id_key(1, &format!("task-{seq}")), seq.to_le_bytes().to_vec()),
        StoreTable::UniqueKeys => ([&[0, 0, 0, 1, 0, 0][..], &number].concat(), seq.to_le_bytes().to_vec()),
        StoreTable::Indexes => ([&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 7][..], &number].concat(), Vec::new()),
        _ => (number.to_vec(), seq.to_le_bytes().to_vec()),
    }
}

fn rows_of(seq: u64) -> impl Iterator<Item = RowChange> {
    let tables =
        [StoreTable::Batches, StoreTable::History, StoreTable::Indexes, StoreTable::UniqueKeys, StoreTable::Counts];
    let others = tables.into_iter().map(move |table| {
        let (key, bytes) = key_and_value(table, seq);
        value(table, &key, Some(&bytes))
    });
    waiting_task(seq).into_iter().chain(others)
}

/// Runs a unit that names some tasks from `first` on.
fn run(store: &PostgresStore, unit: Unit, first: u64) {
    let rows = |table| (first..first + NAMED).map(move |seq| key_and_value(table, seq));
    match unit {
        Unit::Load(table) => {
            let wants: Vec<Want> = rows(table).map(|(key, _)| row(table, &key)).collect();
            store.begin(Access::Write).unwrap().load(&wants).unwrap();
        }
        Unit::Claim => {
            let (from, to) = (claim_key(1, 0, 0, i64::MIN, 0), claim_key(1, 0, 255, i64::MAX, 0));
            let most = usize::try_from(NAMED).unwrap();
            let mut unit = store.begin(Access::Write).unwrap();
            load_one(&mut unit, first_rows(StoreTable::ClaimOrder, &from, Some(&to), most));
        }
        Unit::Change(table) => put(store, rows(table).map(|(key, bytes)| value(table, &key, Some(&bytes))).collect()),
        Unit::Delete(table) => put(store, rows(table).map(|(key, _)| value(table, &key, None)).collect()),
        Unit::DeleteTasks => {
            let rows = (first..first + NAMED).flat_map(waiting_task);
            put(store, rows.map(|row| RowChange { value: None, ..row }).collect());
        }
    }
}

/// Options whose connections have the name of their schema.
fn named(server: &Server, schema: &str) -> PostgresOptions {
    options(&format!("{}&application_name={schema}", server.local_url("postgres"))).schema(schema)
}

/// Number of rows and entries of indexes that all ended connections have read in a schema.
fn rows_read(server: &Server, schema: &str) -> u64 {
    let sql = format!(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = '{schema}') \
         + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE schemaname = '{schema}')"
    );
    server.psql("postgres", &sql).unwrap().trim().parse().unwrap()
}

/// Closes a store. The server adds what its connections have read when they end.
fn close(server: &Server, store: &PostgresStore, schema: &str) {
    store.close().unwrap();
    wait_for_end(server, schema);
}

fn wait_for_end(server: &Server, schema: &str) {
    let begin = Instant::now();
    let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{schema}'");
    while server.psql("postgres", &sql).unwrap().trim() != "0" {
        assert!(begin.elapsed() < Duration::from_secs(30), "a connection stays open");
    }
}

/// Number of rows that each unit reads among `tasks` tasks, with plans that were made when there was none.
fn reads_of_units(server: &Server, tasks: u64) -> Vec<(String, u64)> {
    let schema = new_schema();
    let options = named(server, &schema).connections(1);
    connect(&options).close().unwrap();
    let tables =
        ["tasks", "rows", "history", "index_keys", "unique_keys", "counts"].map(|table| format!("{schema}.{table}"));
    let empty = format!("TRUNCATE {}", tables.join(", "));
    // Then the server believes that the tables stay empty.
    let vacuum = format!("VACUUM ANALYZE {}", tables.join(", "));
    let of_unit = |unit: &Unit| {
        server.psql("postgres", &empty).unwrap();
        server.psql("postgres", &vacuum).unwrap();
        let (planned, filler) = (connect(&options), connect(&options));
        run(&planned, *unit, 1);
        put(&filler, (1..=tasks).flat_map(rows_of).collect());
        filler.close().unwrap();
        let before = rows_read(server, &schema);
        run(&planned, *unit, tasks / 2);
        close(server, &planned, &schema);
        (format!("{unit:?}"), rows_read(server, &schema) - before)
    };
    UNITS.iter().map(of_unit).collect()
}

#[test]
fn plans_of_empty_tables_read_few_rows_of_full_ones() {
    let server = server_or_skip!();
    let tasks = 2_000;
    for (unit, read) in reads_of_units(server, tasks) {
        // A unit reads each named row a few times. A plan that goes through a table reads all tasks at least once.
        assert!(read <= 8 * NAMED && read < tasks, "{unit}: {read} rows");
    }
}

#[test]
fn rows_that_a_move_reads_grow_with_the_tasks() {
    let server = server_or_skip!();
    let folder = tempfile::tempdir().unwrap();
    let reads = |tasks: u32| {
        let (path, schema) = (folder.path().join(format!("{tasks}.redb")), new_schema());
        let tracker = Tracker::open(&path).unwrap();
        tracker.tasks::<Job>().unwrap().submit_all((0..tasks).map(Job::new)).unwrap();
        tracker.close().unwrap();
        let store = connect(&named(server, &schema));
        let moved = Tracker::options().move_tasks(MovePlace::file(&path), MovePlace::store(store), |_| ());
        assert_eq!(moved.unwrap().kinds[0].tasks, u64::from(tasks));
        wait_for_end(server, &schema);
        rows_read(server, &schema)
    };
    let [few, more, many] = [1_000, 2_000, 6_000].map(reads);
    let of_thousand = more - few;
    assert!(
        20 * (many - more) <= 21 * 4 * of_thousand,
        "{few} rows for 1,000 tasks, {more} for 2,000, {many} for 6,000"
    );
}
