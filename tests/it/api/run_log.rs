//! Tests the text log of runs.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracker_core::{Options, Tasks, TrackedTask, Tracker, events::RunLog, execution::StartOptions, time::ManualClock};

use crate::support::{
    kinds::{MINUTE, SECOND, Status, fine, sound},
    place::{self, OpenInPlace as _},
    subscriber::with_subscriber,
};

/// Tried twice, once a minute.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 2, max_crashes = 1, lease = "5m", backoff = "fixed(1m)")]
struct Job {
    #[task(id)]
    name: String,
}

#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `scene` and compares the lines of its run log.
fn told(with: impl FnOnce(Options) -> Options, scene: impl FnOnce(&Tasks<Job>, &ManualClock), expected: &[&str]) {
    told_after(|_| (), with, scene, expected);
}

/// As `told`, after an unlogged preparation.
fn told_after(
    before: impl FnOnce(&Tasks<Job>),
    with: impl FnOnce(Options) -> Options,
    scene: impl FnOnce(&Tasks<Job>, &ManualClock),
    expected: &[&str],
) {
    let clock = ManualClock::at(DateTime::UNIX_EPOCH + Duration::from_secs(3_600));
    let tracker = with(Tracker::options().clock(clock.clone())).open_memory().unwrap();
    let tasks = tracker.tasks::<Job>().unwrap().worker_name("Ada");
    tasks.submit(&Job { name: "one".to_owned() }).unwrap();
    before(&tasks);
    let text = Text::default();
    let listener = tracing_subscriber::registry().with(RunLog::new(text.clone()));
    with_subscriber(listener, || scene(&tasks, &clock));
    let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
    assert!(text.lines().all(|line| !line.starts_with('+') || line.chars().count() == 80), "{text}");
    sound(&tracker);
}

const START: [&str; 3] = [
    r#"+----- start job "one" (10 Pending, attempt 1) --------------------------------+"#,
    "| trying to lock it, with status 20 (InProgress)",
    "| locked by Ada until 1970-01-01 01:05:00 UTC, fence 1",
];

#[test]
fn run_log_of_a_success_has_both_banners() {
    let end = [
        "| succeeded: status 40 (Succeeded), unlocked",
        r#"+----- end job "one" (40 Succeeded) -------------------------------------------+"#,
    ];
    let expected = [&START[..], &end].concat();
    told(|options| options, |tasks, _| tasks.run("one", |_| fine()).unwrap(), &expected);
    let in_a_transaction = |tasks: &Tasks<Job>, _: &ManualClock| {
        let mut held = tasks.claim().unwrap().unwrap();
        held.succeed_with(|_| Ok::<_, tracker_core::Error>(())).unwrap();
    };
    told(|options| options, in_a_transaction, &expected);
}

#[test]
fn run_log_counts_failures_and_shows_the_stored_status() {
    let expected = [
        &START[..],
        &[
            "| failed 1 of 2: status 30 (Failed), unlocked",
            "| no luck",
            "| with […]",
            "| due again at 1970-01-01 01:01:00 UTC",
            r#"+----- end job "one" (30 Failed) ----------------------------------------------+"#,
            r#"+----- start job "one" (30 Failed, attempt 2) ---------------------------------+"#,
            "| trying to lock it, with status 20 (InProgress)",
            "| locked by Ada until 1970-01-01 01:06:00 UTC, fence 2",
            "| failed 2 times already: status 50 (Exhausted), unlocked",
            "| no luck",
            "| with […]",
            r#"+----- end job "one" (50 Exhausted) -------------------------------------------+"#,
            r#"+----- start job "one" (refused) ----------------------------------------------+"#,
            "| it is exhausted after 2 failures and 0 crashes; requeue it or start it with force: nothing is done",
            r#"+----- end job "one" (unchanged) ----------------------------------------------+"#,
        ],
    ]
    .concat();
    let redacting = |options: Options| options.redact(|text| *text = text.replace("hunter2", "[…]"));
    let scene = |tasks: &Tasks<Job>, clock: &ManualClock| {
        for _ in 0..2 {
            tasks.run("one", |_| Err::<(), _>("no luck\nwith hunter2")).unwrap_err();
            clock.advance(MINUTE);
        }
        tasks.start("one").unwrap_err();
    };
    told(redacting, scene, &expected);
}

