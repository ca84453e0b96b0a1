//! An application at work, to look at in the dashboard: it fills a file with tasks in many states, then works until it is killed.
//!
//! ```text
//! cargo run --release -p tracker-web --example sample -- jobs.redb 1000
//! tracker serve jobs.redb --write
//! ```

use std::{env, error::Error, fmt, thread, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Execution, TaskStatus, Tasks, TrackedTask, Tracker, batch::BatchOptions, dependency::OnDependencyFailure,
    schedule::Schedule, submit::SubmitOptions, worker::WorkerPool,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = Status, max_attempts = 3, backoff = "exponential(1m, 1h)")]
struct Download {
    #[task(id)]
    url: String,
    #[task(index)]
    host: String,
    bytes: Option<u64>,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "thumbnail", status = Status)]
struct Thumbnail {
    #[task(id)]
    number: u64,
    note: String,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum FilmStatus {
    #[status(step = "cut", pending)]
    Raw = 1,
    #[status(in_progress)]
    Cutting = 2,
    #[status(succeeded)]
    Cut = 3,
    #[status(exhausted)]
    Spoilt = 4,
    #[status(step = "send", in_progress)]
    Sending = 5,
    #[status(succeeded)]
    Sent = 6,
    #[status(exhausted)]
    Unsent = 7,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "film", status = FilmStatus)]
struct Film {
    #[task(id)]
    title: String,
}

/// An error with a cause.
#[derive(Debug)]
struct Refused(&'static str, Option<Box<Refused>>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|cause| &**cause as _)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().ok_or("name a file, as in: sample jobs.redb 1000")?;
    let count: u64 = arguments.next().as_deref().unwrap_or("1000").parse()?;
    let tracker = Tracker::open(path)?;
    let downloads = tracker.tasks::<Download>()?.worker_name("fetcher-1");
    if downloads.counts()?.total() == 0 {
        fill(&tracker, &downloads, count)?;
    }
    let nightly = Schedule::cron("0 3 * * *")?.time_zone("Europe/Berlin")?;
    downloads.schedule("nightly", &nightly, |occurrence| Download { url: occurrence.id(), ..download(0) })?;
    println!("filled");
    work(&tracker, &downloads)
}

fn download(number: u64) -> Download {
    let host = ["images.example.org", "archive.example.net", "mirror.example.com"][(number % 3) as usize];
    Download { url: format!("https://{host}/{number:07}.tar.gz"), host: host.to_owned(), bytes: None }
}

fn fill(tracker: &Tracker, downloads: &Tasks<Download>, count: u64) -> Result<(), Box<dyn Error>> {
    downloads.submit_all((0..count).map(download))?;
    let ended = (count / 4).min(2_000);
    for number in 0..ended {
        let mut execution = downloads.start(download(number).url)?;
        match number % 20 {
            0 => execution.give_up(Refused("404 not found", None))?,
            7 => execution
                .fail(Refused("connection reset by peer", Some(Box::new(Refused("the cable is out", None)))))?,
            _ => {
                execution.bytes = Some(number * 1_000);
                execution.note("fetched from the cache");
                execution.metric("seconds", 0.25);
                execution.succeed()?;
            }
        }
    }
    downloads.ignore(download(ended + 1).url, "not wanted")?;
    downloads.cancel(download(ended + 2).url)?;
    downloads.pause_task(download(ended + 3).url)?;
    let hostile = "<script>alert(1)</script> \u{202e}\u{1b}[2J \"quotes\" & /../?a=b#c";
    downloads.submit(&Download { url: hostile.to_owned(), host: hostile.to_owned(), bytes: None })?;
    downloads.start(hostile)?.fail(Refused("<img src=x onerror=alert(1)>", None))?;
    let thumbnails = tracker.tasks::<Thumbnail>()?;
    fill_batches(&thumbnails)?;
    let after = SubmitOptions::new().after(downloads, download(count - 1).url, OnDependencyFailure::Cancel);
    thumbnails.submit_with(&thumbnail(1_000_000), &after)?;
    thumbnails.submit(&Thumbnail { number: 2_000_000, note: "x".repeat(10 << 20) })?;
    let films = tracker.tasks::<Film>()?;
    films.submit_all(
        ["Metropolis", "Nosferatu", "Sunrise", "The General"].map(|title| Film { title: title.to_owned() }),
    )?;
    films.step("cut")?.start("Metropolis")?.succeed()?;
    films.step("cut")?.start("Nosferatu")?.give_up("the reel is torn")?;
    films.pause()?;
    Ok(())
}

/// Two batches of thumbnails, of which one is over.
fn fill_batches(thumbnails: &Tasks<Thumbnail>) -> Result<(), Box<dyn Error>> {
    for (label, numbers) in [("holiday pictures", 0..40), ("catalogue", 100..180)] {
        thumbnails.submit_batch(label, numbers.map(thumbnail), &BatchOptions::new())?.seal()?;
    }
    for number in (0..40).chain(100..130) {
        thumbnails.start(number)?.succeed()?;
    }
    Ok(())
}

fn thumbnail(number: u64) -> Thumbnail {
    Thumbnail { number, note: "small".to_owned() }
}

/// Three downloads at a time, each with progress, and one thumbnail after the other.
fn work(tracker: &Tracker, downloads: &Tasks<Download>) -> Result<(), Box<dyn Error>> {
    let pool = WorkerPool::new().threads(3).keep_running();
    let pool = pool.serve(downloads, |execution: &mut Execution<Download>| {
        for done in 0..40 {
            execution.progress(done, Some(40), "fetching");
            thread::sleep(Duration::from_millis(100));
            if execution.is_cancelled() {
                return Err(Refused("cancelled", None));
            }
        }
        execution.bytes = Some(40);
        Ok(())
    });
    let thumbnails = tracker.tasks::<Thumbnail>()?;
    let pool = pool.serve(&thumbnails, |_: &mut Execution<Thumbnail>| {
        thread::sleep(Duration::from_millis(700));
        Ok::<_, Refused>(())
    });
    pool.run()?;
    Ok(())
}
