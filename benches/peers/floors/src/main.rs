//! Lower bounds for any tracker. Variant `redb`: transactions that write the rows of this tracker and decide nothing.
//! Variant `fdatasync`: a write and a flush. W workers are batches of W tasks in one commit.
#![forbid(unsafe_code)]

mod bare;
mod flush;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use bare::Bare;
use flush::Flush;
use peer_protocol::{Args, Counts, Error, Handlers, Queue};

/// A store that submits tasks and moves batches of them from status to status.
trait Floor: Send + Sync {
    fn submit(&self, numbers: Range<u64>) -> Result<(), Error>;

    /// Ends some tasks and begins others, in one commit.
    fn step(&self, ended: Range<u64>, begun: Range<u64>) -> Result<(), Error>;
}

struct Floors {
    floor: Arc<dyn Floor>,
    tasks: u64,
    ended: Arc<AtomicU64>,
}

impl Queue for Floors {
    type Workers = JoinHandle<Result<(), Error>>;

    fn open(args: &Args) -> Result<Self, Error> {
        let floor: Arc<dyn Floor> = match args.variant.as_str() {
            "redb" => Arc::new(Bare::open(&args.dir.join("tasks.redb"))?),
            _ => Arc::new(Flush::open(&args.dir.join("tasks.bytes"))?),
        };
        Ok(Self { floor, tasks: args.tasks, ended: Arc::default() })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.floor.submit(number..number + 1)
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        self.floor.submit(numbers)?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let (floor, handlers, ended) = (self.floor.clone(), handlers.clone(), self.ended.clone());
        let (tasks, batch) = (self.tasks, u64::try_from(workers)?);
        Ok(thread::spawn(move || {
            let mut last = 0..0;
            loop {
                let next = last.end..tasks.min(last.end + batch);
                floor.step(last.clone(), next.clone())?;
                ended.store(last.end, Ordering::Release);
                if next.is_empty() {
                    return Ok(());
                }
                next.clone().for_each(|number| handlers.run(number));
                last = next;
            }
        }))
    }

    fn counts(&self) -> Result<Counts, Error> {
        Ok(Counts { succeeded: self.ended.load(Ordering::Acquire), given_up: 0 })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some(worker) = workers {
            worker.join().map_err(|_| "the worker panicked")??;
        }
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Floors>()
}
