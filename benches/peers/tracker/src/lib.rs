//! This tracker as a peer. The programs of this folder and of `tracker-postgres` choose the place of the tasks.
#![forbid(unsafe_code)]

use std::{
    marker::PhantomData,
    ops::Range,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, TaskStatus, TrackedTask, Tracker, execution::StartOptions, worker::StopHandle,
};

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

/// Where a program keeps the tasks.
pub trait Place: Send + Sync + 'static {
    /// Opens the tracker of a run.
    ///
    /// # Errors
    /// As the call of the tracker that opens it.
    fn open(args: &Args) -> Result<Tracker, Error>;
}

/// The tracker of a run. Variants that end with `prefetch` claim up to 64 tasks in advance.
pub struct ThisTracker<P> {
    tracker: Tracker,
    prefetch: usize,
    place: PhantomData<P>,
}

impl<P: Place> Queue for ThisTracker<P> {
    type Workers = (StopHandle, JoinHandle<tracker_core::Result<()>>);

    fn open(args: &Args) -> Result<Self, Error> {
        let tracker = P::open(args)?;
        tracker.tasks::<Job>()?;
        let prefetch = if args.variant.ends_with("prefetch") { 64 } else { 0 };
        Ok(Self { tracker, prefetch, place: PhantomData })
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

    fn end_stale_claim(&self, same_worker: bool) -> Result<Option<bool>, Error> {
        let jobs = self.tracker.tasks::<Job>()?;
        let short = StartOptions::default().lease(Duration::from_millis(50));
        let mut first = jobs.worker_name("first").claim_with(&short)?.ok_or("no task to claim")?;
        thread::sleep(Duration::from_millis(200));
        let second = jobs.worker_name(if same_worker { "first" } else { "second" }).claim()?;
        let mut second = second.ok_or("the expired lease was not replaced")?;
        if second.id != first.id {
            return Err("another task was claimed".into());
        }
        let accepted = match first.succeed() {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::LeaseLost => false,
            Err(error) => return Err(error.into()),
        };
        // A dropped execution would release the task, and a later claim could find it.
        let _ = second.succeed();
        Ok(Some(accepted))
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
