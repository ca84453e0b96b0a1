//! How long units take. `TRACKER_UNITS=500 cargo test --release -p tracker-postgres speed -- --nocapture` measures; without the number each
//! unit runs a few times.

use std::time::{Duration, Instant};

use tracker_core::store::{Access, Changes, Store, StoreTable};
use tracker_postgres::PostgresStore;

use crate::support::{
    changes, claim_key, connect, done, first_rows, put, server_or_skip, task_key, value, waiting_task,
};

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn measure(count: usize, mut call: impl FnMut()) -> Duration {
    median(
        (0..count)
            .map(|_| {
                let begin = Instant::now();
                call();
                begin.elapsed()
            })
            .collect(),
    )
}

fn claim(store: &PostgresStore, most: usize) -> usize {
    let mut unit = store.begin(Access::Write).unwrap();
    let (from, to) = (claim_key(1, 0, 0, i64::MIN, 0), claim_key(1, 1, 0, i64::MIN, 0));
    let loaded = unit.load(&[first_rows(StoreTable::ClaimOrder, &from, Some(&to), most)]).unwrap().remove(0);
    let mut rows = Vec::new();
    for (key, _) in &loaded.rows {
        let seq = u64::from_be_bytes(*key.last_chunk().unwrap());
        rows.push(value(StoreTable::Headers, &task_key(1, seq), Some(b"running")));
        rows.push(value(StoreTable::ClaimOrder, key, None));
        rows.push(value(StoreTable::ClaimOrder, &claim_key(1, 1, 0, 9, seq), Some(b"")));
    }
    let counts = vec![(vec![0, 0, 0, 1, 128, 0, 0, 1], 1), (vec![0, 0, 0, 1, 128, 0, 0, 0], -1)];
    done(unit.commit(Changes { counts, ..changes(rows) }).unwrap());
    loaded.rows.len()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "rates are printed without fractions")]
fn units_of_each_connection_are_measured() {
    let server = server_or_skip!();
    let units: usize = std::env::var("TRACKER_UNITS").map_or(3, |units| units.parse().unwrap());
    // Shows what the calls cost without the disk of the server.
    let database = crate::support::new_schema();
    server.psql("postgres", &format!("CREATE DATABASE {database}")).unwrap();
    server.psql("postgres", &format!("ALTER DATABASE {database} SET synchronous_commit = off")).unwrap();
    for (name, options) in [
        ("socket without flush", crate::support::options(&server.local_url(&database))),
        ("socket", server.options()),
        ("tcp", crate::support::options(&server.url("postgres")).schema(crate::support::new_schema())),
    ] {
        let store = connect(&options);
        let read = measure(units, || drop(store.begin(Access::Read).unwrap()));
        let begin = measure(units, || drop(store.begin(Access::Write).unwrap()));
        let empty = measure(units, || {
            done(store.begin(Access::Write).unwrap().commit(Changes::default()).unwrap());
        });
        println!("{name}: read unit {read:?}, write unit {begin:?}, with empty commit {empty:?}");
        let mut next = 0;
        let submit = measure(units, || {
            next += 1;
            put(&store, waiting_task(next));
        });
        let begin = Instant::now();
        let rounds = units.div_ceil(6);
        for _ in 0..rounds {
            put(&store, (next + 1..=next + 1000).flat_map(waiting_task).collect());
            next += 1000;
        }
        let bulk = (1000 * rounds) as f64 / begin.elapsed().as_secs_f64();
        println!("{name}: submit of 1 {submit:?}, bulk {bulk:.0} tasks/s");
        let one = measure(units, || assert_eq!(claim(&store, 1), 1));
        let many = measure(units, || assert_eq!(claim(&store, 64), 64));
        println!("{name}: claim of 1 {one:?}, of 64 {many:?}");
        for threads in [1, 2, 8] {
            let begin = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| (0..units).for_each(|_| assert!(claim(&store, 1) == 1)));
                }
            });
            println!(
                "{name}: {threads} threads {:.0} claims/s",
                (threads * units) as f64 / begin.elapsed().as_secs_f64()
            );
        }
    }
}
