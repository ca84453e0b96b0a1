//! A tracker per task: a record for each invoice that says how far it is, who has it, and what went wrong.
//!
//! Six statuses with codes of their own, a lease of 900 seconds, three attempts. Shown: loading, a run, a second worker
//! in the way of the first, re-entry by token, a lease that runs out, ignoring a lease, forcing, giving up, setting
//! aside, and the story of each run as text.
//!
//! Run it with `cargo run --example tracker_per_task`; it works in a folder of its own, by a clock in its hand.

use std::{fmt::Display, io, time::Duration};

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracker_core::{
    Record, TaskStatus, Tasks, TrackedTask, Tracker, events::RunLog, execution::StartOptions, time::ManualClock,
    worker::RunError,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 0,
    InProgress = 10,
    Failed = 20,
    /// Failed too often.
    Exhausted = 30,
    Succeeded = 40,
    /// Set aside on purpose: not the same as exhausted.
    Ignored = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "invoice", status = Status, max_attempts = 3, lease = "15m")]
struct Invoice {
    #[task(id)]
    number: String,
    /// The data of the task: what its run found.
    total: Option<u32>,
}

type Options = StartOptions<Status>;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open(folder.path().join("invoices.redb"))?;
    let invoices = tracker.tasks::<Invoice>()?.worker_name("me");

    load(&invoices)?;
    two_workers(&invoices)?;
    tokens(&invoices)?;
    expiry(&invoices, &clock)?;
    three_failures(&invoices)?;
    set_aside(&invoices)?;
    tracker.flush()?;
    verbose(&invoices)
}

fn load(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("load");
    tell("nobody is loaded", invoices.get("nobody")?.is_none());
    submit(invoices, "A-1")?;
    show(invoices, "A-1")
}

/// A second worker inside the first one's run is refused; the first one succeeds with one attempt.
fn two_workers(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("two workers");
    let (first, second) = (invoices.worker_name("first"), invoices.worker_name("second"));
    first.run("A-1", |invoice| {
        let refused = second.run("A-1", |_| Ok::<_, RunError>(()));
        tell("the second", refused.map_or_else(|error| error.to_string(), |()| "ran".to_owned()));
        invoice.total = Some(120);
        Ok::<_, RunError>(())
    })?;
    show(invoices, "A-1")?;
    refuse(&first.start("A-1"));
    Ok(())
}

/// A caller with the token of a live lease enters it again. `steal_lease` ignores the lease, and no other condition.
fn tokens(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("tokens");
    submit(invoices, "A-2")?;
    let mut mine = invoices.start("A-2")?;
    let token = mine.token();
    refuse(&invoices.check_start("A-2", &Options::new()));
    tell("to its owner it is not locked", invoices.check_start("A-2", &Options::new().reenter(token)).is_ok());
    let mut again = invoices.start_with("A-2", &Options::new().reenter(token))?;
    tell("attempt after re-entry", again.attempt());
    tell("the guard from before", error_of(mine.succeed()));

    refuse(&invoices.start_with("A-2", &Options::new().force()));
    let mut new = invoices.start_with("A-2", &Options::new().steal_lease())?;
    tell("who lost his lease writes nothing", error_of(again.succeed()));
    new.succeed()?;
    refuse(&invoices.start_with("A-2", &Options::new().steal_lease()));
    Ok(())
}

/// At exactly its expiry a lease is free; one of no length is refused before anything is written.
fn expiry(invoices: &Tasks<Invoice>, clock: &ManualClock) -> anyhow::Result<()> {
    head("expiry");
    submit(invoices, "A-3")?;
    refuse(&invoices.start_with("A-3", &Options::new().lease(Duration::ZERO)));
    show(invoices, "A-3")?;
    let mut slow = invoices.worker_name("slow").start("A-3")?;
    clock.advance(Duration::from_secs(899));
    refuse(&invoices.start("A-3"));
    clock.advance(Duration::from_secs(1));
    let mut next = invoices.worker_name("next").start("A-3")?;
    tell("the slow one", error_of(slow.succeed()));
    next.succeed()?;
    show(invoices, "A-3")
}

/// Three failures of three: 20, 20, 30; the fourth start is refused; forced and good, it has succeeded and is free.
fn three_failures(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("three failures");
    submit(invoices, "A-4")?;
    for round in 1..=3 {
        let failed = invoices.run("A-4", |invoice| {
            invoice.total = Some(round); // staged, and dropped with the failure
            Err::<(), _>(format!("no printer, {round}"))
        });
        tell("the caller gets the original error", error_of(failed));
        show(invoices, "A-4")?;
    }
    refuse(&invoices.start("A-4"));
    invoices.run_with("A-4", &Options::new().force(), |invoice| {
        invoice.total = Some(80);
        Ok::<_, RunError>(())
    })?;
    show(invoices, "A-4")
}

/// Ignored is not exhausted; force opens both.
fn set_aside(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("set aside");
    submit(invoices, "A-5")?;
    invoices.start("A-5")?.ignore("a copy of A-4")?;
    show(invoices, "A-5")?;
    refuse(&invoices.start("A-5"));
    invoices.start_with("A-5", &Options::new().force())?.succeed()?;
    show(invoices, "A-5")
}

/// The log of each run as text: from banner to banner, with refused starts.
fn verbose(invoices: &Tasks<Invoice>) -> anyhow::Result<()> {
    head("verbose");
    submit(invoices, "A-6")?;
    let story = tracing_subscriber::registry().with(RunLog::new(io::stdout()));
    tracing::subscriber::with_default(story, || {
        invoices.run("A-6", |_| Err::<(), _>("no printer")).or_else(RunError::skip_handler_error)?;
        invoices.run("A-6", |_| Ok::<_, RunError>(()))?;
        refuse(&invoices.start("A-6"));
        Ok(())
    })
}

fn submit(invoices: &Tasks<Invoice>, number: &str) -> anyhow::Result<()> {
    invoices.submit(&Invoice { number: number.to_owned(), total: None })?;
    Ok(())
}

/// Prints a record: status, code, attempts, times, data, lease, errors.
fn show(invoices: &Tasks<Invoice>, number: &str) -> anyhow::Result<()> {
    let Some(record) = invoices.get(number)? else { anyhow::bail!("there is no {number}") };
    let Record { status, attempts, created_at, updated_at, .. } = record;
    let (code, total) = (TaskStatus::code(status), record.task.total);
    let after = (updated_at - created_at).num_seconds();
    let lease = if record.lease.is_some() { "leased" } else { "free" };
    println!("  {number}: {status:?} ({code}), attempts {attempts}, after {after} s, total {total:?}, {lease}");
    for attempt in &record.history {
        if let Some(failure) = &attempt.failure {
            println!("    attempt {} {}: {}", attempt.attempt, attempt.status, failure.error);
        }
    }
    Ok(())
}

fn refuse<T>(result: &tracker_core::Result<T>) {
    match result {
        Ok(_) => println!("  not refused"),
        Err(error) => println!("  {error}"),
    }
}

fn tell(what: &str, said: impl Display) {
    println!("  {what}: {said}");
}

fn head(what: &str) {
    println!("{what}");
}

fn error_of<T>(result: Result<T, impl Display>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}
