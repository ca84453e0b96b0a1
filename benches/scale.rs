//! What many tasks cost: time, file size, memory. `cargo bench --bench scale -- 1000000` prints one table for that many.
//!
//! Figures are for comparing within one run; no test asserts a time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, Sharing, TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
    text: String,
}

fn job(number: usize) -> Job {
    Job { name: format!("job-{number:012}"), text: "x".repeat(200) }
}

fn per_second(count: usize, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let count = count as f64;
    count / time.as_secs_f64()
}

fn open(path: &Path, sharing: Sharing) -> tracker_core::Result<Tracker> {
    Tracker::options().sharing(sharing).open(path)
}

/// The process's resident memory in MiB, where the system tells.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

fn measure(count: usize, sharing: Sharing) -> tracker_core::Result<()> {
    let folder = std::env::temp_dir().join(format!("tracker-scale-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| eprintln!("{}: {error}", folder.display()));
    let path = folder.join("scale.redb");
    let tracker = open(&path, sharing)?;
    let jobs = tracker.tasks::<Job>()?;
    println!("{count} tasks, sharing {sharing:?}");
    let begun = Instant::now();
    jobs.submit_all((0..count).map(job))?;
    println!("  submit in bulk     {:>12.0} /s", per_second(count, begun.elapsed()));
    let size = std::fs::metadata(&path).map_or(0, |data| data.len());
    println!("  file               {:>12} bytes, {} per task", size, size / count.max(1) as u64);
    for threads in [1, 8, 64] {
        let stop = tracker_core::StopHandle::new();
        let (begun, limit) = (Instant::now(), Duration::from_secs(2));
        let summary = jobs.worker().threads(threads).stopped_by(&stop).run(|_: &mut Execution<Job>| {
            if begun.elapsed() > limit {
                stop.stop();
            }
            Ok::<_, std::io::Error>(())
        })?;
        let done = usize::try_from(summary.succeeded).unwrap_or(usize::MAX);
        println!("  drain, {threads:>2} threads  {:>12.0} /s", per_second(done, begun.elapsed()));
    }
    let begun = Instant::now();
    let (counts, page) = (jobs.counts()?, jobs.query().status(Status::Pending).limit(100).fetch()?);
    println!("  counts and a page  {:>12.2?} ({} tasks, {} on the page)", begun.elapsed(), counts.total(), page.len());
    if let Some(mib) = resident_mib() {
        println!("  resident memory    {mib:>12.0} MiB");
    }
    tracker.close()?;
    let begun = Instant::now();
    let tracker = open(&path, sharing)?;
    println!("  open               {:>12.2?}", begun.elapsed());
    tracker.close()?;
    std::fs::remove_dir_all(&folder).unwrap_or_else(|error| eprintln!("{}: {error}", folder.display()));
    Ok(())
}

fn main() -> tracker_core::Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    for sharing in [Sharing::Exclusive, Sharing::Readers] {
        measure(count, sharing)?;
    }
    Ok(())
}
