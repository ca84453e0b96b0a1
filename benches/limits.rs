//! Measures a claim past tasks whose limited values are used up, in a kind with two limits: `cargo bench --bench limits -- 0 1000 100000` prints two
//! rows for each number of them. Each row is the median of 480 claims in a tracker in memory, with the smallest and the largest tenth. As a
//! test it runs on a few tasks.
//!
//! Two tasks hold host 0, and one holds customer 0. Of the tasks in front, every second one waits for the host and the others for the customer, so that
//! each has another pair of values (`spread`), or the tasks share ten pairs (`shared`). A task behind all of them has values of its own. After each
//! 16 claims, a holder ends and another task of the value takes its place: the largest tenth shows the claims after it.

use std::{
    io,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, Tasks, TrackedTask, Tracker};

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
#[task(name = "fetch", status = Status)]
struct Fetch {
    #[task(id)]
    number: u64,
    #[task(index, limit = 2)]
    host: u64,
    #[task(index, limit = 1)]
    customer: u64,
}

const ROUNDS: u64 = 30;
const CLAIMS: u64 = 16;
/// Numbers of hosts and customers of tasks behind those in front.
const FREE: u64 = 1 << 40;

/// A task whose host or customer is 0, and whose other value is one of `values`.
fn waiting(number: u64, values: u64) -> Fetch {
    let other = 1 + number / 2 % values;
    if number.is_multiple_of(2) {
        Fetch { number, host: 0, customer: other }
    } else {
        Fetch { number, host: other, customer: 0 }
    }
}

/// Claims the first tasks of host 0 and customer 0, until each is used up.
fn hold(tasks: &Tasks<Fetch>, held: &mut Vec<Execution<Fetch>>) -> Result<()> {
    while let Some(claimed) = tasks.claim()? {
        if claimed.host >= FREE {
            // It is not one of those in front: they all wait.
            let mut claimed = claimed;
            claimed.release()?;
            break;
        }
        held.push(claimed);
    }
    Ok(())
}

/// The times of the claims of tasks behind `count` that wait.
fn measure(count: u64, values: u64) -> Result<Vec<Duration>> {
    let tracker = Tracker::in_memory()?;
    let tasks = tracker.tasks::<Fetch>()?;
    tasks.submit_all((0..count).map(|number| waiting(number, values)))?;
    let free = |number| Fetch { number: count + number, host: FREE + number, customer: FREE + number };
    tasks.submit_all((0..=ROUNDS * CLAIMS).map(free))?;
    let mut held = Vec::new();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        hold(&tasks, &mut held)?;
        for number in 0..CLAIMS {
            if number == 0 && !held.is_empty() {
                // The next task of the value starts in its place.
                held.remove(0).succeed()?;
                hold(&tasks, &mut held)?;
            }
            let begun = Instant::now();
            let claimed = tasks.claim()?;
            times.push(begun.elapsed());
            let mut claimed = claimed.ok_or("no task is left")?;
            if claimed.host < FREE {
                return Err(io::Error::other("a task started beyond its limits").into());
            }
            claimed.succeed()?;
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
        counts = if measures { vec![0, 1_000, 100_000] } else { vec![0, 100] };
    }
    println!(
        "| tasks in front that wait | pairs of values | claim | smallest tenth | largest tenth | longest |\n|---:|---:|---:|---:|---:|---:|"
    );
    for count in counts {
        for (name, values) in [("shared", 5), ("spread", u64::MAX)] {
            let times = measure(count, values)?;
            let at = |tenth: usize| {
                let last = times.len().saturating_sub(1);
                times.get((times.len() * tenth / 10).min(last)).copied().unwrap_or_default().as_secs_f64() * 1e6
            };
            println!("| {count} | {name} | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} µs |", at(5), at(1), at(9), at(10));
        }
    }
    Ok(())
}
