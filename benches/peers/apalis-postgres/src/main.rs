//! apalis with apalis-postgres: one worker with W handlers at once, which fetches 100 tasks at a time and stores their results together.
//! Fetching assigns a task to the worker, so it is not locked again before its handler.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use apalis::{layers::WorkerBuilderExt as _, prelude::*};
use apalis_postgres::{Config, PostgresStorage, Pubsub};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::runtime::Runtime;

const QUEUE: &str = "jobs";

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Job {
    number: u64,
    text: String,
}

struct Apalis {
    runtime: Runtime,
    pool: PgPool,
    storage: Mutex<PostgresStorage<Job>>,
}

fn job(number: u64) -> Job {
    Job { number, text: PAYLOAD.to_owned() }
}

fn config() -> Config {
    Config::default().queue(QUEUE).batch_size(100).lock_tasks(false)
}

impl Queue for Apalis {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let most = u32::try_from(args.workers)? + 4;
        let pool = runtime.block_on(PgPoolOptions::new().max_connections(most).connect(&args.url))?;
        runtime.block_on(PostgresStorage::setup(&pool))?;
        let storage = Mutex::new(PostgresStorage::new(&pool).with_config(config()));
        Ok(Self { runtime, pool, storage })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        let mut storage = self.storage.lock().unwrap_or_else(PoisonError::into_inner);
        self.runtime.block_on(storage.push(job(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let mut storage = self.storage.lock().unwrap_or_else(PoisonError::into_inner);
        self.runtime.block_on(storage.push_bulk(numbers.map(job).collect()))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        // Woken by the notification of a submit, else polling.
        let pubsub = Pubsub::new(self.pool.clone(), QUEUE.to_owned());
        let strategy = Strategy::new().stream(pubsub).interval(Duration::from_millis(100));
        let backend = PostgresStorage::<Job>::new(&self.pool).with_config(config()).poll_with_strategy(strategy);
        let handlers = handlers.clone();
        let worker = WorkerBuilder::new(format!("worker-{}", std::process::id()))
            .backend(backend)
            .concurrency(workers)
            .build(move |job: Job| {
                let handlers = handlers.clone();
                async move {
                    handlers.run_async(job.number).await;
                    Ok::<_, BoxDynError>(())
                }
            });
        // Its future is not `Send`, so it has a thread of its own on the same runtime.
        let runtime = self.runtime.handle().clone();
        thread::spawn(move || {
            if let Err(error) = runtime.block_on(worker.run()) {
                eprintln!("{error}");
            }
        });
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |statement: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(statement).fetch_one(&self.pool))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM apalis.jobs WHERE status = 'Done'")?,
            given_up: count(
                "SELECT count(*) FROM apalis.jobs \
                 WHERE status = 'Killed' OR (status = 'Failed' AND attempts >= max_attempts)",
            )?,
        })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        // A running worker needs the runtime and keeps connections, which end with the process.
        if workers.is_none() {
            self.runtime.block_on(self.pool.close());
        } else {
            std::mem::forget(self.runtime);
        }
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Apalis>()
}
