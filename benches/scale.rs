//! Measures the cost of calls by the number of tasks in a file: `cargo bench --bench scale -- 10000 1000000` prints a
//! column for each number, `cargo bench --bench scale -- churn 1000000` the size of a file that this many tasks pass
//! through. The word `exclusive` measures the exclusive mode instead of the default. Each figure goes to standard error as soon
//! as it is measured. As a test it runs on a few tasks.
//!
//! Figures are for comparing within one run; no test asserts a time.

use std::{
    io::{self, BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, Tasks, TrackedTask, Tracker, file::Sharing};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

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

/// Bytes of the user's data in one task: 200 of payload, and the id.
const USER_BYTES: u64 = 200 + 16;

fn job(number: usize) -> Job {
    // With field names and the id, the payload is 200 bytes of MessagePack.
    Job { name: format!("job-{number:012}"), text: "x".repeat(170) }
}

fn open(path: &Path, sharing: Sharing) -> tracker_core::Result<Tracker> {
    Tracker::options().sharing(sharing).open(path)
}

/// Rows of figures by name, for one number of tasks.
type Column = Vec<(&'static str, String)>;

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(count: usize, time: Duration) -> String {
    format!("{:.0} /s", count as f64 / time.as_secs_f64())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The median time of a number of calls.
fn timed<R>(calls: usize, mut call: impl FnMut() -> Result<R>) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..calls {
        let begun = Instant::now();
        call()?;
        times.push(begun.elapsed());
    }
    Ok(median(times))
}

/// The resident memory of the process, where the system reports it.
fn resident() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{:.0} MiB", kib / 1024.0))
}

/// Bytes that the file occupies on the disk.
fn allocated(path: &Path) -> io::Result<u64> {
    let data = std::fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::blocks(&data) * 512);
    #[cfg(not(unix))]
    Ok(data.len())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn size(path: &Path, tasks: usize) -> Result<String> {
    let bytes = allocated(path)?;
    let of_users = bytes as f64 / (tasks as u64 * USER_BYTES) as f64;
    Ok(format!("{:.1} MiB, {of_users:.2}×", bytes as f64 / f64::from(1 << 20)))
}

/// The first argument of the process that [`leave_open`] runs in.
const LEAVE_OPEN: &str = "leave-open";

/// The time to open the file after a process has submitted to it, has been idle for a time, and was killed.
fn open_after_kill(path: &Path, sharing: Sharing, idle: Duration) -> Result<String> {
    let mut process = Command::new(std::env::current_exe()?)
        .arg(LEAVE_OPEN)
        .arg(path)
        .args([format!("{sharing:?}"), idle.as_millis().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().ok_or("the process has no output")?;
    let ready = BufReader::new(output).lines().next();
    process.kill()?;
    process.wait()?;
    ready.ok_or("the process ended before it was killed")??;
    let begun = Instant::now();
    let tracker = open(path, sharing)?;
    let time = begun.elapsed();
    tracker.close()?;
    Ok(millis(time))
}

/// Submits to a file, is idle for a time, writes a line, and waits to be killed. Ends with the process that has started it.
fn leave_open(arguments: &[String]) -> Result<()> {
    let [path, sharing, idle] = arguments else {
        return Err("expected a path, a sharing mode and milliseconds".into());
    };
    let exclusive = format!("{:?}", Sharing::Exclusive);
    let sharing = if *sharing == exclusive { Sharing::Exclusive } else { Sharing::Readers };
    let tracker = open(Path::new(path), sharing)?;
    let jobs = tracker.tasks::<Job>()?;
    let tasks = usize::try_from(jobs.counts()?.total())?;
    for number in [tasks, tasks + 1] {
        jobs.submit(&Job { name: format!("left-{number}"), text: String::new() })?;
    }
    thread::sleep(Duration::from_millis(idle.parse()?));
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// After this time without a commit, the tracker has prepared the file for an open without repair.
const IDLE: Duration = Duration::from_secs(1);

fn measure(folder: &Path, count: usize, sharing: Sharing) -> Result<Column> {
    let path = folder.join("scale.redb");
    let tracker = open(&path, sharing)?;
    let jobs = tracker.tasks::<Job>()?;
    let mut column = Column::new();
    let mut add = |row, figure: String| {
        eprintln!("{count} tasks: {row}: {figure}");
        column.push((row, figure));
    };
    let begun = Instant::now();
    jobs.submit_all((0..count).map(job))?;
    add("submit in bulk", per_second(count, begun.elapsed()));
    add("file, of the user's bytes", size(&path, count)?);
    let calls = count.min(1_000);
    let mut number = count;
    let submit = timed(calls, || {
        number += 1;
        Ok(jobs.submit(&job(number))?)
    })?;
    add("submit one", micros(submit));
    let (mut claims, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..calls {
        let begun = Instant::now();
        let Some(mut job) = jobs.claim()? else { break };
        claims.push(begun.elapsed());
        let begun = Instant::now();
        job.succeed()?;
        ends.push(begun.elapsed());
    }
    add("claim one", micros(median(claims)));
    add("succeed", micros(median(ends)));
    for (row, threads, prefetch) in
        [("drain, 1 thread", 1, 0), ("drain, 64 threads", 64, 0), ("drain, 1 thread, prefetch(64)", 1, 64)]
    {
        add(row, drain(&jobs, threads, prefetch, count / 8)?);
    }
    add("counts", micros(timed(calls, || Ok(jobs.counts()?))?));
    let pages = || jobs.query().status(Status::Pending).limit(100);
    add("first page of 100", micros(timed(calls, || Ok(pages().fetch()?))?));
    add("last page of 100", micros(timed(calls, || Ok(pages().newest_first().fetch()?))?));
    if let Some(memory) = resident() {
        add("resident memory", memory);
    }
    let begun = Instant::now();
    if !tracker.verify()?.is_empty() {
        return Err("verify has found problems".into());
    }
    add("verify", millis(begun.elapsed()));
    if let Some(memory) = resident() {
        add("resident memory after verify", memory);
    }
    tracker.close()?;
    add("open after SIGKILL, busy", open_after_kill(&path, sharing, Duration::ZERO)?);
    add("open after SIGKILL, idle for 1 s", open_after_kill(&path, sharing, IDLE)?);
    let tracker = open(&path, sharing)?;
    let jobs = tracker.tasks::<Job>()?;
    let (removal, pause) = remove(&jobs)?;
    add("remove succeeded tasks", removal);
    add("longest claim of another thread during the removal", millis(pause));
    tracker.close()?;
    let begun = Instant::now();
    let tracker = open(&path, sharing)?;
    add("open after a close", millis(begun.elapsed()));
    let begun = Instant::now();
    tracker.compact()?;
    add("compact", millis(begun.elapsed()));
    tracker.close()?;
    std::fs::remove_file(&path)?;
    Ok(column)
}

fn drain(jobs: &Tasks<Job>, threads: usize, prefetch: usize, limit: usize) -> Result<String> {
    let stop = tracker_core::worker::StopHandle::new();
    let (begun, time) = (Instant::now(), Duration::from_secs(2));
    let done = std::sync::atomic::AtomicUsize::new(0);
    let summary =
        jobs.worker().threads(threads).prefetch(prefetch).stopped_by(&stop).run(|_: &mut Execution<Job>| {
            if begun.elapsed() > time || done.fetch_add(1, Relaxed) >= limit {
                stop.stop();
            }
            Ok::<_, io::Error>(())
        })?;
    Ok(per_second(usize::try_from(summary.succeeded)?, begun.elapsed()))
}

/// Removes succeeded tasks while another thread claims and releases. Returns the rate, and the longest claim of that thread.
fn remove(jobs: &Tasks<Job>) -> Result<(String, Duration)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let claims = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !over.load(Relaxed) {
                let begun = Instant::now();
                let claimed = jobs.claim();
                longest = longest.max(begun.elapsed());
                match claimed {
                    Ok(Some(mut job)) => drop(job.release()),
                    _ => break,
                }
            }
            longest
        });
        let begun = Instant::now();
        let removed = jobs.query().status(Status::Succeeded).remove();
        let time = begun.elapsed();
        over.store(true, Relaxed);
        let longest = claims.join().map_err(|_| "the thread that claims panicked")?;
        let removed = usize::try_from(removed?)?;
        Ok((format!("{} ({removed})", per_second(removed, time)), longest))
    })
}

