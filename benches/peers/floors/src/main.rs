//! What lies below any tracker: variant `redb`, transactions that write the bytes this tracker writes and decide
//! nothing; variant `fdatasync`, a write and a flush. W workers are batches of W tasks in one commit.
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
use peer_protocol::{Args, Bodies, Counts, Error, Queue};

/// A store that takes tasks and moves batches of them.
trait Floor: Send + Sync {
    fn submit(&self, numbers: Range<u64>) -> Result<(), Error>;

    /// One commit: these end, those begin.
    fn turn(&self, ended: Range<u64>, begun: Range<u64>) -> Result<(), Error>;
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

    fn start(&self, workers: usize, bodies: &Arc<Bodies>) -> Result<Self::Workers, Error> {
        let (floor, bodies, ended) = (self.floor.clone(), bodies.clone(), self.ended.clone());
        let (tasks, batch) = (self.tasks, u64::try_from(workers)?);
        Ok(thread::spawn(move || {
            let mut last = 0..0;
            loop {
                let next = last.end..tasks.min(last.end + batch);
                floor.turn(last.clone(), next.clone())?;
                ended.store(last.end, Ordering::Release);
                if next.is_empty() {
                    return Ok(());
                }
                next.clone().for_each(|number| bodies.run(number));
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
