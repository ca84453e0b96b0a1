//! Processing events: one run per service, processor and reference.

use std::{thread, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracker_core::{
    ErrorKind, Record, Result, TaskStatus, Tasks, TrackedTask, Tracker, execution::Ticket, task::KindName,
    time::ManualClock,
};

use crate::kinds::{MINUTE, SECOND, refused, sound, tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 0,
    #[status(in_progress)]
    Running = 1,
    #[status(succeeded)]
    Finished = 2,
    #[status(exhausted)]
    Failed = 3,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "run", id = uuid, status = Status, max_attempts = 1, max_crashes = 1, lease = "10m")]
#[task(unique(reference, while = unfinished))]
struct Run {
    #[task(index)]
    reference: String,
    event: Value,
    input_rows: u64,
    output_rows: Option<u64>,
    note: Option<String>,
}

fn runs(tracker: &Tracker, service: &str, processor: &str) -> Tasks<Run> {
    let name = KindName::new().part("service", Some(service), "S").part("processor", Some(processor), "P").name();
    tracker.tasks_as(&name.unwrap()).unwrap()
}

fn start(runs: &Tasks<Run>, reference: &str, event: Value) -> Result<Ticket> {
    let reference = reference.to_owned();
    runs.submit_and_start(&Run { reference, event, input_rows: 10, output_rows: None, note: None })?.detach()
}

