//! Claims skip the claim keys before the first task of earlier claims, and find each task that gets one of them.

use tracker_core::{
    Tracker,
    store::{Access, Changes, Store, StoreTable},
};
use tracker_postgres::{PostgresOptions, PostgresStore};

use crate::support::{
    Server, changes, claim_key, connect, done, first_rows, job::Job, load_one, new_schema, put, server_or_skip,
    task_key, value, waiting_task,
};

/// Returns the claim keys of the first waiting tasks. With `takes`, the first one leaves the claim order.
fn claim(store: &PostgresStore, most: usize, takes: bool) -> Vec<Vec<u8>> {
    let mut unit = store.begin(Access::Write).unwrap();
    let (from, mut to) = (claim_key(1, 0, 0, i64::MIN, 0), claim_key(1, 0, 255, i64::MAX, 0));
    to.push(0);
    let loaded = load_one(&mut unit, first_rows(StoreTable::ClaimOrder, &from, Some(&to), most));
    let keys: Vec<_> = loaded.rows.into_iter().map(|(key, _)| key).collect();
    if takes {
        done(unit.commit(changes(vec![value(StoreTable::ClaimOrder, &keys[0], None)])).unwrap());
    }
    keys
}

/// Stores a waiting task before all others.
fn enter_early(store: &dyn Store, seq: u64, enters_past: bool) {
    let rows = vec![
        value(StoreTable::Headers, &task_key(1, seq), Some(b"header")),
        value(StoreTable::ClaimOrder, &claim_key(1, 0, 100, 1, seq), Some(b"")),
    ];
    done(store.begin(Access::Write).unwrap().commit(Changes { enters_past, ..changes(rows) }).unwrap());
}

/// Two stores in one schema, with ten waiting tasks of which the first has left.
fn after_a_claim(options: &PostgresOptions) -> (PostgresStore, PostgresStore) {
    let (store, other) = (connect(options), connect(options));
    put(&store, (1..=10).flat_map(waiting_task).collect());
    assert_eq!(claim(&store, 1, true), [late(1)]);
    (store, other)
}

fn late(seq: u64) -> Vec<u8> {
    claim_key(1, 0, 100, 5, seq)
}

fn early(seq: u64) -> Vec<u8> {
    claim_key(1, 0, 100, 1, seq)
}

#[test]
fn claims_begin_at_the_first_task_of_the_last_one() {
    let server = server_or_skip!();
    let (store, other) = after_a_claim(&server.options());
    enter_early(&other, 20, false);
    assert_eq!(claim(&store, 2, false), [late(2), late(3)], "the new task is skipped");
    assert_eq!(claim(&other, 1, false), [early(20)], "another process has read nothing yet");
}

#[test]
fn task_that_enters_the_past_is_claimed_next() {
    let server = server_or_skip!();
    let (store, other) = after_a_claim(&server.options());
    enter_early(&other, 20, true);
    assert_eq!(claim(&store, 1, true), [early(20)]);
    assert_eq!(claim(&store, 2, false), [late(2), late(3)]);
}

#[test]
fn skipped_task_is_claimed_when_others_run_out() {
    let server = server_or_skip!();
    let (store, other) = after_a_claim(&server.options());
    enter_early(&other, 20, false);
    assert_eq!(claim(&store, 8, false), (2..=9).map(late).collect::<Vec<_>>());
    let all: Vec<_> = [early(20)].into_iter().chain((2..=10).map(late)).collect();
    assert_eq!(claim(&store, 11, false), all);
}

#[test]
fn start_is_the_first_task_that_another_claim_has_locked() {
    let server = server_or_skip!();
    let (store, _other) = after_a_claim(&server.options());
    let mut rolled_back = store.begin(Access::Write).unwrap();
    let (from, to) = (claim_key(1, 0, 0, i64::MIN, 0), claim_key(1, 1, 0, i64::MIN, 0));
    let locked = load_one(&mut rolled_back, first_rows(StoreTable::ClaimOrder, &from, Some(&to), 3));
    assert_eq!(locked.rows.len(), 3);
    assert_eq!(claim(&store, 2, false), [late(5), late(6)]);
    drop(rolled_back);
    assert_eq!(claim(&store, 2, false), [late(2), late(3)]);
}

