//! Makes a tracker file of many tasks in many states, to see and measure how the program deals with it:
//! `cargo run --release -p tracker-cli --example many -- many.redb 1000000`.
#![expect(clippy::print_stdout, reason = "it tells what it did")]

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum PageStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "page", status = PageStatus, max_attempts = 2, backoff = "fixed(1h)")]
struct Page {
    #[task(id)]
    url: String,
    #[task(index)]
    host: String,
    bytes: Option<u64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: many FILE COUNT";
    let file = arguments.next().ok_or(usage)?;
    let count: u64 = arguments.next().ok_or(usage)?.parse()?;
    let tracker = Tracker::open(&file)?;
    let pages = tracker.tasks::<Page>()?;
    let page = |number| {
        let host = format!("host{}.example.org", number % 100);
        Page { url: format!("https://{host}/page/{number}"), host, bytes: None }
    };
    pages.submit_all((0..count).map(page))?;
    // A part is worked on, and fails in one of two ways now and then.
    let worked_on = count / 20;
    let worker = pages.worker().threads(8);
    let stop = worker.stop_handle();
    let done = std::sync::atomic::AtomicU64::new(0);
    let summary = worker.run(|page| {
        let number = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if number >= worked_on {
            stop.stop();
        }
        match number % 10 {
            0 => return Err(format!("{}: 404 not found", page.url)),
            1 => return Err(format!("connection to {} was reset", page.host)),
            _ => page.bytes = Some(number),
        }
        Ok(())
    })?;
    println!("{count} tasks in {file}; {summary}");
    tracker.close()?;
    Ok(())
}