fn end(runs: &Tasks<Run>, ticket: &Ticket, success: bool, note: &str, rows: u64) -> Result<bool> {
    let ended = runs.resume_ticket(ticket).and_then(|mut run| {
        run.output_rows = Some(rows);
        run.note = Some(note.to_owned());
        if success { run.succeed() } else { run.fail_with_changes(note.to_owned()) }
    });
    match ended {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

fn latest(runs: &Tasks<Run>, reference: &str) -> Option<Record<Run, Status>> {
    runs.query().index("reference", reference).by_creation().newest_first().first().unwrap()
}

#[test]
fn kind_name_parts_come_from_arguments_or_environment() {
    let (_, tracker) = tracker();
    let name = KindName::new().part("service", Some("billing"), "NO_SUCH").part("processor", Some("invoices"), "PATH");
    let runs = tracker.tasks_as::<Run>(&name.name().unwrap()).unwrap();
    assert_eq!(runs.name(), "billing/invoices", "an argument comes first");
    // The one variable that every program has.
    let name = KindName::new().part("service", None, "PATH").part("processor", Some(""), "PATH").name().unwrap();
    let path = std::env::var("PATH").unwrap().replace('%', "%25").replace('/', "%2F");
    assert_eq!(name, format!("{path}/{path}"));
    let error = refused(
        KindName::new().part("service", None, "NO_SERVICE").part("processor", None, "NO_PROCESSOR").name(),
        ErrorKind::Invalid,
    );
    for words in ["service", "processor", "NO_SERVICE", "NO_PROCESSOR"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    sound(&tracker);
}

#[test]
fn one_event_runs_per_service_processor_and_reference() {
    let (_, tracker) = tracker();
    let invoices = runs(&tracker, "billing", "invoices");
    let others = [runs(&tracker, "billing", "receipts"), runs(&tracker, "shipping", "invoices")];
    let first = start(&invoices, "a", json!({})).unwrap();
    let error = refused(start(&invoices, "a", json!({})), ErrorKind::Leased);
    assert_eq!(error.refusal().unwrap().id, *first.id(), "the refusal says which one runs");
    start(&invoices, "b", json!({})).unwrap();
    for other in &others {
        start(other, "a", json!({})).unwrap();
    }
    assert_eq!(invoices.counts().unwrap().get(Status::Running), 2);
    assert!(first.id().as_uuid().is_some(), "its id is a uuid");
    sound(&tracker);
}

#[test]
fn reference_may_start_again_after_its_run_ended() {
    let (clock, tracker) = tracker();
    let runs = runs(&tracker, "billing", "invoices");
    let mut ids = Vec::new();
    for success in [true, false, true] {
        let run = start(&runs, "a", json!({})).unwrap();
        assert!(end(&runs, &run, success, "", 0).unwrap());
        ids.push(run.id().clone());
    }
    // One that crashed has ended too, when its lease is over.
    let crashed = start(&runs, "a", json!({})).unwrap();
    refused(start(&runs, "a", json!({})), ErrorKind::Leased);
    clock.advance(MINUTE * 10);
    let after = start(&runs, "a", json!({})).unwrap();
    assert!(!end(&runs, &crashed, true, "late", 0).unwrap());
    ids.extend([crashed, after].map(|run| run.id().clone()));
    let of_a: Vec<_> = runs.query().index("reference", "a").by_creation().fetch().unwrap().items;
    assert_eq!(of_a.iter().map(|run| run.id.clone()).collect::<Vec<_>>(), ids, "each start is a run of its own");
    assert!(of_a.iter().map(|run| run.status).eq([2, 3, 2, 3, 1].map(|code| Status::from_code(code).unwrap())));
    sound(&tracker);
}

#[test]
fn event_ends_once() {
    let (_, tracker) = tracker();
    let (runs, elsewhere) = (runs(&tracker, "billing", "invoices"), runs(&tracker, "billing", "receipts"));
    let run = start(&runs, "a", json!({})).unwrap();
    assert!(end(&runs, &run, true, "good", 9).unwrap());
    let before = format!("{:?}", latest(&runs, "a").unwrap());
    assert!(!end(&runs, &run, false, "on second thoughts", 0).unwrap());
    assert_eq!(format!("{:?}", latest(&runs, "a").unwrap()), before, "it stays as it ended");
    refused(end(&elsewhere, &run, true, "", 0), ErrorKind::Invalid);
    runs.remove(run.id()).unwrap();
    assert!(!end(&runs, &run, true, "", 0).unwrap(), "an id that is not there");
    sound(&tracker);
}

#[test]
fn running_ids_are_found_by_reference() {
    let (_, tracker) = tracker();
    let runs = runs(&tracker, "billing", "invoices");
    let running = |reference: &str| runs.get_by_key("reference", &[&reference]).unwrap().map(|run| run.id);
    assert_eq!(running("a"), None);
    let run = start(&runs, "a", json!({})).unwrap();
    start(&runs, "b", json!({})).unwrap();
    assert_eq!(running("a"), Some(run.id().clone()));
    end(&runs, &run, true, "", 0).unwrap();
    assert_eq!((running("a"), running("b").is_some()), (None, true));
    sound(&tracker);
}

#[test]
fn events_are_found_by_id_and_reference_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open(folder.path().join("events.redb")).unwrap();
    let tracker = open();
    let before = runs(&tracker, "billing", "invoices");
    let first = start(&before, "a", json!({ "try": 1 })).unwrap();
    end(&before, &first, true, "good", 1).unwrap();
    clock.advance(SECOND);
    let second = start(&before, "a", json!({ "try": 2 })).unwrap();
    let unended = start(&before, "b", json!({ "try": 1 })).unwrap().to_string();
    drop(before);
    tracker.close().unwrap();

    let tracker = open();
    let after = runs(&tracker, "billing", "invoices");
    assert_eq!(after.get(first.id()).unwrap().unwrap().task.event, json!({ "try": 1 }));
    let latest_run = latest(&after, "a").unwrap();
    assert_eq!((&latest_run.id, latest_run.task.event), (second.id(), json!({ "try": 2 })));
    assert!(after.get(uuid::Uuid::new_v4()).unwrap().is_none());
    assert!(latest(&after, "nobody").is_none());
    assert!(end(&after, &unended.parse().unwrap(), true, "by a ticket from before", 5).unwrap());
    assert_eq!(latest(&after, "b").unwrap().status, Status::Finished);
    sound(&tracker);
}

#[test]
fn event_keeps_times_rows_and_note() {
    let (clock, tracker) = tracker();
    let runs = runs(&tracker, "billing", "invoices");
    let event = json!({ "file": "a.csv", "parts": [1, 2.5, null, { "deep": true }] });
    let began = tracker.now();
    let run = start(&runs, "a", event.clone()).unwrap();
    clock.advance(SECOND * 90);
    end(&runs, &run, false, "half of it", 4).unwrap();
    let record = runs.get(run.id()).unwrap().unwrap();
    let Run { event: kept, input_rows, output_rows, note, .. } = &record.task;
    assert_eq!((kept, *input_rows, *output_rows, note.as_deref()), (&event, 10, Some(4), Some("half of it")));
    let attempt = &record.history[0];
    assert_eq!((attempt.started_at, attempt.ended_at), (began, tracker.now()));
    assert_eq!((attempt.ended_at - attempt.started_at).num_seconds(), 90);
    assert_eq!(attempt.failure.as_ref().unwrap().error, "half of it");
    sound(&tracker);
}

#[test]
fn recently_ended_events_are_found_up_to_the_limit() {
    let (clock, tracker) = tracker();
    let runs = runs(&tracker, "billing", "invoices");
    for number in 0..20 {
        let run = start(&runs, &number.to_string(), json!({})).unwrap();
        end(&runs, &run, number % 2 == 0, "", 0).unwrap();
        clock.advance(MINUTE);
    }
    let lately = |status| {
        let query = runs.query().status(status).changed_within(Duration::from_secs(600)).newest_first().limit(4);
        query.fetch().unwrap().into_iter().map(|run| run.task.reference).collect::<Vec<_>>()
    };
    assert_eq!(
        (lately(Status::Finished).join(" "), lately(Status::Failed).join(" ")),
        ("18 16 14 12".into(), "19 17 15 13".into())
    );
    clock.advance(MINUTE * 6);
    assert_eq!(
        (lately(Status::Finished).join(" "), lately(Status::Failed).join(" ")),
        ("18 16".into(), "19 17".into())
    );
    clock.advance(MINUTE * 5);
    assert_eq!(lately(Status::Finished).len() + lately(Status::Failed).len(), 0);
    sound(&tracker);
}

#[test]
fn one_of_many_threads_starts_and_ends_an_event() {
    let (_, tracker) = tracker();
    let runs = runs(&tracker, "billing", "invoices");
    for round in 0..20 {
        let reference = round.to_string();
        let tickets = thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| start(&runs, &reference, json!({})).ok())).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(tickets.len(), 1);
        let ends = thread::scope(|scope| {
            let end = || end(&runs, &tickets[0], true, "", 0).unwrap();
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(end)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|ended| *ended).count()
        });
        assert_eq!(ends, 1);
    }
    assert_eq!(runs.counts().unwrap().get(Status::Finished), 20);
    sound(&tracker);
}
