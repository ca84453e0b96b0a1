//! Tests that files of earlier versions are read, and that grown structs read their old tasks.
//!
//! `TRACKER_FIXTURES=write cargo test --test it storage::file_compatibility` writes the files of the current format anew;
//! docs/format.md says when that may be done.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Record, Submission, TaskStatus, Tasks, TrackedTask, Tracker,
    execution::Ticket,
    file::Sharing,
    inspect::Explanation,
    record::AttemptStatus,
    redb_store::OptionsExt,
    schedule::Schedule,
    submit::{SubmitOptions, TraceContext},
    task::OldPayload,
    time::ManualClock,
};

use crate::support::test_disk::Disk;

mod then;

/// The types a few years later: a status, a variant and fields more, one less, one renamed, all in another order.
mod now {
    use super::*;

    #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Status {
        Pending = 10,
        #[status(parked)]
        Waiting = 15,
        InProgress = 20,
        Failed = 30,
        Succeeded = 40,
        Exhausted = 50,
        Ignored = 60,
        Cancelled = 70,
        #[status(parked)]
        Shelf = 80,
    }

    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
    pub enum Source {
        Tape { reel: u32 },
        Disk { path: String },
        Web(String),
    }

    #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    #[task(name = "job", status = Status, max_attempts = 5)]
    pub struct Job {
        pub source: Source,
        #[serde(alias = "size")]
        pub bytes: u64,
        #[serde(default)]
        pub tags: Vec<String>,
        pub note: Option<String>,
        #[task(index)]
        pub key: u32,
        #[task(index)]
        pub host: String,
        #[task(id)]
        pub name: String,
    }
}

fn job(number: u32) -> then::Job {
    let source = if number.is_multiple_of(2) {
        then::Source::Web(format!("https://host/{number}"))
    } else {
        then::Source::Disk { path: format!("/data/{number}") }
    };
    then::Job {
        name: format!("job {number}"),
        host: format!("host {}", number % 3),
        key: number,
        etag: 7,
        source,
        size: u64::from(number) << 40,
        mood: "fine".to_owned(),
    }
}

fn fetch(number: u32, host: &str, customer: u32) -> then::Fetch {
    then::Fetch { number, host: host.to_owned(), customer }
}

fn note() -> then::Note {
    then::Note { number: 1, text: "of version 2".to_owned() }
}

fn context() -> TraceContext {
    TraceContext::new(1 << 100, 2, true).unwrap().with_state("a=1").unwrap()
}

fn hourly() -> SubmitOptions {
    SubmitOptions::new().throttle("hourly", Duration::from_secs(3_600))
}

