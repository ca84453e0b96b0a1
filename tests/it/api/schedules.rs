//! Tests of schedules: occurrences, ids, pauses, restarts, templates, failing builders, several trackers.

use std::{sync::Arc, thread, time::Duration};

use chrono::{DateTime, Timelike, Utc};
use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Tasks, TrackedTask, Tracker,
    file::Sharing,
    schedule::{Occurrence, OccurrenceRecord, Overlap, Schedule},
    time::ManualClock,
};
use uuid::Uuid;

use crate::support::{
    kinds::{DAY, Job, MINUTE, Mail, SECOND, Status, job, refused, sound},
    place::OpenInPlace as _,
    random::setting,
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// Generated ids.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "note", status = Status, id = uuid)]
struct Note {
    text: String,
}

/// Ids are UUIDs.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "parcel", status = Status)]
struct Parcel {
    #[task(id)]
    id: Uuid,
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A tracker in memory at noon.
pub(super) fn at_noon() -> (ManualClock, Tracker, Tasks<Job>) {
    let clock = ManualClock::at(at("2026-06-01T12:00:00Z"));
    let tracker = Tracker::options().clock(clock.clone()).open_memory().unwrap();
    let jobs = tracker.tasks().unwrap();
    (clock, tracker, jobs)
}

pub(super) fn hourly() -> Schedule {
    Schedule::cron("0 * * * *").unwrap()
}

pub(super) fn build(occurrence: &Occurrence) -> Job {
    job(&occurrence.id())
}

/// Sets the clock ahead and submits what is due.
pub(super) fn pass(clock: &ManualClock, tracker: &Tracker, time: Duration) {
    clock.advance(time);
    tracker.submit_due_occurrences().unwrap();
}

fn ids(jobs: &Tasks<Job>) -> Vec<String> {
    jobs.query().fetch().unwrap().iter().map(|record| record.id.to_string()).collect()
}

#[test]
fn occurrence_is_one_task_with_a_derived_id_and_its_time() {
    let (clock, tracker, jobs) = at_noon();
    let schedule = jobs.schedule("hourly", &hourly(), build).unwrap();
    assert_eq!(ids(&jobs), [""; 0]);
    pass(&clock, &tracker, HOUR - SECOND);
    assert_eq!(ids(&jobs), [""; 0]);
    for _ in 0..3 {
        pass(&clock, &tracker, SECOND / 3);
    }
    pass(&clock, &tracker, SECOND);
    assert_eq!(ids(&jobs), ["hourly@2026-06-01T13:00:00Z"]);
    let mut execution = jobs.claim().unwrap().unwrap();
    assert_eq!(execution.scheduled_at(), Some(at("2026-06-01T13:00:00Z")));
    execution.succeed().unwrap();
    pass(&clock, &tracker, HOUR);
    assert_eq!(ids(&jobs), ["hourly@2026-06-01T13:00:00Z", "hourly@2026-06-01T14:00:00Z"]);
    let info = schedule.info().unwrap();
    assert_eq!((info.submitted, info.missed, info.overlapped, info.failed), (2, 0, 0, 0));
    assert_eq!(info.recent, [at("2026-06-01T13:00:00Z"), at("2026-06-01T14:00:00Z")]);
    assert_eq!(info.next, Some(at("2026-06-01T15:00:00Z")));
    assert_eq!(schedule.next_runs(2).unwrap(), [at("2026-06-01T15:00:00Z"), at("2026-06-01T16:00:00Z")]);
    jobs.submit(&job("plain")).unwrap();
    assert_eq!(jobs.get("plain").unwrap().unwrap().scheduled_at, None);
    sound(&tracker);
}

#[test]
fn thread_submits_when_the_clock_reaches_the_time() {
    let (clock, _tracker, jobs) = at_noon();
    let (sender, built) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    jobs.schedule("hourly", &hourly(), move |occurrence| {
        sender.lock().unwrap().send(occurrence.clone()).unwrap();
        build(occurrence)
    })
    .unwrap();
    for hour in ["13", "14"] {
        clock.advance(HOUR);
        let occurrence = built.recv_timeout(MINUTE).unwrap();
        assert_eq!(occurrence.id(), format!("hourly@2026-06-01T{hour}:00:00Z"));
        while jobs.get(occurrence.id()).unwrap().is_none() {
            thread::yield_now();
        }
        jobs.claim().unwrap().unwrap().succeed().unwrap();
    }
}

#[test]
fn ids_of_each_type_are_derived_or_refused() {
    let (clock, tracker, _) = at_noon();
    let notes: Tasks<Note> = tracker.tasks().unwrap();
    let parcels: Tasks<Parcel> = tracker.tasks().unwrap();
    let mails: Tasks<Mail> = tracker.tasks().unwrap();
    notes.schedule("notes", &hourly(), |_| Note { text: String::new() }).unwrap();
    parcels.schedule("parcels", &hourly(), |occurrence| Parcel { id: occurrence.uuid() }).unwrap();
    let mail = |_: &Occurrence| Mail { number: 1, client: String::new(), request: 0, reference: None };
    let error = refused(mails.schedule("mails", &hourly(), mail), ErrorKind::Invalid);
    assert!(error.to_string().contains("an id is an integer there"), "{error}");
    refused(notes.schedule("", &hourly(), |_| Note { text: String::new() }), ErrorKind::Invalid);
    let error =
        refused(parcels.schedule("notes", &hourly(), |_| Parcel { id: Uuid::nil() }), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("makes tasks of kind \"note\", not \"parcel\""), "{error}");
    pass(&clock, &tracker, HOUR);
    assert_eq!((notes.query().total().unwrap(), parcels.query().total().unwrap()), (1, 1));
    assert!(notes.query().fetch().unwrap()[0].id.as_uuid().is_some());
    sound(&tracker);
}

#[test]
fn pause_survives_restarts_and_a_changed_definition() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(at("2026-06-01T12:00:00Z"));
    let open = || {
        let tracker = Tracker::options().clock(clock.clone()).open_at(folder.path().join("file")).unwrap();
        let jobs: Tasks<Job> = tracker.tasks().unwrap();
        (tracker, jobs)
    };
    let (tracker, jobs) = open();
    jobs.schedule("hourly", &hourly(), build).unwrap().pause().unwrap();
    drop((tracker, jobs));
    clock.advance(DAY);
    let (tracker, jobs) = open();
    let changed = Schedule::cron("30 * * * *").unwrap();
    let schedule = jobs.schedule("hourly", &changed, build).unwrap();
    tracker.submit_due_occurrences().unwrap();
    assert_eq!((jobs.query().total().unwrap(), schedule.info().unwrap().paused), (0, true));
    // The changed definition takes effect from its next occurrence: what the old one missed is not caught up.
    schedule.resume().unwrap();
    tracker.submit_due_occurrences().unwrap();
    assert_eq!(jobs.query().total().unwrap(), 0);
    pass(&clock, &tracker, HOUR / 2);
    assert_eq!(ids(&jobs), ["hourly@2026-06-02T12:30:00Z"]);
}

#[test]
fn failing_builder_skips_its_occurrence_and_no_other() {
    let (clock, tracker, jobs) = at_noon();
    let broken = |occurrence: &Occurrence| match occurrence.scheduled_at().hour() {
        13 => panic!("no luck"),
        14 => job("another id"),
        _ => build(occurrence),
    };
    let schedule = jobs.schedule("broken", &hourly(), broken).unwrap();
    jobs.schedule("sound", &hourly(), build).unwrap();
    for (hour, words) in [(1, "panicked: no luck"), (2, "has the id \"another id\""), (3, "has the id")] {
        jobs.query().unfinished().cancel().unwrap();
        pass(&clock, &tracker, HOUR);
        let info = schedule.info().unwrap();
        assert!(info.last_error.as_ref().unwrap().contains(words), "{info:?}");
        assert_eq!(tracker.schedule("sound").unwrap().unwrap().info().unwrap().submitted, hour);
    }
    let info = schedule.info().unwrap();
    assert_eq!((info.submitted, info.failed, info.missed), (1, 2, 0));
}

#[test]
fn run_now_submits_besides_the_schedule_also_while_paused() {
    let (clock, tracker, jobs) = at_noon();
    let schedule = jobs.schedule("hourly", &hourly(), build).unwrap();
    schedule.pause().unwrap();
    clock.advance(MINUTE);
    let id = schedule.run_now().unwrap();
    assert_eq!(id.to_string(), "hourly@2026-06-01T12:01:00Z");
    assert_eq!(schedule.info().unwrap().next, Some(at("2026-06-01T13:00:00Z")));
    schedule.resume().unwrap();
    pass(&clock, &tracker, HOUR);
    assert_eq!(schedule.info().unwrap().overlapped, 1, "the occurrence of the operator is unfinished");
    schedule.remove().unwrap();
    refused(schedule.run_now(), ErrorKind::NotFound);
    refused(schedule.pause(), ErrorKind::NotFound);
    assert!(tracker.schedule("hourly").unwrap().is_none());
    pass(&clock, &tracker, DAY);
    assert_eq!(ids(&jobs), ["hourly@2026-06-01T12:01:00Z"]);
}

#[test]
fn history_lists_the_latest_occurrences_with_their_tasks() {
    let (clock, tracker, jobs) = at_noon();
    let schedule = jobs.schedule("hourly", &hourly(), build).unwrap();
    let parcels = tracker.tasks::<Parcel>().unwrap();
    let by_uuid = parcels.schedule("parcels", &hourly(), |occurrence| Parcel { id: occurrence.uuid() }).unwrap();
    for _ in 0..3 {
        pass(&clock, &tracker, HOUR);
        let mut execution = jobs.claim().unwrap().unwrap();
        execution.succeed().unwrap();
    }
    jobs.remove("hourly@2026-06-01T14:00:00Z").unwrap();
    let now = schedule.run_now().unwrap();
    let listed: Vec<_> = schedule.occurrences(3).unwrap();
    let text = |one: &OccurrenceRecord| {
        let status = one.status.as_ref().map(|status| status.name.clone());
        (one.scheduled_at, one.id.as_ref().map(ToString::to_string), status)
    };
    let name = |status: &str| Some(status.to_owned());
    let expected = [
        (at("2026-06-01T15:00:00Z"), Some(now.to_string()), name("Succeeded")),
        (at("2026-06-01T14:00:00Z"), None, None),
        (at("2026-06-01T13:00:00Z"), Some("hourly@2026-06-01T13:00:00Z".to_owned()), name("Succeeded")),
    ];
    assert_eq!(listed.iter().map(text).collect::<Vec<_>>(), expected);
    let parcel = &by_uuid.occurrences(1).unwrap()[0];
    assert_eq!(parcel.id, Some(parcels.query().first().unwrap().unwrap().id));
    // Pages of schedules, by name.
    let names = |after, most| {
        let page = tracker.schedules_after(after, most).unwrap();
        page.into_iter().map(|schedule| schedule.name).collect::<Vec<_>>()
    };
    assert_eq!((names(None, 1), names(Some("hourly"), 9)), (vec!["hourly".to_owned()], vec!["parcels".to_owned()]));
    schedule.remove().unwrap();
    refused(schedule.occurrences(1), ErrorKind::NotFound);
}

#[test]
fn template_is_filled_and_built_by_a_program_with_the_kind() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(at("2026-06-01T12:00:00Z"));
    let open = || Tracker::options().clock(clock.clone()).open_at(folder.path().join("file")).unwrap();
    let tracker = open();
    refused(tracker.add_schedule("data", "job", &hourly(), "{}"), ErrorKind::NotFound);
    drop(tracker.tasks::<Job>().unwrap());
    refused(tracker.add_schedule("data", "job", &hourly(), "{"), ErrorKind::Invalid);
    let template = r#"{"name": "{id}", "host": "{schedule} of {scheduled_at}", "result": null}"#;
    tracker.add_schedule("a \"b\"", "job", &hourly(), template).unwrap();
    tracker.add_schedule("wrong", "job", &hourly(), r#"{"name": 5}"#).unwrap();
    drop(tracker);
    clock.advance(HOUR);
    // A program without the type leaves them alone.
    let tracker = open();
    tracker.submit_due_occurrences().unwrap();
    assert_eq!(tracker.schedules().unwrap().iter().map(|info| info.submitted).collect::<Vec<_>>(), [0, 0]);
    let jobs: Tasks<Job> = tracker.tasks().unwrap();
    while tracker.schedules().unwrap().iter().any(|info| info.submitted + info.failed == 0) {
        thread::yield_now();
    }
    let [record] = &jobs.query().fetch().unwrap()[..] else { panic!("one task") };
    assert_eq!(record.id.to_string(), "a \"b\"@2026-06-01T13:00:00Z");
    assert_eq!(record.task.host, "a \"b\" of 2026-06-01T13:00:00Z");
    let wrong = tracker.schedule("wrong").unwrap().unwrap().info().unwrap();
    assert!(wrong.last_error.unwrap().contains("cannot be read as"));
    sound(&tracker);
}

#[test]
fn trackers_of_one_file_make_one_task_of_each_occurrence() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(at("2026-06-01T12:00:00Z"));
    let open = || {
        let options = Tracker::options().clock(clock.clone()).sharing(Sharing::Writers);
        let tracker = options.open_at(folder.path().join("file")).unwrap();
        let jobs: Tasks<Job> = tracker.tasks().unwrap();
        (tracker, jobs)
    };
    let trackers = [open(), open(), open()];
    let every = Schedule::every(MINUTE).unwrap().overlap(Overlap::CancelEarlier);
    for (_, jobs) in &trackers {
        jobs.schedule("often", &every, build).unwrap();
    }
    for _ in 0..20 {
        clock.advance(MINUTE);
        thread::scope(|scope| {
            for (tracker, _) in &trackers {
                scope.spawn(|| tracker.submit_due_occurrences().unwrap());
            }
        });
    }
    let (tracker, jobs) = &trackers[0];
    assert_eq!(jobs.query().total().unwrap(), 20);
    assert_eq!(tracker.schedule("often").unwrap().unwrap().info().unwrap().submitted, 20);
    sound(tracker);
}

