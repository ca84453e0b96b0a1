//! Measures a claim past tasks that do not fit into a budget: `cargo bench --bench needs -- 0 1000 1000000` prints a row for each number of
//! them. Each row is the median of 480 claims in a tracker in memory, with the smallest and the largest tenth. As a test it runs on a few tasks.
//!
//! The tasks in front have eight priorities and needs of four sizes. The first of them holds most of the budget, so that the others do not
//! fit; a small task behind all of them does. After 16 small ones, the first that did not fit starts, and the next waits.

use std::{
    io,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "render", status = Status, needs(mem = "size"))]
struct Render {
    #[task(id)]
    number: u64,
    #[task(index)]
    size: u64,
    #[task(priority)]
    priority: u8,
}

const BUDGET: u64 = 1 << 20;
/// Rounds, and small tasks that are claimed in each.
const ROUNDS: u64 = 30;
const SMALL: u64 = 16;

/// A task that needs five to eight eighths of the budget.
fn large(number: u64) -> Render {
    let eighths = 5 + number % 4;
    Render { number, size: BUDGET / 8 * eighths, priority: u8::try_from(1 + number % 8).unwrap_or(1) }
}

/// The times of the claims of small tasks behind `count` large ones.
fn measure(count: u64) -> Result<Vec<Duration>> {
    let tracker = Tracker::in_memory()?;
    let tasks = tracker.tasks::<Render>()?;
    tasks.submit_all((0..count).map(large))?;
    tasks.submit_all((0..ROUNDS * SMALL).map(|number| Render { number: count + number, size: 1, priority: 0 }))?;
    tracker.set_budget("mem", BUDGET + SMALL)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let mut held = if count > 0 { tasks.claim()? } else { None };
        for _ in 0..SMALL {
            let begun = Instant::now();
            let claimed = tasks.claim()?;
            times.push(begun.elapsed());
            let mut claimed = claimed.ok_or("no small task is left")?;
            if claimed.size != 1 {
                return Err(io::Error::other("a large task started beside another").into());
            }
            claimed.succeed()?;
        }
        if let Some(held) = &mut held {
            held.succeed()?;
        }
    }
    times.sort_unstable();
    Ok(times)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let mut counts: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if counts.is_empty() {
        counts = if measures { vec![0, 1_000, 1_000_000] } else { vec![0, 100] };
    }
    println!("| tasks in front that do not fit | claim | smallest tenth | largest tenth |\n|---:|---:|---:|---:|");
    for count in counts {
        let times = measure(count)?;
        let at = |tenth: usize| times.get(times.len() * tenth / 10).copied().unwrap_or_default().as_secs_f64() * 1e6;
        println!("| {count} | {:.0} µs | {:.0} µs | {:.0} µs |", at(5), at(1), at(9));
    }
    Ok(())
}
