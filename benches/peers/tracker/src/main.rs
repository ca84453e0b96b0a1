//! This tracker. Variants: `exclusive` and `readers`, after its sharing modes; each also with `-ahead`, whose worker works
//! ahead by 64 tasks.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::Arc,
    thread::{self, JoinHandle},
};

use peer_protocol::{Args, Bodies, Counts, Error, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, TrackedTask, Tracker, file::Sharing, worker::StopHandle};

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

struct Ours {
    tracker: Tracker,
    ahead: usize,
}

impl Queue for Ours {
    type Workers = (StopHandle, JoinHandle<tracker_core::Result<()>>);

    fn open(args: &Args) -> Result<Self, Error> {
        let sharing = if args.variant.starts_with("readers") { Sharing::Readers } else { Sharing::Exclusive };
        let tracker = Tracker::options().sharing(sharing).open(args.dir.join("tasks.redb"))?;
        tracker.tasks::<Job>()?;
        let ahead = if args.variant.ends_with("-ahead") { 64 } else { 0 };
        Ok(Self { tracker, ahead })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.tracker.tasks::<Job>()?.submit(&job(number))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        self.tracker.tasks::<Job>()?.submit_all(numbers.map(job))?;
        Ok(true)
    }

    fn start(&self, workers: usize, bodies: &Arc<Bodies>) -> Result<Self::Workers, Error> {
        let worker = self.tracker.tasks::<Job>()?.worker().threads(workers).prefetch(self.ahead).keep_running();
        let (stop, bodies) = (worker.stop_handle(), bodies.clone());
        let body = move |job: &mut Execution<Job>| {
            bodies.run(job.id.parse().unwrap_or(u64::MAX));
            Ok::<_, std::convert::Infallible>(())
        };
        Ok((stop, thread::spawn(move || worker.run(body).map(drop))))
    }

    fn counts(&self) -> Result<Counts, Error> {
        let counts = self.tracker.tasks::<Job>()?.counts()?;
        Ok(Counts { succeeded: counts.get(Status::Succeeded), given_up: counts.get(Status::Exhausted) })
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
    peer_protocol::run::<Ours>()
}
