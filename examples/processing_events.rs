//! Processing events: which processor of which service works on which reference, since when, and how it ended.
//!
//! Shown: names from arguments or the environment; one running per reference, and a new one once it has ended; an end
//! that happens once; look-ups by id and by reference, also after a restart; row counts, a note, an event of any JSON;
//! what has ended lately, within a time to live.
//!
//! Run it with `cargo run --example processing_events`; it works in a folder of its own, by a clock in its hand.

use std::{env, process::Command, thread, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracker_core::{
    ErrorKind, Record, TaskStatus, Tasks, TrackedTask, Tracker, execution::Ticket, task::KindName, time::ManualClock,
};
use uuid::Uuid;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Events are submitted and started at once: none is ever seen here.
    Pending = 0,
    #[status(in_progress)]
    Running = 1,
    #[status(succeeded)]
    Finished = 2,
    #[status(exhausted)]
    Failed = 3,
}

/// One run; its id is generated. A run that failed or crashed is over: the reference then starts a new one.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "run", id = uuid, status = Status, max_attempts = 1, max_crashes = 1, lease = "10m")]
#[task(unique(reference, while = unfinished), retention(succeeded = "7d", exhausted = "30d"))]
struct Run {
    #[task(index)]
    reference: String,
    event: Value,
    input_rows: u64,
    output_rows: Option<u64>,
    note: Option<String>,
}

/// The events of one processor of one service.
struct Events {
    runs: Tasks<Run>,
}

impl Events {
    /// The names are given, or stand in `SERVICE_NAME` and `PROCESSOR_NAME`.
    fn name(service: Option<&str>, processor: Option<&str>) -> tracker_core::Result<String> {
        KindName::new().part("service", service, "SERVICE_NAME").part("processor", processor, "PROCESSOR_NAME").name()
    }

    fn of(tracker: &Tracker, name: &str) -> tracker_core::Result<Self> {
        Ok(Self { runs: tracker.tasks_as::<Run>(name)? })
    }

    /// Starts a run, unless the reference has one that runs. The ticket ends it, from any thread, after any restart.
    fn start(&self, reference: &str, event: Value, input_rows: u64) -> tracker_core::Result<Ticket> {
        let reference = reference.to_owned();
        let run = Run { reference, event, input_rows, output_rows: None, note: None };
        self.runs.submit_and_start(&run)?.detach()
    }

    /// True once; false for an end that was before, or never began.
    fn end(&self, ticket: &Ticket, success: bool, note: &str, output_rows: u64) -> tracker_core::Result<bool> {
        let ended = self.runs.resume_ticket(ticket).and_then(|mut run| {
            run.output_rows = Some(output_rows);
            run.note = Some(note.to_owned());
            if success { run.succeed() } else { run.fail_with_changes(note.to_owned()) }
        });
        match ended {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn running(&self, reference: &str) -> tracker_core::Result<Option<Uuid>> {
        Ok(self.runs.get_by_key("reference", &[&reference])?.and_then(|run| run.id.as_uuid()))
    }

    fn latest(&self, reference: &str) -> tracker_core::Result<Option<Record<Run, Status>>> {
        self.runs.query().index("reference", reference).by_creation().newest_first().first()
    }

    /// The tasks that ended in the last ten minutes, at most 100.
    fn lately(&self, status: Status) -> tracker_core::Result<usize> {
        let query = self.runs.query().status(status).changed_within(Duration::from_secs(600));
        Ok(query.newest_first().limit(100).ids()?.len())
    }
}

fn main() -> anyhow::Result<()> {
    if env::args().len() > 1 {
        // Started by the program itself, with both variables set.
        println!("  from the environment: {}", Events::name(None, None)?);
        return Ok(());
    }
    println!("names");
    match Events::name(None, Some("invoices")) {
        Ok(name) => println!("  from the environment: {name}"),
        Err(error) => println!("  {error}"),
    }
    let names = [("SERVICE_NAME", "shipping"), ("PROCESSOR_NAME", "labels")];
    Command::new(env::current_exe()?).arg("names").envs(names).status()?;
    let name = Events::name(Some("billing"), Some("invoices"))?;
    println!("  from arguments: {name}");

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open(&path);
    let tracker = open()?;
    let events = Events::of(&tracker, &name)?;

    println!("one running per reference");
    let first = events.start("2030-01", json!({ "file": "january.csv" }), 120)?;
    println!(
        "  again: {}",
        events.start("2030-01", json!({}), 0).map_err(|error| error.kind()).err() == Some(ErrorKind::Leased)
    );
    println!("  running: {}", events.running("2030-01")? == first.id().as_uuid());
    clock.advance(Duration::from_secs(90));
    println!("  ended: {}", events.end(&first, true, "all rows", 118)?);
    println!("  ended again: {}", events.end(&first, false, "on second thoughts", 0)?);
    println!("  running: {:?}", events.running("2030-01")?);
    show(&events, "2030-01")?;

    println!("again, and in threads: one starts, one ends");
    let starts = thread::scope(|scope| {
        let start = || events.start("2030-01", json!({ "file": "january, corrected.csv" }), 121).ok();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect::<Vec<_>>()
    });
    let ends = thread::scope(|scope| {
        let end =
            || starts.first().is_some_and(|run| events.end(run, false, "no such file", 0).is_ok_and(|ended| ended));
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(end)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|ended| *ended).count()
    });
    println!("  {} and {ends}", starts.len());
    show(&events, "2030-01")?;

    println!("a restart");
    let before = events.start("2030-02", json!({ "file": "february.csv" }), 80)?.to_string();
    drop(events);
    tracker.close()?;
    let tracker = open()?;
    let events = Events::of(&tracker, &name)?;
    println!("  still running: {}", events.running("2030-02")?.is_some());
    println!("  ended by its ticket: {}", events.end(&before.parse()?, true, "after a restart", 80)?);
    println!("  by id: {}", events.runs.get(first.id())?.is_some_and(|run| run.task.output_rows == Some(118)));
    show(&events, "2030-02")?;

    println!("a crash");
    events.start("2030-03", json!({}), 1)?;
    clock.advance(Duration::from_secs(600));
    events.start("2030-03", json!({}), 1)?;
    show(&events, "2030-03")?;
    println!("  runs of this reference: {}", events.runs.query().index("reference", "2030-03").total()?);

    println!("lately");
    for minutes in [0, 5, 10] {
        clock.advance(Duration::from_secs(minutes * 60));
        let (finished, failed) = (events.lately(Status::Finished)?, events.lately(Status::Failed)?);
        println!("  {minutes} minutes on: {finished} finished, {failed} failed");
    }
    Ok(())
}

/// The latest run of a reference.
fn show(events: &Events, reference: &str) -> anyhow::Result<()> {
    let Some(run) = events.latest(reference)? else { anyhow::bail!("no run of {reference}") };
    let Run { event, input_rows, output_rows, note, .. } = &run.task;
    let times = match (&run.lease, run.history.last()) {
        (Some(lease), _) => format!("since {}", lease.since.time()),
        (None, Some(ended)) => format!("{} to {}", ended.started_at.time(), ended.ended_at.time()),
        (None, None) => String::new(),
    };
    println!("  {reference}: {:?} {times}, {event}, rows {input_rows} in, {output_rows:?} out, {note:?}", run.status);
    Ok(())
}
