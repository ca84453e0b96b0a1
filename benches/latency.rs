//! Measures how long calls keep the calling thread when each flush takes 12 ms longer: the blocking and the deferred form of a submit and of a
//! cancel, alone and beside a worker. `cargo bench --bench latency -- [calls]` prints a table; as a test it makes a few calls without the delay.

use std::{
    fmt, fs, io,
    ops::Bound,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use redb::{BackendError, StorageBackend, backends::FileBackend};
use serde::{Deserialize, Serialize};
use tracker_core::{
    Execution, Options, TaskStatus, Tasks, TrackedTask, Tracker,
    deferred::Pending,
    file::Sharing,
    redb_store::{OptionsExt, redb},
};

type Error = Box<dyn std::error::Error>;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Cancelled = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
    text: String,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "load", status = Status)]
struct Load {
    #[task(id)]
    number: u64,
}

/// A file whose flushes take longer. It grants every lock, since no other process opens the file.
struct SlowFile {
    file: FileBackend,
    delay: Duration,
}

impl fmt::Debug for SlowFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SlowFile")
    }
}

impl StorageBackend for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        thread::sleep(self.delay);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|argument| argument == "--bench");
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(if measures { 500 } else { 5 });
    let delay = Duration::from_millis(if measures { 12 } else { 0 });
    println!("{calls} calls each, a flush takes {delay:?} longer; time on the calling thread");
    let folder = tempfile::tempdir()?;
    for sharing in [Sharing::Readers, Sharing::Exclusive] {
        for beside_worker in [false, true] {
            let beside = if beside_worker { "beside a worker" } else { "alone" };
            println!("{sharing:?}, {beside}");
            let path = folder.path().join(format!("{sharing:?} {beside_worker}.redb"));
            measure(&path, sharing, delay, calls, beside_worker)?;
        }
    }
    Ok(())
}

fn open(path: &Path, sharing: Sharing, delay: Duration) -> Result<Tracker, Error> {
    let path = path.to_owned();
    let make = move || -> io::Result<Box<dyn StorageBackend>> {
        let file = fs::File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        Ok(Box::new(SlowFile { file: FileBackend::new(file).map_err(io::Error::other)?, delay }))
    };
    Ok(Options::default().sharing(sharing).open_backend(make)?)
}

fn measure(path: &Path, sharing: Sharing, delay: Duration, calls: usize, beside_worker: bool) -> Result<(), Error> {
    let tracker = open(path, sharing, delay)?;
    let (jobs, load) = (tracker.tasks::<Job>()?, tracker.tasks::<Load>()?);
    let worker = load.worker().threads(4).keep_running();
    if beside_worker {
        load.submit_all((0..calls as u64 * 40).map(|number| Load { number }))?;
    }
    let running = beside_worker
        .then(|| {
            worker.spawn(|_: &mut Execution<Load>| {
                thread::sleep(Duration::from_millis(5));
                Ok::<_, io::Error>(())
            })
        })
        .transpose()?;
    let deferred = jobs.deferred()?;
    let names = |form: &str| (0..calls).map(|number| format!("{form} {number}")).collect::<Vec<_>>();
    let (blocking, later) = (names("blocking"), names("deferred"));
    timed("submit", &blocking, |name| jobs.submit(&job(name)).map(drop))?;
    timed("cancel", &blocking, |name| jobs.cancel(name))?;
    let mut submitted = Vec::new();
    timed("deferred submit", &later, |name| {
        submitted.push(deferred.submit(&job(name)));
        Ok(())
    })?;
    let mut cancelled = Vec::new();
    timed("deferred cancel", &later, |name| {
        cancelled.push(deferred.cancel(name));
        Ok(())
    })?;
    submitted.into_iter().try_for_each(|pending| pending.wait().map(drop))?;
    cancelled.into_iter().try_for_each(Pending::wait)?;
    check(&jobs, 2 * calls)?;
    if let Some(running) = running {
        running.stop_handle().stop();
        running.join()?;
    }
    Ok(tracker.close()?)
}

fn job(name: &str) -> Job {
    Job { name: name.to_owned(), text: "x".repeat(170) }
}

/// Prints the times of a call, which is made every few milliseconds as by an event loop.
fn timed(name: &str, ids: &[String], mut call: impl FnMut(&str) -> tracker_core::Result<()>) -> Result<(), Error> {
    let mut times = Vec::with_capacity(ids.len());
    for id in ids {
        let begin = Instant::now();
        call(id)?;
        times.push(begin.elapsed());
        thread::sleep(Duration::from_millis(3));
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!("  {name:16} p50 {:>9.3?}  p99 {:>9.3?}  longest {:>9.3?}", at(50), at(99), at(100));
    Ok(())
}

fn check(jobs: &Tasks<Job>, calls: usize) -> Result<(), Error> {
    let cancelled = jobs.counts()?.get(Status::Cancelled);
    if cancelled == calls as u64 { Ok(()) } else { Err(format!("{cancelled} of {calls} tasks are cancelled").into()) }
}
