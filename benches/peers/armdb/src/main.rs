//! armdb's queue with payloads of variable length. Variants: `durable`, where submits and ends are transactions with
//! `.durable()`, and `plain`, the queue's own `push` and `ack`. A claim is the queue's `lease` in both: after a power loss
//! without it, the task is claimed again.
//!
//! `durable` leases W tasks in one call, runs them on W threads and ends them in one transaction, since a durable
//! transaction blocks the queue during its flush. `plain`, and both in the crash scenarios, where handlers hang, have W
//! threads that lease and end one by one.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use armdb::{DbError, QueueConfig, armour::Db, queue};
use armour_core::GetType;
use peer_protocol::{Args, Counts, Error, HandlerPool, Handlers, PAYLOAD, Queue, Scenario};
use rapira::Rapira;

#[derive(Clone, Debug, GetType, Rapira)]
pub struct Job {
    number: u64,
    text: String,
}

queue!(Jobs, payload = Job, name = "jobs", var);

/// The duration of a lease; the library's default is 60 s. Orphans wait for its end.
const LEASE: Duration = Duration::from_secs(2);

/// The most submits in a transaction: each has two operations, and the library's limit is 1,024.
const BATCH: usize = 512;

struct Shared {
    database: Db,
    queue: Arc<armdb::Queue<Jobs>>,
    durable: bool,
    stop: AtomicBool,
}

struct Armdb {
    shared: Arc<Shared>,
    one_by_one: bool,
    tasks: u64,
}

fn job(number: u64) -> Job {
    Job { number, text: PAYLOAD.to_owned() }
}

impl Shared {
    fn end(&self, token: armdb::LeaseToken) -> Result<(), DbError> {
        if self.durable {
            self.database.tx().ack(&self.queue, token)?.durable().commit()
        } else {
            self.queue.ack(token)
        }
    }

    fn work_one_by_one(&self, handlers: &Handlers) -> Result<(), Error> {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(claimed) = self.queue.lease(1, None)?.pop() else {
                self.queue.wait_due_timeout(Duration::from_millis(100))?;
                continue;
            };
            handlers.run(claimed.payload().number);
            self.end(claimed.token())?;
        }
        Ok(())
    }

    fn work_in_batches(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<(), Error> {
        let pool = HandlerPool::new(workers, handlers);
        while !self.stop.load(Ordering::Relaxed) {
            let claimed = self.queue.lease(workers, None)?;
            if claimed.is_empty() {
                self.queue.wait_due_timeout(Duration::from_millis(100))?;
                continue;
            }
            pool.run(claimed.iter().map(|entry| entry.payload().number))?;
            let mut transaction = self.database.tx();
            for entry in &claimed {
                transaction = transaction.ack(&self.queue, entry.token())?;
            }
            transaction.durable().commit()?;
        }
        Ok(())
    }
}

impl Queue for Armdb {
    type Workers = Vec<JoinHandle<()>>;

    fn open(args: &Args) -> Result<Self, Error> {
        let database = Db::open(args.dir.join("armdb"))?;
        let queue = database.open_queue::<Jobs>(QueueConfig::balanced().lease_timeout(LEASE).build()?)?;
        let (durable, stop) = (args.variant == "durable", AtomicBool::new(false));
        let one_by_one = !durable || matches!(args.scenario, Scenario::Crash | Scenario::Resume);
        let shared = Arc::new(Shared { database, queue, durable, stop });
        Ok(Self { shared, one_by_one, tasks: args.tasks })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        let Shared { database, queue, durable, .. } = &*self.shared;
        if *durable {
            database.tx().push(queue, job(number), None)?.durable().commit()?;
        } else {
            queue.push(job(number), None)?;
        }
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let Shared { database, queue, durable, .. } = &*self.shared;
        if !durable {
            // The queue itself has no bulk call.
            return Ok(false);
        }
        let numbers: Vec<u64> = numbers.collect();
        for batch in numbers.chunks(BATCH) {
            let mut transaction = database.tx();
            for number in batch {
                transaction = transaction.push(queue, job(*number), None)?;
            }
            transaction.durable().commit()?;
        }
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        // A lease fails if the payload of its task is lost; a program would continue with the next task.
        fn repeat(mut work: impl FnMut() -> Result<(), Error>) {
            while let Err(error) = work() {
                eprintln!("{error}");
                thread::sleep(Duration::from_millis(1));
            }
        }
        let spawn_one_by_one = |_| {
            let (shared, handlers) = (self.shared.clone(), handlers.clone());
            thread::spawn(move || repeat(|| shared.work_one_by_one(&handlers)))
        };
        if self.one_by_one {
            return Ok((0..workers).map(spawn_one_by_one).collect());
        }
        let (shared, handlers) = (self.shared.clone(), handlers.clone());
        Ok(vec![thread::spawn(move || repeat(|| shared.work_in_batches(workers, &handlers)))])
    }

    fn counts(&self) -> Result<Counts, Error> {
        // The library deletes a row when it is acknowledged.
        let queue = &self.shared.queue;
        Ok(Counts::of_deleting_store(self.tasks, queue.len(), queue.dead_len()))
    }

    fn end_stale_claim(&self, _: bool) -> Result<Option<bool>, Error> {
        // A claim names no worker: it has a token with an epoch.
        let lease = Some(Duration::from_millis(50));
        let first = self.shared.queue.lease(1, lease)?.pop().ok_or("no job to claim")?;
        thread::sleep(Duration::from_millis(200));
        let second = self.shared.queue.lease(1, Some(Duration::from_secs(60)))?.pop();
        let second = second.ok_or("the expired lease was not replaced")?;
        if second.id() != first.id() {
            return Err("another job was claimed".into());
        }
        match self.shared.end(first.token()) {
            Ok(()) => Ok(Some(true)),
            Err(DbError::LeaseExpired) => Ok(Some(false)),
            Err(error) => Err(error.into()),
        }
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in workers.into_iter().flatten() {
            let _ = worker.join();
        }
        self.shared.database.clean_shutdown()?;
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Armdb>()
}
