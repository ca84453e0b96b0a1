//! underway: one worker with a concurrency limit of W. Each task is dequeued in a transaction and runs in another one.
#![forbid(unsafe_code)]

use std::{ops::Range, sync::Arc, time::Duration};

use jiff::ToSpan;
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use sqlx::{
    Postgres, Transaction,
    postgres::{PgPool, PgPoolOptions},
};
use tokio::{runtime::Runtime, task::JoinHandle};
use underway::{Task, Worker, task::Result as TaskResult};

#[derive(Serialize, Deserialize)]
struct Input {
    number: u64,
    text: String,
}

/// The task, whose handlers are missing while it is only submitted.
#[derive(Clone)]
struct Job(Option<Arc<Handlers>>);

impl Task for Job {
    type Input = Input;
    type Output = ();

    async fn execute(&self, _: Transaction<'_, Postgres>, input: Input) -> TaskResult<()> {
        if let Some(handlers) = &self.0 {
            handlers.clone().run_async(input.number).await;
        }
        Ok(())
    }
}

struct Underway {
    runtime: Runtime,
    pool: PgPool,
    queue: Arc<underway::Queue<Job>>,
}

fn input(number: u64) -> Input {
    Input { number, text: PAYLOAD.to_owned() }
}

impl Queue for Underway {
    type Workers = (Worker<Job>, JoinHandle<()>);

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        // A task in progress holds one connection and needs another for its heartbeat.
        let most = u32::try_from(args.workers)? * 2 + 4;
        let (pool, queue) = runtime.block_on(async {
            let pool = PgPoolOptions::new().max_connections(most).connect(&args.url).await?;
            underway::run_migrations(&pool).await?;
            let queue = underway::Queue::builder().name("jobs").pool(pool.clone()).build().await?;
            Ok::<_, Error>((pool, Arc::new(queue)))
        })?;
        Ok(Self { runtime, pool, queue })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.queue.enqueue(&self.pool, &Job(None), &input(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let inputs: Vec<_> = numbers.map(input).collect();
        self.runtime.block_on(self.queue.enqueue_multi(&self.pool, &Job(None), &inputs))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let mut worker = Worker::new(self.queue.clone(), Job(Some(handlers.clone())));
        worker.set_concurrency_limit(workers);
        let running = worker.clone();
        let task = self.runtime.spawn(async move {
            // Each tick starts one more of the tasks that may run at once; the default is a tick a minute.
            if let Err(error) = running.run_every(1.millisecond()).await {
                eprintln!("{error}");
            }
        });
        Ok((worker, task))
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |statement: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(statement).fetch_one(&self.pool))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM underway.task WHERE state = 'succeeded'")?,
            given_up: count("SELECT count(*) FROM underway.task WHERE state = 'failed'")?,
        })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some((worker, task)) = workers {
            worker.shutdown();
            let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), task).await });
        }
        let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), self.pool.close()).await });
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Underway>()
}