#[test]
fn run_log_names_refusals_lost_leases_and_crashes() {
    if place::is_only_for_files("an exclusive owner frees the leases of a crashed process at once") {
        return;
    }
    let expected = [
        &START[..],
        &[
            r#"+----- start job "one" (refused) ----------------------------------------------+"#,
            "| it is leased by Ada until 1970-01-01 01:05:00.000 UTC: nothing is done",
            r#"+----- end job "one" (unchanged) ----------------------------------------------+"#,
            r#"+----- start job "one" (20 InProgress, attempt 2) -----------------------------+"#,
            "| trying to lock it, with status 20 (InProgress)",
            "| locked by Ada until 1970-01-01 01:05:00 UTC, fence 2",
            r#"+----- start job "one" (refused) ----------------------------------------------+"#,
            "| its lease is lost: another worker has the task, or it has ended: nothing is done",
            r#"+----- end job "one" (unchanged) ----------------------------------------------+"#,
            "| crashed too often: status 50 (Exhausted), unlocked",
            "| the lease of Ada ended without an outcome",
            r#"+----- end job "one" (50 Exhausted) -------------------------------------------+"#,
        ],
    ]
    .concat();
    let scene = |tasks: &Tasks<Job>, clock: &ManualClock| {
        let mut first = tasks.start("one").unwrap();
        tasks.start("one").unwrap_err();
        let second = tasks.start_with("one", &StartOptions::new().steal_lease()).unwrap();
        first.succeed().unwrap_err();
        drop(second.detach().unwrap());
        clock.advance(MINUTE * 5);
        assert_eq!(tasks.rescue().unwrap().len(), 1);
    };
    told(|options| options, scene, &expected);
}

#[test]
fn run_log_names_other_outcomes_and_skips_empty_claims() {
    let expected = [
        &START[..],
        &[
            "| snoozed: status 10 (Pending), unlocked",
            "| due again at 1970-01-01 01:00:01 UTC",
            r#"+----- end job "one" (10 Pending) ---------------------------------------------+"#,
        ],
    ]
    .concat();
    let scene = |tasks: &Tasks<Job>, _: &ManualClock| {
        tasks.claim().unwrap().unwrap().snooze(SECOND).unwrap();
        assert!(tasks.claim().unwrap().is_none());
    };
    told(|options| options, scene, &expected);
}

#[test]
fn run_log_explains_a_refused_submit_and_start() {
    let expected = [
        r#"+----- start job "one" (refused) ----------------------------------------------+"#,
        "| it has already succeeded; requeue it or start it with force: nothing is done",
        r#"+----- end job "one" (unchanged) ----------------------------------------------+"#,
    ];
    let scene = |tasks: &Tasks<Job>, _: &ManualClock| {
        tasks.submit_and_start(&Job { name: "one".to_owned() }).unwrap_err();
    };
    told_after(|tasks| tasks.run("one", |_| fine()).unwrap(), |options| options, scene, &expected);
}

#[test]
fn run_log_shows_cancelled_for_a_cancelled_attempt() {
    let expected = [
        &START[..],
        &[
            "| cancelled: status 70 (Cancelled), unlocked",
            "| too late",
            r#"+----- end job "one" (70 Cancelled) -------------------------------------------+"#,
        ],
    ]
    .concat();
    let scene = |tasks: &Tasks<Job>, _: &ManualClock| {
        let mut held = tasks.start("one").unwrap();
        tasks.cancel("one").unwrap();
        held.fail("too late").unwrap();
    };
    told(|options| options, scene, &expected);
}
