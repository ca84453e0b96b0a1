//! The README's program: three jobs; one succeeds, one fails once and then succeeds, one is given up after three attempts.
//!
//! Run it with `cargo run --example quickstart`; it works in memory and leaves nothing behind.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum JobStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = JobStatus, max_attempts = 3)]
struct Download {
    #[task(id)]
    url: String,
    bytes: Option<usize>,
}

fn main() -> anyhow::Result<()> {
    let tracker = Tracker::in_memory()?; // or Tracker::open("downloads.redb")?
    let downloads = tracker.tasks::<Download>()?;
    for url in ["https://good", "https://shaky", "https://gone"] {
        downloads.submit(&Download { url: url.into(), bytes: None })?;
    }
    let summary = downloads.worker().threads(2).run(|download| -> anyhow::Result<()> {
        anyhow::ensure!(download.url != "https://gone", "404 not found");
        anyhow::ensure!(download.url != "https://shaky" || download.attempt() > 1, "connection reset");
        download.bytes = Some(download.url.len());
        Ok(())
    })?;
    println!("{summary}");
    for record in downloads.query().by_creation().fetch()? {
        let attempts = if record.attempts == 1 { "attempt" } else { "attempts" };
        println!("{:<14} {:?} after {} {attempts}", record.task.url, record.status, record.attempts);
        for attempt in record.history.iter().filter_map(|attempt| attempt.failure.as_ref()) {
            println!("{:<14} └ {}", "", attempt.error);
        }
    }
    Ok(())
}
