//! Sends mails as tasks, and exports the spans of the attempts and the metrics of the tracker to an OpenTelemetry collector.

mod recorder;
mod telemetry;

use std::{env, error::Error, io, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, Tasks, TrackedTask, Tracker, submit::SubmitOptions};

use crate::telemetry::{Telemetry, current_trace_context, link_to};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "mail", status = Status, max_attempts = 1)]
struct Mail {
    #[task(id)]
    address: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("usage: tracker-opentelemetry-example FILE")?;
    let telemetry = Telemetry::install()?;
    let tracker = Tracker::open(path)?;
    let mails = tracker.tasks::<Mail>()?;
    receive_request(&mails, &["ada@example.org", "unknown@example.org"])?;
    mails.worker().run(send)?;
    tracker.metrics(Duration::from_secs(300), 5_000)?.record();
    tracker.close()?;
    telemetry.shutdown()
}

/// Submits mails within the trace of a request.
fn receive_request(mails: &Tasks<Mail>, addresses: &[&str]) -> Result<(), Box<dyn Error>> {
    let _request = tracing::info_span!("request").entered();
    let context = current_trace_context().ok_or("the span of the request has no trace")?;
    let options = SubmitOptions::new().trace_context(context);
    mails.submit_all_with(addresses.iter().map(|address| Mail { address: (*address).to_owned() }), &options)?;
    Ok(())
}

/// Runs in the span of the attempt.
fn send(mail: &mut Execution<Mail>) -> io::Result<()> {
    if let Some(submitter) = mail.trace_context() {
        link_to(submitter);
    }
    if mail.address.starts_with("unknown@") { Err(io::Error::other("there is no such mailbox")) } else { Ok(()) }
}