/// Passes `count` tasks through a file, a thousand at a time, and prints its size at intervals.
fn churn(folder: &Path, count: usize) -> Result<()> {
    const ROUND: usize = 1_000;
    let path = folder.join("churn.redb");
    let tracker = open(&path, Sharing::Exclusive)?;
    let jobs = tracker.tasks::<Job>()?;
    println!("| tasks so far | file, of a thousand tasks' bytes |\n|---:|---:|");
    let (mut gone, step) = (0, (count / 10).max(1));
    while gone < count {
        jobs.submit_all((gone..gone + ROUND).map(job))?;
        jobs.worker().prefetch(64).run(|_| Ok::<_, io::Error>(()))?;
        jobs.query().status(Status::Succeeded).remove()?;
        gone += ROUND;
        if gone % step < ROUND {
            println!("| {gone} | {} |", size(&path, ROUND)?);
        }
    }
    tracker.compact()?;
    println!("| compacted | {} |", size(&path, ROUND)?);
    Ok(tracker.close()?)
}

fn print_row(name: &str, figures: impl Iterator<Item = String>) {
    println!("| {name} | {} |", figures.collect::<Vec<_>>().join(" | "));
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    if arguments.first().is_some_and(|argument| argument == LEAVE_OPEN) {
        return leave_open(&arguments[1..]);
    }
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    let mut counts: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if counts.is_empty() {
        counts.push(if measures { 10_000 } else { 200 });
    }
    let folder = tempfile::Builder::new().prefix("tracker-scale").tempdir_in(".")?;
    if asked("churn") || !measures {
        for count in &counts {
            churn(folder.path(), *count)?;
        }
    }
    if !asked("churn") {
        let sharing = if asked("exclusive") { Sharing::Exclusive } else { Sharing::Readers };
        let mut columns = Vec::new();
        for count in &counts {
            columns.push(measure(folder.path(), *count, sharing)?);
        }
        print_row("tasks", counts.iter().map(ToString::to_string));
        println!("|---|{}", "---:|".repeat(counts.len()));
        for (at, (name, _)) in columns.first().into_iter().flatten().enumerate() {
            print_row(name, columns.iter().filter_map(|column| column.get(at)).map(|(_, figure)| figure.clone()));
        }
    }
    Ok(())
}
