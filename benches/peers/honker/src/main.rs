//! honker on SQLite with `synchronous = FULL`; the library opens its file with `NORMAL`. One variant. As rustqueue's peer,
//! it claims W jobs in one call, runs them on W threads and acknowledges them in one call. In the crash scenarios, where
//! handlers hang, W threads claim and acknowledge one by one with the library's `claim_waker`.
#![forbid(unsafe_code)]

use std::{ops::Range, sync::Arc, thread, time::Duration};

use honker::{Database, EnqueueOpts, Job, QueueOpts};
use peer_protocol::{Args, Counts, Error, HandlerPool, Handlers, PAYLOAD, Queue, Scenario};
use serde_json::{Value, json};

const QUEUE: &str = "jobs";

/// Seconds of a claim; the library's default is 300. Orphans wait for its end.
const VISIBILITY: i64 = 2;

struct Honker {
    database: Database,
    queue: honker::Queue,
    one_by_one: bool,
    tasks: u64,
}

fn data(number: u64) -> Value {
    json!({ "number": number, "text": PAYLOAD })
}

fn number(job: &Job) -> Result<u64, Error> {
    Ok(job.payload_as::<Value>()?["number"].as_u64().unwrap_or(u64::MAX))
}

/// Claims, runs and acknowledges one job after the other.
fn work_one_by_one(queue: &honker::Queue, worker: &str, handlers: &Handlers) -> Result<(), Error> {
    let waker = queue.claim_waker();
    while let Some(job) = waker.next(worker)? {
        handlers.run(number(&job)?);
        job.ack()?;
    }
    Ok(())
}

/// Claims, runs and acknowledges as many jobs at once as there are workers.
fn work_in_batches(queue: &honker::Queue, workers: usize, handlers: &Arc<Handlers>) -> Result<(), Error> {
    const WORKER: &str = "worker";
    let (waker, pool) = (queue.claim_waker(), HandlerPool::new(workers, handlers));
    loop {
        let mut batch = queue.claim_batch(WORKER, i64::try_from(workers)?)?;
        if batch.is_empty() {
            match waker.next(WORKER)? {
                Some(job) => batch.push(job),
                None => return Ok(()),
            }
        }
        pool.run(batch.iter().map(number).collect::<Result<Vec<_>, _>>()?)?;
        let ids: Vec<i64> = batch.iter().map(|job| job.id).collect();
        queue.ack_batch(&ids, WORKER)?;
    }
}

impl Queue for Honker {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let database = Database::open(args.dir.join("tasks.db"))?;
        database.with_conn(|connection| connection.execute_batch("PRAGMA synchronous = FULL"))?;
        let queue = database.queue(QUEUE, QueueOpts { visibility_timeout_s: VISIBILITY, ..QueueOpts::default() });
        let one_by_one = matches!(args.scenario, Scenario::Crash | Scenario::Resume);
        Ok(Self { database, queue, one_by_one, tasks: args.tasks })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.queue.enqueue(&data(number), EnqueueOpts::default())?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let transaction = self.database.transaction()?;
        for number in numbers {
            self.queue.enqueue_tx(&transaction, &data(number), EnqueueOpts::default())?;
        }
        transaction.commit()?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let report = |result: Result<(), Error>| {
            if let Err(error) = result {
                eprintln!("{error}");
            }
        };
        if self.one_by_one {
            for worker in 0..workers {
                let (queue, handlers) = (self.queue.clone(), handlers.clone());
                let name = format!("worker {worker} of {}", std::process::id());
                thread::spawn(move || report(work_one_by_one(&queue, &name, &handlers)));
            }
        } else {
            let (queue, handlers) = (self.queue.clone(), handlers.clone());
            thread::spawn(move || report(work_in_batches(&queue, workers, &handlers)));
        }
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        // The library deletes a job when it is acknowledged.
        let count = |sql: &str| -> Result<u64, Error> {
            let counted: i64 = self.database.with_conn(|connection| connection.query_row(sql, [], |row| row.get(0)))?;
            Ok(counted.try_into()?)
        };
        let (remaining, dead) =
            (count("SELECT count(*) FROM _honker_live")?, count("SELECT count(*) FROM _honker_dead")?);
        Ok(Counts::of_deleting_store(self.tasks, remaining, dead))
    }

    fn end_stale_claim(&self, same_worker: bool) -> Result<Option<bool>, Error> {
        let first = self.queue.claim_one("first")?.ok_or("no job to claim")?;
        // The claim's end is kept in whole seconds.
        thread::sleep(Duration::from_secs(VISIBILITY.unsigned_abs() + 2));
        let second = self.queue.claim_one(if same_worker { "first" } else { "second" })?;
        let second = second.ok_or("the expired claim was not replaced")?;
        if second.id != first.id {
            return Err("another job was claimed".into());
        }
        let accepted = first.ack()?;
        second.ack()?;
        Ok(Some(accepted))
    }

    fn close(self, _: Option<Self::Workers>) -> Result<(), Error> {
        // Workers wait for jobs until the process ends.
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Honker>()
}
