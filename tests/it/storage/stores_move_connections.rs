//! Moves to a PostgreSQL server and back, while the connection breaks at one statement after the other, or the server refuses it.
//!
//! Needs the server of `TRACKER_TEST_URL`, as `tracker-postgres/with_server` starts it. `TRACKER_SWEEP=n` makes each fault at each nth statement.

use std::{
    env, process,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tracker_core::{
    maintenance::{MovePlace, Moved},
    store::OptionsExt as _,
    time::ManualClock,
};
use tracker_postgres::{PostgresOptions, PostgresStore};

use super::{
    json_lines_move::export,
    stores_move::{at, moved, on, open_disk},
    stores_move_faults::{copy, result, source},
};
use crate::support::{
    fault_proxy::{Fault, FaultProxy, Faults},
    kinds::sound,
    random::setting,
    test_disk::Disk,
};

const FAULTS: [Fault; 5] =
    [Fault::Cut, Fault::SilentCut, Fault::CutAtOnce, Fault::Refuse("40001"), Fault::End("57P01")];

/// Statements between two faults, with one fault in each move.
const STRIDE: u64 = 457;

static NEXT_SCHEMA: AtomicUsize = AtomicUsize::new(0);

fn new_schema() -> String {
    format!("m{}_{}", process::id(), NEXT_SCHEMA.fetch_add(1, Ordering::Relaxed))
}

fn store(port: u16, schema: &str) -> PostgresStore {
    let url = format!("postgres://owner@127.0.0.1:{port}/postgres?sslmode=disable");
    let options = PostgresOptions::new(&url).unwrap().schema(schema).client_clock(true);
    PostgresStore::connect(&options.busy_timeout(Duration::from_secs(20)).connections(3)).unwrap()
}

/// The port of the server. Prints why there is none, and then the test has to end.
fn port() -> Option<u16> {
    let url = env::var("TRACKER_TEST_URL").ok().filter(|_| env::var_os("TRACKER_PGBOUNCER").is_none());
    if url.is_none() {
        println!("skipped: no server of its own in TRACKER_TEST_URL (see tracker-postgres/with_server)");
    }
    url?.split("port=").nth(1)?.split('&').next()?.parse().ok()
}

struct Attack {
    clock: ManualClock,
    port: u16,
    source: Disk,
    expected: Moved,
    lines: String,
}

impl Attack {
    /// Moves to a server, or back from it, with one fault, unless there are fewer statements. Returns whether there are, and adds up the faults.
    fn run(&self, fault: Fault, first: u64, there: bool, made: &mut u64) -> bool {
        let (proxy, schema) = (FaultProxy::start(self.port), new_schema());
        let attacked = || {
            let place = MovePlace::store(store(proxy.port, &schema));
            proxy.set(Some(Faults { fault, first, every: u64::MAX >> 1 }));
            proxy.allow(1);
            place
        };
        let moves = |source: MovePlace, target: MovePlace| {
            let moved = at(&self.clock).move_tasks(source, target, |_| ());
            let moved = moved.unwrap_or_else(|error| panic!("{fault:?} at {first}, there: {there}: {error}"));
            assert_eq!(result(moved), self.expected, "{fault:?} at {first}, there: {there}");
        };
        let (from, back) = (copy(&self.source), Disk::default());
        if there {
            moves(on(&from), attacked());
        } else {
            moves(on(&from), MovePlace::store(store(self.port, &schema)));
            moves(attacked(), on(&back));
        }
        let is_long = proxy.seen() > first;
        *made += proxy.made();
        let tracker = if there {
            at(&self.clock).open_store(store(self.port, &schema)).unwrap()
        } else {
            open_disk(&back, &self.clock)
        };
        sound(&tracker);
        assert_eq!(export(&tracker), self.lines, "{fault:?} at {first}, there: {there}");
        is_long
    }
}

#[test]
fn move_survives_a_broken_connection_at_any_statement() {
    let Some(port) = port() else { return };
    let clock = ManualClock::new();
    let source = source(&clock, 20);
    let target = Disk::default();
    let expected = result(moved(&clock, on(&copy(&source)), on(&target)));
    let lines = export(&open_disk(&target, &clock));
    let attack = Attack { clock, port, source, expected, lines };
    let stride = setting("TRACKER_SWEEP").unwrap_or(STRIDE);
    let mut made = 0;
    for there in [true, false] {
        for (turn, fault) in (0..).zip(FAULTS) {
            let mut first = turn * stride / 5;
            while attack.run(fault, first, there, &mut made) {
                first += stride;
            }
        }
    }
    println!("{made} faults");
    assert!(made > 12, "{made} faults");
}
