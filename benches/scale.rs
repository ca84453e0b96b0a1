//! What many tasks cost: time, file size, memory. `cargo bench --bench scale -- 1000000` prints one table for that many;
//! as a test it runs on a few.
//!
//! Figures are for comparing within one run; no test asserts a time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, Sharing, TaskStatus, Tasks, TrackedTask, Tracker};

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

/// After so long without a commit the tracker has made the next open instant.
const IDLE: Duration = Duration::from_secs(1);

fn tell_size(path: &Path, count: usize) {
    let Ok(data) = std::fs::metadata(path) else { return };
    println!("  file               {:>12} bytes, {} per task", data.len(), data.len() / count.max(1) as u64);
    #[cfg(unix)]
    {
        let allocated = std::os::unix::fs::MetadataExt::blocks(&data) * 512;
        println!("  of it allocated    {:>12} bytes, {} per task", allocated, allocated / count.max(1) as u64);
    }
}

/// How long it takes to open what a process would leave behind that is killed now.
fn killed(path: &Path, folder: &Path, sharing: Sharing, what: &str) -> tracker_core::Result<()> {
    let left = folder.join("left.redb");
    if let Err(error) = std::fs::copy(path, &left) {
        eprintln!("{}: {error}", left.display());
        return Ok(());
    }
    let begun = Instant::now();
    let tracker = open(&left, sharing)?;
    println!("  {what}  {:>12.2?}", begun.elapsed());
    tracker.close()
}

/// Claims and successes of a single thread, a commit each.
fn one_by_one(jobs: &Tasks<Job>) -> tracker_core::Result<()> {
    let (mut claims, mut ends, mut done) = (Duration::ZERO, Duration::ZERO, 0);
    while done < 1_000 {
        let begun = Instant::now();
        let Some(mut job) = jobs.claim()? else { break };
        claims += begun.elapsed();
        let begun = Instant::now();
        job.succeed()?;
        ends += begun.elapsed();
        done += 1;
    }
    println!("  claim, one by one  {:>12.0} /s", per_second(done, claims));
    println!("  succeed            {:>12.0} /s", per_second(done, ends));
    Ok(())
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
    tell_size(&path, count);
    killed(&path, &folder, sharing, "open, killed busy")?;
    std::thread::sleep(IDLE);
    killed(&path, &folder, sharing, "open, killed idle")?;
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
    one_by_one(&jobs)?;
    let begun = Instant::now();
    let (counts, page) = (jobs.counts()?, jobs.query().status(Status::Pending).limit(100).fetch()?);
    println!("  counts and a page  {:>12.2?} ({} tasks, {} on the page)", begun.elapsed(), counts.total(), page.len());
    if let Some(mib) = resident_mib() {
        println!("  resident memory    {mib:>12.0} MiB");
    }
    let begun = Instant::now();
    let pruned = jobs.query().status(Status::Succeeded).remove()?;
    println!(
        "  remove             {:>12.0} /s ({pruned} tasks)",
        per_second(usize::try_from(pruned).unwrap_or(0), begun.elapsed())
    );
    tracker.close()?;
    let begun = Instant::now();
    let tracker = open(&path, sharing)?;
    println!("  open               {:>12.2?}", begun.elapsed());
    let begun = Instant::now();
    tracker.compact()?;
    println!("  compact            {:>12.2?}", begun.elapsed());
    tell_size(&path, count);
    tracker.close()?;
    std::fs::remove_dir_all(&folder).unwrap_or_else(|error| eprintln!("{}: {error}", folder.display()));
    Ok(())
}

fn main() -> tracker_core::Result<()> {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(if measures {
        10_000
    } else {
        200
    });
    for sharing in [Sharing::Exclusive, Sharing::Readers] {
        measure(count, sharing)?;
    }
    Ok(())
}
