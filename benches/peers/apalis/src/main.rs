//! apalis with apalis-sqlite. Variants: `full`, a pool opened with WAL and `synchronous = FULL`, and `setup`, a pool as
//! `SqliteStorage::setup` leaves it (WAL, and flushing off on the connection that ran it).
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use apalis::{layers::WorkerBuilderExt as _, prelude::*};
use apalis_sqlite::{Config, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteStorage};
use futures::channel::mpsc;
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use tokio::runtime::Runtime;

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Task {
    number: u64,
    text: String,
}

struct Apalis {
    runtime: Runtime,
    pool: SqlitePool,
    storage: Mutex<SqliteStorage<Task>>,
    /// Wakes the worker after a submit, so that it polls rarely.
    wake: Mutex<Vec<mpsc::UnboundedSender<()>>>,
}

fn task(number: u64) -> Task {
    Task { number, text: PAYLOAD.to_owned() }
}

fn config() -> Config {
    // One fetch brings 100 tasks instead of 10. The tasks of a killed worker return after a heartbeat of one second.
    Config::default().queue("tasks").batch_size(100).heartbeat_interval(Duration::from_secs(1))
}

impl Apalis {
    fn wake(&self) {
        for wake in self.wake.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = wake.unbounded_send(());
        }
    }
}

impl Queue for Apalis {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let mut options = SqliteConnectOptions::new()
            .filename(args.dir.join("tasks.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(10));
        if args.variant == "full" {
            options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        }
        let pool = runtime.block_on(async {
            let pool = SqlitePoolOptions::new().connect_with(options).await?;
            if args.variant == "full" {
                SqliteStorage::migrations().run(&pool).await?;
            } else {
                SqliteStorage::setup(&pool).await?;
            }
            Ok::<_, Error>(pool)
        })?;
        let storage = Mutex::new(SqliteStorage::new(&pool).with_config(config()));
        Ok(Self { runtime, pool, storage, wake: Mutex::default() })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        let mut storage = self.storage.lock().unwrap_or_else(PoisonError::into_inner);
        self.runtime.block_on(storage.push(task(number)))?;
        self.wake();
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let mut storage = self.storage.lock().unwrap_or_else(PoisonError::into_inner);
        self.runtime.block_on(storage.push_bulk(numbers.map(task).collect()))?;
        self.wake();
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let (wake, woken) = mpsc::unbounded();
        self.wake.lock().unwrap_or_else(PoisonError::into_inner).push(wake);
        let strategy = Strategy::new().stream(woken).interval(Duration::from_millis(100));
        let backend = SqliteStorage::<Task>::new(&self.pool).with_config(config()).poll_with_strategy(strategy);
        let handlers = handlers.clone();
        let worker = WorkerBuilder::new(format!("worker-{}", std::process::id()))
            .backend(backend)
            .concurrency(workers)
            .build(move |task: Task| {
                let handlers = handlers.clone();
                async move {
                    handlers.run_async(task.number).await;
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
        let count = |statuses: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(statuses).fetch_one(&self.pool))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM Jobs WHERE status = 'Done'")?,
            given_up: count(
                "SELECT count(*) FROM Jobs WHERE status = 'Killed' OR (status = 'Failed' AND attempts >= max_attempts)",
            )?,
        })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        // The pool closes when all its connections are returned, and a running worker keeps one and needs the runtime.
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
