//! Tests that redacted texts appear nowhere: in the file, in events, in logs.

use std::{
    fmt, fs,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{Arc, Mutex},
};

use tracing_subscriber::filter::LevelFilter;
use tracker_core::{Execution, Options, Tracker, events::Subscription};

use crate::support::{
    kinds::{Page, page, sound},
    place::{self, OpenInPlace as _},
    subscriber::with_subscriber,
};

const SECRET: &str = "hunter2";

fn redacting() -> Options {
    Tracker::options().redact(|text| *text = text.replace(SECRET, "[redacted]"))
}

/// An error with the secret in its text, its cause and its debug form.
struct Leak(u32);

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "login with {SECRET} failed")
    }
}

impl fmt::Debug for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leak {{ password: {SECRET:?}, depth: {} }}", self.0)
    }
}

impl std::error::Error for Leak {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        (self.0 > 0).then_some(&Leak(0))
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[track_caller]
fn clean(bytes: &[u8], what: &str) {
    let found = bytes.windows(SECRET.len()).position(|window| window == SECRET.as_bytes());
    assert_eq!(found, None, "{what}");
}

/// Every text about an attempt that a handler or an operator can give, with the secret in it.
fn say_everything(tracker: &Tracker) -> String {
    let tasks = tracker.tasks::<Page>().unwrap();
    let ways = ["fail", "keep", "later", "give up", "ignore", "by hand", "panic", "run", "worker", "odd"];
    tasks.submit_all(ways.map(|way| page(way, 1))).unwrap();
    let start = |name: &str| -> Execution<Page> { tasks.start(name).unwrap() };
    let mut held = start("fail");
    held.note(format!("tried {SECRET}"));
    held.progress(1, Some(2), format!("with {SECRET}"));
    tracker.flush().unwrap();
    held.fail(Leak(3)).unwrap();
    start("keep").fail_with_changes(Leak(1)).unwrap();
    start("later").fail_retry_in(Leak(1), std::time::Duration::ZERO).unwrap();
    start("give up").give_up(Leak(1)).unwrap();
    start("ignore").ignore(format!("it wants {SECRET}")).unwrap();
    tasks.ignore("by hand", &format!("it wants {SECRET}")).unwrap();
    let panic = || tasks.run("panic", |_| -> Result<(), Leak> { panic_any(format!("no {SECRET}")) });
    assert!(catch_unwind(AssertUnwindSafe(panic)).is_err());
    let error = tasks.run("run", |_| Err::<(), _>(Leak(2))).unwrap_err();
    assert!(error.to_string().contains(SECRET), "the caller has the original error");
    let summary = tasks.worker().run(|job| {
        job.note(SECRET);
        job.progress(1, None, SECRET);
        Err::<(), _>(Leak(2))
    });
    format!("{:?}", summary.unwrap())
}

#[test]
fn redacted_secret_is_stored_and_logged_nowhere() {
    if place::is_only_for_files("reads the bytes of the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone()).finish();
    // A second listener: with one alone, the first thread to come by decides for all whether a line is listened to.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    with_subscriber(subscriber, || {
        let tracker = redacting().open_at(&path).unwrap();
        let watch: Subscription = tracker.subscribe();
        clean(say_everything(&tracker).as_bytes(), "the summary");
        sound(&tracker);
        tracker.close().unwrap();
        clean(format!("{:?}", watch.collect::<Vec<_>>()).as_bytes(), "the events");
    });
    clean(&fs::read(&path).unwrap(), "the file");
    let log = log.0.lock().unwrap();
    assert!(log.len() > 1_000, "{}", String::from_utf8_lossy(&log));
    clean(&log, "the log");
}

#[test]
fn secret_is_found_without_redaction() {
    if place::is_only_for_files("reads the bytes of the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    say_everything(&tracker);
    let record = tracker.tasks::<Page>().unwrap().get("fail").unwrap().unwrap();
    let failure = record.history[0].failure.clone().unwrap();
    for text in [&failure.error, &failure.causes[0], &failure.debug, &record.history[0].notes[0]] {
        assert!(text.contains(SECRET), "{text}");
    }
    tracker.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
}

#[test]
fn secret_at_the_cut_is_redacted() {
    let tracker = redacting().open_memory().unwrap();
    let tasks = tracker.tasks::<Page>().unwrap();
    for offset in 0..SECRET.len() + 2 {
        let name = offset.to_string();
        tasks.submit(&page(&name, 1)).unwrap();
        let text = "x".repeat((16 << 10) - offset) + SECRET + &"y".repeat(100);
        tasks.start(&name).unwrap().fail(text).unwrap();
        let failure = tasks.get(&name).unwrap().unwrap().history.remove(0).failure.unwrap();
        assert!(!failure.error.contains("hu"), "{offset}");
    }
    sound(&tracker);
}