/// Writes a file with every feature, under a manual clock.
fn write(tracker: &Tracker, clock: &ManualClock) -> Ticket {
    let jobs = tracker.tasks::<then::Job>().unwrap().worker_name("the worker");
    let parts = tracker.tasks::<then::Part>().unwrap();
    jobs.submit_all((0..10).map(job)).unwrap();
    jobs.submit_with(&job(10), &hourly().delay(Duration::from_secs(86_400)).priority(200).trace_context(context()))
        .unwrap();
    parts.submit_all((0..3).map(|number| then::Part { number, rows: vec![-1, 0, 1] })).unwrap();
    tracker.tasks().unwrap().submit(&note()).unwrap();
    let nightly = Schedule::cron("0 3 * * *").unwrap().time_zone("Europe/Berlin").unwrap();
    tracker.add_schedule("nightly", "job", &nightly, "{}").unwrap().pause().unwrap();
    clock.advance(Duration::from_secs(60));
    let start = |number: u32| jobs.start(job(number).name).unwrap();

    let mut hand = start(0);
    hand.note("it went well");
    hand.metric("rows", 2.5);
    hand.size = 99;
    hand.succeed().unwrap();
    start(1).fail("no luck").unwrap();
    start(2).give_up("never").unwrap();
    start(3).ignore("not now").unwrap();
    jobs.cancel("job 4").unwrap();
    start(5).park(then::Status::Shelf).unwrap();
    start(6).snooze(Duration::from_secs(3_600)).unwrap();
    let ticket = start(7).detach().unwrap();
    let mut running = start(8);
    running.progress(3, Some(9), "on the way");
    tracker.flush().unwrap();
    jobs.submit(&then::Job { etag: 8, size: 1, ..job(8) }).unwrap();
    std::mem::forget(running);
    // The first task holds host a, the second is parked, and the third overtakes it.
    let fetches = tracker.tasks::<then::Fetch>().unwrap();
    let all = [("a", 1), ("a", 1), ("b", 1), ("a", 3)].into_iter();
    fetches.submit_all((0..).zip(all).map(|(number, (host, customer))| fetch(number, host, customer))).unwrap();
    fetches.start(0).unwrap().detach().unwrap();
    fetches.claim().unwrap().unwrap().succeed().unwrap();
    let mut part = parts.step("fetch").unwrap().claim().unwrap().unwrap();
    part.rows.push(2);
    part.succeed().unwrap();
    ticket
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The files of this version, and the ticket that stands in each. That of a killed program has a redo log.
fn fresh() -> [(&'static str, Vec<u8>, String); 2] {
    [("closed", true), ("killed", false)].map(|(name, closed)| {
        let (disk, clock) = (Disk::default().with_log((!closed).then_some(128 << 10)), ManualClock::new());
        let options = Tracker::options().sharing(Sharing::Exclusive).prune_every(None).clock(clock.clone());
        let tracker = disk.open_tracker(options).unwrap();
        let ticket = write(&tracker, &clock).to_string();
        tracker.compact().unwrap();
        for _ in 0..10 {
            tracker.tasks::<then::Note>().unwrap().pause().unwrap();
            tracker.tasks::<then::Note>().unwrap().resume().unwrap();
        }
        let unclean = disk.bytes();
        tracker.close().unwrap();
        (name, if closed { disk.bytes() } else { unclean }, ticket)
    })
}

/// A file of some version of the format, opened half an hour after it was written.
fn opened(bytes: Vec<u8>) -> Tracker {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(1_860));
    let disk = Disk::with_bytes(bytes);
    let options = Tracker::options().sharing(Sharing::Exclusive).prune_every(None).clock(clock).check_on_open(true);
    options.open_backend(move || disk.open()).unwrap()
}

fn all<T: TrackedTask>(tasks: &Tasks<T>) -> BTreeMap<String, Record<T, T::Status>> {
    tasks.query().fetch().unwrap().into_iter().map(|record| (record.id.to_string(), record)).collect()
}

/// Checks the content of a file.
fn check(bytes: &[u8], ticket: &str, what: &str) {
    use then::Status;

    let tracker = opened(bytes.to_vec());
    assert_eq!(tracker.verify().unwrap(), [], "{what}");
    assert_eq!(tracker.kinds().unwrap(), ["job", "line", "note", "fetch"], "{what}");
    let [nightly] = &tracker.schedules().unwrap()[..] else { panic!("{what}: one schedule") };
    assert_eq!((nightly.kind.as_str(), nightly.timing.as_str()), ("job", "cron 0 3 * * * (Europe/Berlin)"), "{what}");
    assert_eq!(
        (nightly.paused, nightly.next.unwrap().to_string().as_str()),
        (true, "2030-01-01 02:00:00 UTC"),
        "{what}"
    );
    let jobs = tracker.tasks::<then::Job>().unwrap();
    let found = all(&jobs);
    let statuses = [
        Status::Succeeded,
        Status::Failed,
        Status::Exhausted,
        Status::Ignored,
        Status::Cancelled,
        Status::Shelf,
        Status::Pending,
        Status::InProgress,
        // Its program was gone, and a changed payload was waiting for that.
        Status::Pending,
        Status::Pending,
        Status::Pending,
    ];
    assert_eq!(found.len(), statuses.len(), "{what}");
    for (number, status) in (0_u32..).zip(statuses) {
        let record = &found[&job(number).name];
        assert_eq!(record.status, status, "{what}: {}", record.id);
        assert_eq!((&record.task.host, record.task.key), (&job(number).host, number), "{what}");
        assert_eq!(record.task.source, job(number).source, "{what}");
        assert_eq!(record.created_at.timestamp(), 1_893_456_000, "{what}");
        let size = match number {
            0 => 99,
            8 => 1,
            _ => job(number).size,
        };
        assert_eq!(record.task.size, size, "{what}: {}", record.id);
    }
    let success = &found["job 0"].history[0];
    assert_eq!((success.status, success.worker.as_str()), (AttemptStatus::Succeeded, "the worker"), "{what}");
    assert_eq!(
        (&success.notes[..], &success.metrics[..]),
        (&["it went well".to_owned()][..], &[("rows".to_owned(), 2.5)][..])
    );
    let failure = found["job 1"].history[0].failure.as_ref().unwrap();
    assert_eq!(failure.error, "no luck", "{what}");
    assert_eq!(found["job 1"].due_at.timestamp(), 1_893_456_120, "{what}");
    assert_eq!(found["job 8"].history[0].status, AttemptStatus::Interrupted, "{what}");
    assert_eq!(found["job 10"].priority, 200, "{what}");
    assert_eq!(found["job 10"].trace_context, Some(context()), "{what}");
    assert_eq!(found["job 9"].trace_context, None, "{what}");
    assert_eq!(jobs.submit_with(&job(11), &hourly()).unwrap().submission, Submission::Throttled, "{what}");
    assert_eq!(jobs.query().index("host", "host 1").total().unwrap(), 4, "{what}");
    assert_eq!(jobs.get_by_key("key", &[&9_u32]).unwrap().unwrap().id.to_string(), "job 9", "{what}");
    let fetches = tracker.tasks::<then::Fetch>().unwrap();
    assert_eq!(fetches.explain(1).unwrap(), Explanation::Limited { index: "host".to_owned(), most: 1 }, "{what}");
    assert!(fetches.claim().unwrap().is_none(), "{what}");
    fetches.submit(&fetch(9, "c", 1)).unwrap();
    assert_eq!(fetches.claim().unwrap().map(|held| held.number), Some(9), "{what}");
    let parts = tracker.tasks::<then::Part>().unwrap();
    assert_eq!(parts.counts().unwrap().get(then::Line::FetchSucceeded), 1, "{what}");
    assert_eq!(parts.step("load").unwrap().claim().unwrap().unwrap().rows, [-1, 0, 1, 2], "{what}");
    assert_eq!(tracker.tasks::<then::Note>().unwrap().get(1_u64).unwrap().unwrap().task, note(), "{what}");
    jobs.resume_ticket(&ticket.parse().unwrap()).unwrap().succeed().unwrap();
    assert_eq!(jobs.get("job 7").unwrap().unwrap().status, Status::Succeeded, "{what}");
    assert_eq!(tracker.verify().unwrap(), [], "{what}");
}

#[test]
fn kept_files_of_this_format_are_read() {
    let writes = std::env::var_os("TRACKER_FIXTURES").is_some();
    for (name, bytes, ticket) in fresh() {
        check(&bytes, &ticket, "just written");
        let path = folder().join(format!("format-13-{name}.redb"));
        if writes {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, bytes).unwrap();
            fs::write(path.with_extension("ticket"), ticket).unwrap();
        }
        let kept = fs::read(&path).unwrap();
        check(&kept, &fs::read_to_string(path.with_extension("ticket")).unwrap(), name);
    }
}