#[test]
fn commit_of_a_slow_unit_counts_as_a_rewind() {
    let server = server_or_skip!();
    let (store, other) = after_a_claim(&server.options());
    let slow = other.begin(Access::Write).unwrap();
    // The time of the server, which has no clock to inject.
    server.psql("postgres", "SELECT pg_sleep(0.3)").unwrap();
    let rows = vec![
        value(StoreTable::Headers, &task_key(1, 20), Some(b"header")),
        value(StoreTable::ClaimOrder, &early(20), Some(b"")),
    ];
    done(slow.commit(changes(rows)).unwrap());
    assert_eq!(claim(&store, 1, false), [early(20)]);
}

/// The number of rewinds of a schema.
fn rewinds(server: &Server, schema: &str) -> u64 {
    let sum = server.psql("postgres", &format!("SELECT sum(rewinds) FROM {schema}.marks")).unwrap();
    sum.trim().parse().unwrap()
}

fn connect_to(server: &Server, schema: &str) -> Tracker {
    server.options().schema(schema).connect().unwrap()
}

#[test]
fn common_calls_are_no_rewinds() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = connect_to(server, &schema);
    let jobs = tracker.tasks::<Job>().unwrap();
    let before = rewinds(server, &schema);
    jobs.submit_all((0..100).map(Job::new)).unwrap();
    for number in 0..60 {
        let mut run = jobs.claim().unwrap().unwrap();
        match number % 3 {
            0 => run.succeed().unwrap(),
            1 => run.fail("no").unwrap(),
            _ => run.snooze(std::time::Duration::from_secs(1)).unwrap(),
        }
    }
    // A unit that lasts 250 ms on a busy machine is one, too.
    let counted = rewinds(server, &schema) - before;
    assert!(counted < 20, "{counted} rewinds of 121 commits");
}

#[test]
fn raised_priority_is_claimed_next_by_another_process() {
    let server = server_or_skip!();
    let schema = new_schema();
    let (one, two) = (connect_to(server, &schema), connect_to(server, &schema));
    let (jobs, others) = (one.tasks::<Job>().unwrap(), two.tasks::<Job>().unwrap());
    jobs.submit_all((0..20).map(Job::new)).unwrap();
    for number in 0..3 {
        let mut run = jobs.claim().unwrap().unwrap();
        assert_eq!(run.number, number);
        run.succeed().unwrap();
    }
    others.set_priority(15, 200).unwrap();
    let (raised, next) = (jobs.claim().unwrap().unwrap(), jobs.claim().unwrap().unwrap());
    assert_eq!((raised.number, next.number), (15, 3));
}

/// The caller may commit at any time after the unit of work.
#[cfg(feature = "postgres")]
#[test]
fn each_transaction_of_a_caller_is_a_rewind() {
    let server = server_or_skip!();
    let schema = new_schema();
    let tracker = connect_to(server, &schema);
    let jobs = tracker.tasks::<Job>().unwrap();
    let mut client = postgres::Client::connect(&server.local_url("postgres"), postgres::NoTls).unwrap();
    // The first one adds a mark, and the second one uses it again.
    for number in 0..2 {
        let before = rewinds(server, &schema);
        let mut transaction = client.transaction().unwrap();
        let submitted =
            tracker_postgres::transaction_in(&tracker, &mut transaction, |tx| tx.submit(&jobs, &Job::new(number)))
                .unwrap();
        transaction.commit().unwrap();
        submitted.committed();
        assert_eq!(rewinds(server, &schema), before + 1);
    }
}
