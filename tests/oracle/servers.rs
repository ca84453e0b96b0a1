//! Kills PostgreSQL servers, lets a standby take over, cuts connections and refuses commits, while three processes submit, claim, end and
//! cancel tasks. After each fault the schema is verified. No call may fail, since each fault ends within the `busy_timeout`.
//!
//! `TRACKER_SERVER_KILLS=n` and `TRACKER_FAILOVERS=n` make it longer.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::Duration,
};

use tracker_core::{ErrorKind, Tracker};
use tracker_postgres::{Isolation, PostgresOptions};

use crate::{
    checker::{self, Figures},
    child,
    client::{AllTasks, Client, Held, Plan},
    fault_proxy::{Fault, FaultProxy, Faults},
    log::{self, Answer, Event, Log},
    random::{Random, seed, setting},
    server::Server,
};

const PROCESSES: u32 = 3;
const THREADS: u64 = 3;
/// Tasks of each kind that a client uses at a time, and its calls until it leaves one of them behind.
const WINDOW: u32 = 12;
const CALLS_PER_TASK: u32 = 40;
/// Shorter than a restart, so that leases run out during one.
const LEASE: Duration = Duration::from_millis(250);
/// Bytes of the log between two faults.
const LOG_PER_FAULT: u64 = 40_000;
/// Faults after which a new schema begins.
const FAULTS_PER_SCHEMA: u64 = 10;
const SETTINGS: [&str; 2] = ["fsync=off", "max_connections=80"];

/// Starts servers only where this is possible.
macro_rules! started_or_skip {
    ($server:expr) => {
        match $server {
            Ok(server) => server,
            Err(reason) => {
                println!("skipped: {reason}");
                return;
            }
        }
    };
}

fn connect(file: &Path) -> Tracker {
    let address = fs::read_to_string(file.with_extension("address")).unwrap();
    let [url, schema, isolation] = address.lines().collect::<Vec<_>>().try_into().unwrap();
    let isolation = if isolation == "serializable" { Isolation::Serializable } else { Isolation::ReadCommitted };
    let options = PostgresOptions::new(url).unwrap().schema(schema).isolation(isolation);
    let options = options.connections(4).busy_timeout(Duration::from_secs(60));
    loop {
        match options.connect() {
            Ok(tracker) => return tracker,
            // The first connect does not wait for a server that is down.
            Err(error) if error.kind() == ErrorKind::Io => thread::sleep(Duration::from_millis(50)),
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn run_child(name: &str, file: &Path) {
    let log = Log::file(&file.with_extension("log"));
    let tracker = connect(file);
    let tasks = AllTasks::open(&tracker).unwrap();
    let number: u64 = name[1..].parse().unwrap();
    let stop = file.with_extension("stop");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, tasks, stop) = (&log, &tasks, &stop);
            scope.spawn(move || {
                let random = Random::new(seed() << 32 | number << 8 | thread);
                let mut client = Client { log, name: format!("{name}.{thread}"), random };
                let mut held = Held::default();
                for call in 0.. {
                    if call % 16 == 0 && stop.exists() {
                        break;
                    }
                    let plan = Plan { first: call / CALLS_PER_TASK, tasks: WINDOW, lease: LEASE, contended: false };
                    client.step(tasks, &mut held, &plan);
                }
                client.release_all(held);
            });
        }
    });
    drop(tasks);
    tracker.close().unwrap();
}

/// A schema, and the processes that work in it.
struct Site {
    _folder: tempfile::TempDir,
    file: PathBuf,
    tracker: Tracker,
    children: Vec<Child>,
}

impl Site {
    /// `url` is that of the processes, `own_url` that of this one.
    fn new(url: &str, own_url: &str, schema: &str, isolation: Isolation) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks");
        let isolation = if isolation == Isolation::Serializable { "serializable" } else { "read committed" };
        fs::write(file.with_extension("address"), format!("{own_url}\n{schema}\n{isolation}")).unwrap();
        let tracker = connect(&file);
        AllTasks::open(&tracker).unwrap();
        fs::write(file.with_extension("address"), format!("{url}\n{schema}\n{isolation}")).unwrap();
        Self { _folder: folder, file, tracker, children: Vec::new() }
    }

    fn start(&mut self) {
        self.children =
            (0..PROCESSES).map(|number| child::start("servers", &format!("p{number}"), &self.file)).collect();
    }

    /// Waits until the processes have made calls for so many bytes of the log.
    fn work(&mut self, bytes: u64) {
        let target = log::length(&self.file.with_extension("log")) + bytes;
        let ran = child::wait_for_log(&self.file, target, &mut self.children[0]);
        assert!(ran, "a process ended: {}", child::errors(&self.file));
    }

    /// Ends the processes, and checks what they have seen.
    fn judge(mut self, what: &str) -> Figures {
        fs::write(self.file.with_extension("stop"), "").unwrap();
        for child in &mut self.children {
            assert!(child.wait().unwrap().success(), "{what}: {}", child::errors(&self.file));
        }
        assert_eq!(self.tracker.verify().unwrap(), [], "{what}");
        let path = self.file.with_extension("log");
        let called = log::read(&path);
        let tasks = called.iter().filter_map(|entry| match &entry.event {
            Event::Called { call, .. } => call.task,
            _ => None,
        });
        let last = tasks.max().unwrap();
        {
            let log = Log::file(&path);
            // Relaxed submits have been stored by the end of their process.
            log.write(Event::Settled);
            let client = Client { log: &log, name: "last.0".to_owned(), random: Random::new(0) };
            client.get_all(&AllTasks::open(&self.tracker).unwrap(), 0..last + 1);
        }
        let entries = log::read(&path);
        let figures = checker::check(&entries)
            .unwrap_or_else(|wrong| panic!("{what}, seed {}: {wrong}{}", seed(), log::kept(&entries)));
        println!("{what}: {figures:?}");
        let is_failed = |entry: &&log::Entry| {
            matches!(entry.event, Event::Answered { answer: Answer::Failed | Answer::Unknown, .. })
        };
        let failed = entries.iter().filter(is_failed).count();
        assert_eq!(failed, 0, "{what}: calls that failed{}", log::kept(&entries));
        assert!(figures.successes > 5, "there was no load: {figures:?}");
        figures
    }
}