#[test]
fn file_of_an_older_format_is_refused_by_name() {
    let copies = tempfile::tempdir().unwrap();
    for name in (1..=12).flat_map(|format| ["closed", "killed"].map(|state| format!("{format}-{state}"))) {
        let path = copies.path().join(format!("{name}.redb"));
        let fixture = fs::read(folder().join(format!("format-{name}.redb"))).unwrap();
        fs::write(&path, &fixture).unwrap();
        for opened in [Tracker::inspect(&path), Tracker::open(&path)] {
            let error = opened.expect_err("it has an older format");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            for part in [
                &format!("format {}", name.split_once('-').unwrap().0),
                "format 13",
                "tracker export",
                "tracker import",
            ] {
                assert!(error.to_string().contains(part), "{error}");
            }
        }
        let mut damaged = fixture;
        damaged.push(b'x');
        for bytes in [fs::read(&path).unwrap(), damaged] {
            fs::write(&path, bytes).unwrap();
            let into = path.with_extension("recovered");
            let error = Tracker::recover(&path, &into).expect_err("it has an older format");
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(!into.exists());
        }
    }
}

#[test]
fn grown_struct_reads_tasks_of_its_old_form() {
    let kept = fs::read(folder().join("format-13-closed.redb")).unwrap();
    let tracker = opened(kept);
    let jobs = tracker.tasks::<now::Job>().unwrap();
    let found = all(&jobs);
    assert_eq!(found.len(), 11);
    for (number, name) in (0..11).map(|number| (number, job(number).name)) {
        let task = &found[&name].task;
        let source = match job(number).source {
            then::Source::Web(url) => now::Source::Web(url),
            then::Source::Disk { path } => now::Source::Disk { path },
        };
        assert_eq!(task.source, source);
        assert_eq!((task.note.as_deref(), task.tags.len()), (None, 0));
        if ![0, 8].contains(&number) {
            assert_eq!(task.bytes, job(number).size, "{name}");
        }
    }
    // The new index was filled from the old tasks, and new statuses and variants can be used on them.
    assert_eq!(jobs.query().index("key", 9_u32).ids().unwrap().len(), 1);
    jobs.move_to("job 9", now::Status::Waiting).unwrap();
    jobs.update("job 9", |job| job.source = now::Source::Tape { reel: 3 }).unwrap();
    assert_eq!(jobs.get("job 9").unwrap().unwrap().task.source, now::Source::Tape { reel: 3 });
    assert_eq!(tracker.verify().unwrap(), []);
}
