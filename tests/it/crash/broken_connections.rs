//! Plays the script that uses everything on a PostgreSQL server, while the connection breaks at each statement in turn, or the server
//! refuses it. A call that succeeds is stored once, and a call that fails has stored nothing.
//!
//! Needs the server of `TRACKER_TEST_URL`, as `tracker-postgres/with_server` starts it. `TRACKER_SWEEP=1` makes each fault at each statement,
//! and `TRACKER_SWEEP=n` at each nth one; `TRACKER_POINT=n` begins at this statement only.

use std::{
    env, process,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use tracker_core::{ErrorKind, Tracker, store::OptionsExt, time::ManualClock};
use tracker_postgres::{Isolation, PostgresOptions, PostgresStore};

use crate::support::{
    fault_proxy::{Fault, FaultProxy, Faults},
    random::setting,
    script::{LATER, SCRIPT, Script},
    snapshot::Snapshot,
};

/// Statements between two faults. A call meets one at most, since some calls need more statements.
const EVERY: u64 = 97;

/// Steps with code of the user in a transaction, which does not run again by itself.
const USER_TRANSACTIONS: [&str; 3] = ["succeed in a transaction", "a transaction rolls back", "loaded"];

static NEXT_SCHEMA: AtomicUsize = AtomicUsize::new(0);

/// The server, and a schema in it.
#[derive(Clone)]
struct Place {
    url: String,
    port: u16,
    schema: String,
    isolation: Isolation,
    clock: ManualClock,
}

/// A new schema of the server. Prints why there is none, and then the test has to end.
fn place(isolation: Isolation) -> Option<Place> {
    let Ok(url) = env::var("TRACKER_TEST_URL") else {
        println!("skipped: no server in TRACKER_TEST_URL (see tracker-postgres/with_server)");
        return None;
    };
    let port = url.split("port=").nth(1).and_then(|port| port.split('&').next()).unwrap().parse().unwrap();
    let schema = format!("b{}_{}", process::id(), NEXT_SCHEMA.fetch_add(1, Ordering::Relaxed));
    Some(Place { url, port, schema, isolation, clock: ManualClock::new() })
}

impl Place {
    fn store(&self, url: &str) -> PostgresStore {
        let options = PostgresOptions::new(url).unwrap().schema(&*self.schema).client_clock(true);
        let options = options.isolation(self.isolation).busy_timeout(Duration::from_secs(20)).connections(3);
        PostgresStore::connect(&options).unwrap()
    }

    /// The program that plays the script, through a proxy on this port.
    fn script(&self, port: u16) -> Script {
        let store = self.store(&format!("postgres://owner@127.0.0.1:{port}/postgres?sslmode=disable"));
        let options = Tracker::options().clock(self.clock.clone()).prune_every(None);
        Script::over(options.open_store(store).unwrap(), false, &self.clock).unwrap()
    }

    /// A program that only looks, on a sound connection.
    fn spectator(&self) -> Script {
        let options = Tracker::options().clock(self.clock.clone());
        Script::over(options.inspect_store(self.store(&self.url)).unwrap(), false, &self.clock).unwrap()
    }
}

/// A snapshot without fences and numbers of batches: on a server, they have gaps.
fn look(script: &Script) -> Snapshot {
    let mut look = script.look().unwrap();
    for seen in look.0.values_mut() {
        let mut parts = seen.standing.split("[(");
        let start = parts.next().unwrap_or_default();
        let (start, batch) = start.split_once(" batch ").unwrap_or((start, ""));
        let start = format!("{start} batch {}", batch.starts_with("Some"));
        let attempts =
            parts.flat_map(|past| past.split("), (")).map(|past| past.split_once(", ").unwrap_or_default().1);
        seen.standing = attempts.fold(start, |all, past| all + "; " + past);
    }
    look
}

/// The state before each step, and after the last one, without faults.
fn record(place: &Place) -> Vec<Snapshot> {
    let mut script = place.script(place.port);
    let mut looks = vec![look(&script)];
    for step in SCRIPT {
        (step.act)(&mut script).unwrap_or_else(|error| panic!("{}: {error}", step.name));
        looks.push(look(&script));
    }
    looks
}

/// Tells what was tried if the script panics.
struct Context(Faults, &'static str);

impl Drop for Context {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{:?}, in {:?}", self.0, self.1);
        }
    }
}

#[derive(Debug, Default)]
struct Found {
    faults: u64,
    /// Calls that failed, and had no effect.
    refused: u64,
    wrong: Vec<String>,
}

fn attack(place: &Place, recorded: &[Snapshot], faults: Faults, found: &mut Found) {
    let proxy = FaultProxy::start(place.port);
    let (mut script, mut spectator) = (place.script(proxy.port), place.spectator());
    proxy.set(Some(faults));
    for (number, step) in SCRIPT.iter().enumerate() {
        let _context = Context(faults, step.name);
        let made = proxy.made();
        proxy.allow(1);
        while let Err(error) = (step.act)(&mut script) {
            let may_fail = USER_TRANSACTIONS.contains(&step.name) && error.kind() == ErrorKind::Busy;
            assert!(may_fail, "{:?}: {error}", error.kind());
            assert_eq!(look(&spectator), recorded[number], "{} failed and is stored: {error}", step.name);
            found.refused += 1;
        }
        if step.name == LATER {
            (step.act)(&mut spectator).unwrap();
        }
        if proxy.made() > made {
            let seen = look(&spectator);
            if let Err(what) = seen.is_between(&recorded[number + 1], &recorded[number + 1], step.stored) {
                found.wrong.push(format!("{faults:?}, in {:?}: {what}", step.name));
                return;
            }
        }
    }
    found.faults += proxy.made();
    // A server refuses only a part of what the proxy counts, and a call meets one fault at most.
    let hits = proxy.seen() / EVERY;
    assert!(proxy.made() > hits / 4, "the proxy made only {} faults of {hits}", proxy.made());
    proxy.set(None);
    assert_eq!(spectator.tracker.verify().unwrap(), [], "{faults:?}");
}

/// Makes each fault at each statement, or at some.
fn sweep(isolation: Isolation, faults: &[Fault]) {
    let Some(place) = place(isolation) else { return };
    let recorded = record(&place);
    let points: Vec<_> = match (setting("TRACKER_POINT"), setting("TRACKER_SWEEP")) {
        (Some(point), _) => vec![point],
        (None, Some(stride)) => (0..EVERY).step_by(usize::try_from(stride).unwrap()).collect(),
        (None, None) => vec![11],
    };
    let mut found = Found::default();
    for (turn, fault) in (0..).zip(faults) {
        for point in &points {
            let faults = Faults { fault: *fault, first: (point + turn * 29) % EVERY, every: EVERY };
            attack(&self::place(isolation).unwrap(), &recorded, faults, &mut found);
        }
    }
    println!("{isolation:?}: {} faults, {} calls failed without effect", found.faults, found.refused);
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n"));
}

#[test]
fn cut_connections_lose_nothing_and_repeat_nothing() {
    sweep(Isolation::ReadCommitted, &[Fault::Cut, Fault::SilentCut, Fault::End("57P01"), Fault::End("08006")]);
}

#[test]
fn refused_statements_lose_nothing_and_repeat_nothing() {
    sweep(Isolation::ReadCommitted, &[Fault::Refuse("40001"), Fault::Refuse("40P01"), Fault::Refuse("55P03")]);
}

#[test]
fn faults_of_serializable_units_lose_nothing() {
    sweep(Isolation::Serializable, &[Fault::SilentCut, Fault::Refuse("40001")]);
}