/// The parts of so many faults, each for a schema of its own: its number, isolation and number of faults.
fn schemas(faults: u64) -> impl Iterator<Item = (String, Isolation, u64)> {
    (0..faults.div_ceil(FAULTS_PER_SCHEMA)).map(move |number| {
        let isolation = if number % 2 == 0 { Isolation::ReadCommitted } else { Isolation::Serializable };
        (format!("s{number}"), isolation, FAULTS_PER_SCHEMA.min(faults - number * FAULTS_PER_SCHEMA))
    })
}

fn random_pause(random: &mut Random) {
    thread::sleep(Duration::from_micros(random.number() % 20_000));
}

#[test]
fn killed_server_loses_nothing_acknowledged() {
    let server = started_or_skip!(Server::start(&SETTINGS));
    let url = server.url("postgres");
    let mut random = Random::new(seed());
    for (schema, isolation, kills) in schemas(setting("TRACKER_SERVER_KILLS", 3)) {
        let mut site = Site::new(&url, &url, &schema, isolation);
        site.start();
        for _ in 0..kills {
            site.work(LOG_PER_FAULT);
            random_pause(&mut random);
            server.kill();
            random_pause(&mut random);
            server.launch().unwrap();
            assert_eq!(site.tracker.verify().unwrap(), []);
        }
        site.work(LOG_PER_FAULT);
        site.judge(&format!("{kills} kills, {isolation:?}"));
    }
}

#[test]
fn failover_to_a_standby_loses_nothing_acknowledged() {
    let settings = [SETTINGS[0], SETTINGS[1], "synchronous_standby_names=*"];
    let mut primary = started_or_skip!(Server::start(&settings));
    let mut standby = primary.standby(None).unwrap();
    let url = primary.url_of_two(&standby, "postgres");
    let mut random = Random::new(seed());
    for (schema, isolation, failovers) in schemas(setting("TRACKER_FAILOVERS", 1)) {
        let mut site = Site::new(&url, &url, &schema, isolation);
        site.start();
        for _ in 0..failovers {
            site.work(LOG_PER_FAULT);
            random_pause(&mut random);
            primary.kill();
            standby.promote();
            // A new standby in place of the lost server. Commits wait for it.
            let lost = std::mem::replace(&mut primary, standby);
            standby = primary.standby(Some(lost.port)).unwrap();
            drop(lost);
            assert_eq!(site.tracker.verify().unwrap(), []);
        }
        site.work(LOG_PER_FAULT);
        site.judge(&format!("{failovers} failovers, {isolation:?}"));
    }
}

#[test]
fn cut_connections_of_processes_lose_nothing() {
    let server = started_or_skip!(Server::start(&SETTINGS));
    let proxy = FaultProxy::start(server.port);
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        proxy.set(None);
        let url = server.url("postgres");
        let mut site = Site::new(&server.url_at(proxy.port, "postgres"), &url, &format!("c{isolation:?}"), isolation);
        proxy.set(Some(Faults { fault: Fault::CutAtOnce, first: 50, every: 151 }));
        site.start();
        site.work(3 * LOG_PER_FAULT);
        site.judge(&format!("{} cuts, {isolation:?}", proxy.made()));
    }
}

#[test]
fn refused_commits_of_processes_lose_nothing() {
    let server = started_or_skip!(Server::start(&SETTINGS));
    let url = server.url("postgres");
    for isolation in [Isolation::ReadCommitted, Isolation::Serializable] {
        let schema = format!("r{isolation:?}").to_lowercase();
        let mut site = Site::new(&url, &url, &schema, isolation);
        server.psql("postgres", &REFUSE_EACH_THIRD_COMMIT.replace("{schema}", &schema)).unwrap();
        site.start();
        site.work(3 * LOG_PER_FAULT);
        let commits = server.psql("postgres", &format!("SELECT last_value FROM {schema}.commits")).unwrap();
        site.judge(&format!("{commits} commits, {isolation:?}"));
    }
}

/// Each commit changes a row of `marks`. The trigger runs in the commit itself.
const REFUSE_EACH_THIRD_COMMIT: &str = "
    CREATE SEQUENCE {schema}.commits;
    CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('{schema}.commits') % 3 = 0 THEN
            RAISE EXCEPTION 'refused by the test' USING ERRCODE = '40001';
        END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON {schema}.marks
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();";
