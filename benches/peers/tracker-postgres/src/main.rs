//! This tracker on a PostgreSQL server. Variants: `strict`, and `prefetch`, whose worker claims up to 64 tasks in advance.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::Arc,
    thread::{self, JoinHandle},
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, TrackedTask, Tracker, worker::StopHandle};

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
    id: String,
    text: String,
}

fn job(number: u64) -> Job {
    Job { id: format!("{number:012}"), text: PAYLOAD.to_owned() }
}

struct ThisTracker {
    tracker: Tracker,
    prefetch: usize,
}

impl Queue for ThisTracker {
    type Workers = (StopHandle, JoinHandle<tracker_core::Result<()>>);

    fn open(args: &Args) -> Result<Self, Error> {
        let tracker = tracker_postgres::connect(&args.url)?;
        tracker.tasks::<Job>()?;
        Ok(Self { tracker, prefetch: if args.variant == "prefetch" { 64 } else { 0 } })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.tracker.tasks::<Job>()?.submit(&job(number))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        self.tracker.tasks::<Job>()?.submit_all(numbers.map(job))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let worker = self.tracker.tasks::<Job>()?.worker().threads(workers).prefetch(self.prefetch).keep_running();
        let (stop, handlers) = (worker.stop_handle(), handlers.clone());
        let handler = move |job: &mut Execution<Job>| {
            handlers.run(job.id.parse().unwrap_or(u64::MAX));
            Ok::<_, std::convert::Infallible>(())
        };
        Ok((stop, thread::spawn(move || worker.run(handler).map(drop))))
    }

    fn counts(&self) -> Result<Counts, Error> {
        let counts = self.tracker.tasks::<Job>()?.counts()?;
        Ok(Counts { succeeded: counts.get(Status::Succeeded), given_up: counts.get(Status::Exhausted) })
    }

    fn delete_all(&self) -> Result<bool, Error> {
        self.tracker.tasks::<Job>()?.query().remove()?;
        Ok(true)
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some((stop, worker)) = workers {
            stop.stop();
            worker.join().map_err(|_| "the worker panicked")??;
        }
        self.tracker.close()?;
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<ThisTracker>()
}
