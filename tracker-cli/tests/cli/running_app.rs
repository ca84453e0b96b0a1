//! A file of two kinds with tasks in many states, whose writer goes on working.

use std::{error::Error, fmt};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, Options, TaskStatus, Tasks, TrackedTask, Tracker, file::Sharing, submit::SubmitOptions};

use crate::fixture::Fixture;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    Pending = 10,
    #[status(in_progress)]
    Running = 20,
    Failed = 30,
    #[status(succeeded)]
    Done = 40,
    Exhausted = 50,
    Cancelled = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = JobStatus, max_attempts = 2, backoff = "fixed(1h)")]
pub struct Download {
    #[task(id)]
    pub url: String,
    #[task(index)]
    pub host: String,
    pub bytes: Option<u64>,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmStatus {
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
    LostTask = 7,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "film", status = FilmStatus)]
pub struct Film {
    #[task(id)]
    pub number: u64,
}

/// The writer, with what it has claimed.
pub struct RunningApp {
    pub downloads: Tasks<Download>,
    pub running: Vec<Execution<Download>>,
}

/// An error with a cause.
#[derive(Debug)]
pub struct Refused(pub &'static str, pub Option<Box<Refused>>);

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

fn download(number: u32) -> Download {
    let host = if number.is_multiple_of(2) { "even.org" } else { "odd.org" };
    Download { url: format!("https://{host}/{number}"), host: host.into(), bytes: None }
}

impl RunningApp {
    /// Downloads 0 to 11: 0 to 2 are done, 3 and 5 have failed and wait, 4 was given up, 6 and 7 run, 8 is cancelled, 9 to 11
    /// are pending, 11 before the others by its priority. Films 1 to 3: 1 is cut and waits to be sent, the others are raw.
    pub fn open(fixture: &Fixture) -> Self {
        Self::open_with(fixture, Tracker::options().sharing(Sharing::Readers))
    }

    pub fn open_with(fixture: &Fixture, options: Options) -> Self {
        let tracker = options.open(fixture.path("jobs.redb")).unwrap();
        let downloads = tracker.tasks::<Download>().unwrap();
        let films = tracker.tasks::<Film>().unwrap();
        downloads.submit_all((0..11).map(download)).unwrap();
        downloads.submit_with(&download(11), &SubmitOptions::new().priority(9)).unwrap();
        let start = |number| downloads.worker_name("worker 1").start(&download(number).url).unwrap();
        for number in 0..3 {
            let mut done = start(number);
            done.bytes = Some(u64::from(number) * 1_000);
            done.note("fetched");
            done.metric("ratio", 0.5);
            done.succeed().unwrap();
        }
        let reset = || Refused("connection reset", Some(Box::new(Refused("the cable is out", None))));
        start(3).fail(reset()).unwrap();
        start(5).fail(reset()).unwrap();
        start(4).give_up(Refused("https://even.org/4: 404 not found", None)).unwrap();
        downloads.cancel(&download(8).url).unwrap();
        let running = [6, 7].map(start).into();
        films.submit_all((1..4).map(|number| Film { number })).unwrap();
        films.step("cut").unwrap().start(1_u64).unwrap().succeed().unwrap();
        Self { downloads, running }
    }
}
