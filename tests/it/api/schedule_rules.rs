//! Tests of the rules of schedules: missed and overlapping occurrences, steps of the clock, jitter.

use std::time::Duration;

use tracker_core::{
    Tasks, Tracker,
    execution::StartOptions,
    schedule::{CatchUp, Overlap},
    time::ManualClock,
};

use super::schedules::{HOUR, at, at_noon, build, hourly, pass};
use crate::support::{
    kinds::{DAY, Job, MINUTE, Status, sound},
    place::OpenInPlace as _,
};

#[test]
fn missed_occurrences_are_caught_up_as_defined_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(at("2026-06-01T12:00:00Z"));
    let open = || Tracker::options().clock(clock.clone()).open_at(folder.path().join("file")).unwrap();
    let rules = [
        ("skip", CatchUp::Skip, vec![]),
        ("latest", CatchUp::Latest, vec!["12:00"]),
        ("all", CatchUp::All { max: 3 }, vec!["10:00", "11:00", "12:00"]),
    ];
    let register = |tracker: &Tracker| {
        let jobs: Tasks<Job> = tracker.tasks().unwrap();
        for (name, catch_up, _) in &rules {
            jobs.schedule(name, &hourly().catch_up(*catch_up).unwrap(), build).unwrap();
        }
        jobs
    };
    drop(register(&open()));
    // The program is off for a day, and starts half an hour after an occurrence.
    clock.advance(DAY + HOUR / 2);
    let tracker = open();
    let jobs = register(&tracker);
    tracker.submit_due_occurrences().unwrap();
    for (name, _, hours) in &rules {
        let info = tracker.schedule(name).unwrap().unwrap().info().unwrap();
        assert_eq!((info.submitted, info.missed), (hours.len() as u64, 24 - hours.len() as u64), "{name}");
        assert_eq!(info.next, Some(at("2026-06-02T13:00:00Z")), "{name}");
        for hour in hours {
            assert!(jobs.get(format!("{name}@2026-06-02T{hour}:00Z")).unwrap().is_some(), "{name} {hour}");
        }
    }
    assert_eq!(jobs.query().total().unwrap(), 4);
    // Nothing is submitted again by another restart.
    drop((jobs, tracker));
    let tracker = open();
    let jobs = register(&tracker);
    tracker.submit_due_occurrences().unwrap();
    assert_eq!(jobs.query().total().unwrap(), 4);
    sound(&tracker);
}

#[test]
fn occurrence_noticed_within_a_minute_is_not_missed() {
    for (late, total) in [(MINUTE, 1), (MINUTE + Duration::from_micros(1), 0)] {
        let (clock, tracker, jobs) = at_noon();
        let schedule = jobs.schedule("hourly", &hourly().catch_up(CatchUp::Skip).unwrap(), build).unwrap();
        schedule.pause().unwrap();
        clock.advance(HOUR + late);
        schedule.resume().unwrap();
        tracker.submit_due_occurrences().unwrap();
        assert_eq!(jobs.query().total().unwrap(), total, "{late:?}");
    }
}

#[test]
fn overlapping_occurrence_is_skipped_queued_or_cancels_earlier() {
    let (clock, tracker, jobs) = at_noon();
    for (name, overlap) in [("skip", Overlap::Skip), ("queue", Overlap::QueueOne), ("cancel", Overlap::CancelEarlier)] {
        jobs.schedule(name, &hourly().overlap(overlap), build).unwrap();
    }
    let hour = |name: &str, hour: u32| format!("{name}@2026-06-01T{hour}:00:00Z");
    pass(&clock, &tracker, HOUR);
    let long = StartOptions::new().lease(DAY);
    let running = ["skip", "queue", "cancel"].map(|name| jobs.start_with(hour(name, 13), &long).unwrap());
    for _ in 0..3 {
        pass(&clock, &tracker, HOUR);
    }
    let [mut skip, mut queue, mut cancel] = running;
    let info = |name: &str| tracker.schedule(name).unwrap().unwrap().info().unwrap();
    assert_eq!((info("skip").submitted, info("skip").overlapped), (1, 3));
    assert_eq!((info("queue").submitted, info("queue").overlapped), (2, 2));
    assert_eq!((info("cancel").submitted, info("cancel").overlapped), (4, 0));
    assert!(cancel.is_cancelled());
    // The queued ones start when the earlier ones have ended.
    assert!(jobs.claim().unwrap().is_none());
    queue.succeed().unwrap();
    assert_eq!(jobs.claim().unwrap().unwrap().id().to_string(), hour("queue", 14));
    cancel.fail("stopped").unwrap();
    assert_eq!(jobs.get(hour("cancel", 13)).unwrap().unwrap().status, Status::Cancelled);
    assert_eq!(jobs.get(hour("cancel", 15)).unwrap().unwrap().status, Status::Cancelled);
    assert_eq!(jobs.claim().unwrap().unwrap().id().to_string(), hour("cancel", 16));
    // A finished one no longer prevents the next.
    skip.succeed().unwrap();
    pass(&clock, &tracker, HOUR);
    assert_eq!(info("skip").submitted, 2);
    sound(&tracker);
}

#[test]
fn failed_occurrence_retries_and_counts_as_unfinished() {
    let (clock, tracker, jobs) = at_noon();
    let schedule = jobs.schedule("hourly", &hourly(), build).unwrap();
    pass(&clock, &tracker, HOUR);
    jobs.claim().unwrap().unwrap().fail("once").unwrap();
    pass(&clock, &tracker, HOUR);
    assert_eq!(schedule.info().unwrap().overlapped, 1);
    assert_eq!(jobs.claim().unwrap().unwrap().attempt(), 2);
}

#[test]
fn clock_that_steps_back_or_ahead_makes_no_occurrence_twice() {
    let (clock, tracker, jobs) = at_noon();
    let schedule = jobs.schedule("hourly", &hourly(), build).unwrap();
    for step in [3600, -7200, 86_400, -86_400 * 30, 1, 1_800] {
        clock.jump(chrono::TimeDelta::seconds(step));
        tracker.submit_due_occurrences().unwrap();
        jobs.query().unfinished().cancel().unwrap();
    }
    let info = schedule.info().unwrap();
    let mut distinct = info.recent.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((distinct.len() as u64, jobs.query().total().unwrap()), (info.submitted, info.submitted));
    assert_eq!(info.submitted, 2, "{info:?}");
}

#[test]
fn jitter_delays_the_start_and_not_the_nominal_time() {
    let (clock, tracker, jobs) = at_noon();
    let jittered = hourly().jitter(MINUTE * 30).unwrap();
    for number in 0..50 {
        jobs.schedule(&format!("s{number}"), &jittered, build).unwrap();
    }
    let starts: Vec<_> = tracker.schedules().unwrap().iter().map(|info| info.starts_at.unwrap()).collect();
    assert!(starts.iter().any(|start| *start > at("2026-06-01T13:10:00Z")), "{starts:?}");
    pass(&clock, &tracker, HOUR + MINUTE * 15);
    let now = at("2026-06-01T13:15:00Z");
    let due = starts.iter().filter(|start| **start <= now).count() as u64;
    assert!(due > 0 && due < 50, "{due}");
    assert_eq!(jobs.query().total().unwrap(), due);
    pass(&clock, &tracker, MINUTE * 15);
    let times = jobs.query().fetch().unwrap().into_iter().map(|record| record.scheduled_at);
    assert_eq!(times.collect::<Vec<_>>(), vec![Some(at("2026-06-01T13:00:00Z")); 50]);
}
