//! fang with `asynk-sqlite`. One variant: as the library opens its file (no WAL), tasks kept when they end, so that
//! their status can be counted, and workers that poll after 10 ms instead of 5 s.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
    time::Duration,
};

use fang::{
    AsyncQueue, AsyncQueueable, AsyncRunnable, AsyncWorkerPool, FangError, RetentionMode, SleepParams, async_trait,
    serde::{Deserialize, Serialize},
    typetag,
};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use sqlx::SqlitePool;
use tokio::runtime::Runtime;

/// A copy of the library's migration for SQLite, whose feature would add diesel and a second SQLite.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS fang_tasks (
        id BLOB NOT NULL PRIMARY KEY, metadata TEXT NOT NULL, error_message TEXT,
        state TEXT CHECK (state IN ('new', 'in_progress', 'failed', 'finished', 'retried')) NOT NULL DEFAULT 'new',
        task_type TEXT NOT NULL DEFAULT 'common', uniq_hash CHAR(64), retries INTEGER NOT NULL DEFAULT 0,
        scheduled_at INTEGER NOT NULL DEFAULT (unixepoch('now')),
        created_at INTEGER NOT NULL DEFAULT (unixepoch('now')),
        updated_at INTEGER NOT NULL DEFAULT (unixepoch('now')));
    CREATE INDEX IF NOT EXISTS fang_tasks_state_index ON fang_tasks(state);
    CREATE INDEX IF NOT EXISTS fang_tasks_type_index ON fang_tasks(task_type);
    CREATE INDEX IF NOT EXISTS fang_tasks_scheduled_at_index ON fang_tasks(scheduled_at);
    CREATE INDEX IF NOT EXISTS fang_tasks_uniq_hash ON fang_tasks(uniq_hash);";

/// The library calls a task with no context but its type, so the handlers are global.
static HANDLERS: OnceLock<Arc<Handlers>> = OnceLock::new();

#[derive(Serialize, Deserialize)]
#[serde(crate = "fang::serde")]
struct Job {
    number: u64,
    text: String,
}

#[typetag::serde]
#[async_trait]
impl AsyncRunnable for Job {
    async fn run(&self, _: &dyn AsyncQueueable) -> Result<(), FangError> {
        if let Some(handlers) = HANDLERS.get() {
            handlers.clone().run_async(self.number).await;
        }
        Ok(())
    }
}

struct Fang {
    runtime: Runtime,
    queue: AsyncQueue,
    pool: SqlitePool,
}

impl Queue for Fang {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let url = format!("sqlite://{}?mode=rwc", args.dir.join("tasks.db").display());
        let (queue, pool) = runtime.block_on(async {
            let pool = SqlitePool::connect(&url).await?;
            sqlx::raw_sql(SCHEMA).execute(&pool).await?;
            let connections = u32::try_from(args.workers)?;
            let mut queue = AsyncQueue::builder().uri(url).max_pool_size(connections).build();
            queue.connect().await?;
            Ok::<_, Error>((queue, pool))
        })?;
        Ok(Self { runtime, queue, pool })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        let job = Job { number, text: PAYLOAD.to_owned() };
        self.runtime.block_on(self.queue.insert_task(&job))?;
        Ok(())
    }

    fn submit_all(&self, _: Range<u64>) -> Result<bool, Error> {
        Ok(false)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let _ = HANDLERS.set(handlers.clone());
        let moment = Duration::from_millis(10);
        let sleep = SleepParams::builder()
            .sleep_period(moment)
            .min_sleep_period(moment)
            .max_sleep_period(moment)
            .sleep_step(Duration::ZERO)
            .build();
        let mut pool: AsyncWorkerPool<AsyncQueue> = AsyncWorkerPool::builder()
            .number_of_workers(u32::try_from(workers)?)
            .queue(self.queue.clone())
            .sleep_params(sleep)
            .retention_mode(RetentionMode::KeepAll)
            .build();
        self.runtime.block_on(pool.start());
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |sql: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&self.pool))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM fang_tasks WHERE state = 'finished'")?,
            given_up: count("SELECT count(*) FROM fang_tasks WHERE state = 'failed'")?,
        })
    }

    fn close(self, _: Option<Self::Workers>) -> Result<(), Error> {
        self.runtime.block_on(self.pool.close());
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Fang>()
}
