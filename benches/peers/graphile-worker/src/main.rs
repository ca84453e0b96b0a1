//! graphile_worker. Variants: `direct`, which claims and completes jobs one by one, and `local-queue`, as its guide to throughput
//! advises: jobs are claimed 100 at a time, and completions of 5 ms are stored together.
#![forbid(unsafe_code)]

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions, WorkerUtils,
};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::{runtime::Runtime, task::JoinHandle};

const SCHEMA: &str = "graphile_worker";

#[derive(Clone, Serialize, Deserialize)]
struct Job {
    number: u64,
    text: String,
}

/// The handlers, as an extension of the worker, which must have a `Debug` output.
#[derive(Clone)]
struct Shared(Arc<Handlers>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = "job";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(Shared(handlers)) = context.get_ext::<Shared>().cloned() else {
            return Err("the worker has no handlers".to_owned());
        };
        handlers.run_async(self.number).await;
        Ok(())
    }
}

struct Graphile {
    runtime: Runtime,
    pool: PgPool,
    utils: WorkerUtils,
    /// Number of tasks in the queue, since completed jobs are deleted.
    filled: u64,
    local_queue: bool,
}

fn job(number: u64) -> Job {
    Job { number, text: PAYLOAD.to_owned() }
}

impl Queue for Graphile {
    type Workers = (Arc<Worker>, JoinHandle<()>);

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let most = u32::try_from(args.workers)? + 4;
        let pool = runtime.block_on(PgPoolOptions::new().max_connections(most).connect(&args.url))?;
        let utils = WorkerUtils::new(pool.clone(), SCHEMA);
        runtime.block_on(utils.migrate())?;
        Ok(Self { runtime, pool, utils, filled: args.filled(), local_queue: args.variant == "local-queue" })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.utils.add_job(job(number), JobSpec::default()))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let spec = JobSpec::default();
        let jobs: Vec<_> = numbers.map(|number| (job(number), &spec)).collect();
        self.runtime.block_on(self.utils.add_jobs::<Job>(&jobs))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let mut options = WorkerOptions::default()
            .schema(SCHEMA)
            .concurrency(workers)
            .poll_interval(Duration::from_millis(100))
            .pg_pool(self.pool.clone())
            .add_extension(Shared(handlers.clone()))
            .define_job::<Job>();
        if self.local_queue {
            let queue = LocalQueueConfig::default().with_size(100);
            options = options.local_queue(queue).complete_job_batch_delay(Duration::from_millis(5));
        }
        let worker = Arc::new(self.runtime.block_on(options.init())?);
        let running = worker.clone();
        let task = self.runtime.spawn(async move {
            if let Err(error) = running.run().await {
                eprintln!("{error}");
            }
        });
        Ok((worker, task))
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |condition: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(condition).fetch_one(&self.pool))?;
            Ok(counted.try_into()?)
        };
        let remaining = count("SELECT count(*) FROM graphile_worker._private_jobs WHERE attempts < max_attempts")?;
        let given_up = count("SELECT count(*) FROM graphile_worker._private_jobs WHERE attempts >= max_attempts")?;
        Ok(Counts::of_deleting_store(self.filled, remaining, given_up))
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some((worker, task)) = workers {
            worker.request_shutdown();
            let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), task).await });
        }
        let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), self.pool.close()).await });
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Graphile>()
}