#[test]
fn close_waits_for_a_builder_and_ends_the_thread() {
    let (clock, tracker, jobs) = at_noon();
    let alive = Arc::new(());
    let held = alive.clone();
    jobs.schedule("hourly", &hourly(), move |occurrence| {
        drop(held.clone());
        build(occurrence)
    })
    .unwrap();
    clock.advance(HOUR);
    drop(jobs);
    tracker.close().unwrap();
    assert_eq!(Arc::strong_count(&alive), 1, "the builder is dropped");
}

#[test]
fn many_due_schedules_share_a_few_commits() {
    let many = setting("TRACKER_SCHEDULES").unwrap_or(1_200);
    let (clock, tracker, jobs) = at_noon();
    for number in 0..many {
        jobs.schedule(&format!("s{number}"), &hourly(), build).unwrap();
    }
    let before = tracker.change_number().unwrap();
    pass(&clock, &tracker, HOUR);
    assert_eq!(jobs.query().total().unwrap(), many);
    // A thousand share a commit, and the thread and the call may each make a part of one.
    let commits = tracker.change_number().unwrap() - before;
    assert!(commits <= 4 + many / 250, "{commits}");
    // Nothing is read or written until the next one is due.
    pass(&clock, &tracker, HOUR / 2);
    assert_eq!(tracker.change_number().unwrap() - before, commits);
}
