//! azums on SQLite. One variant. A client works through a lease of 32 jobs one after the other, so W workers are W clients
//! with distinct names on one backend.
#![forbid(unsafe_code)]

use std::{ops::Range, sync::Arc};

use azums::{Job, NewJob, QuickstartFlow, SqliteBackend, StorageBackend, make_sqlite_pool};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

struct Azums {
    runtime: Runtime,
    backend: SqliteBackend,
}

fn job(number: u64) -> NewJob {
    Job::new("job", json!({ "number": number, "text": PAYLOAD })).queue("default").max_attempts(5).into()
}

impl Azums {
    fn client(&self, name: &str) -> QuickstartFlow {
        QuickstartFlow::new(Arc::new(self.backend.clone())).with_worker_id(name)
    }
}

impl Queue for Azums {
    type Workers = CancellationToken;

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let url = format!("sqlite://{}?mode=rwc", args.dir.join("tasks.db").display());
        let backend = runtime.block_on(async {
            let backend = SqliteBackend::new(make_sqlite_pool(&url).await?);
            backend.run_migrations().await?;
            Ok::<_, anyhow::Error>(backend)
        })?;
        Ok(Self { runtime, backend })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.backend.enqueue(job(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        // `enqueue_batch` commits each job alone; a transaction of the program is the documented faster way.
        self.runtime.block_on(async {
            let mut transaction = self.backend.pool().begin().await?;
            for number in numbers {
                self.backend.enqueue_in_tx(&mut transaction, job(number)).await?;
            }
            transaction.commit().await?;
            Ok::<_, anyhow::Error>(())
        })?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let stop = CancellationToken::new();
        for worker in 0..workers {
            let client = self.client(&format!("worker {} of {}", worker, std::process::id()));
            let (handlers, stop) = (handlers.clone(), stop.clone());
            self.runtime.spawn(async move {
                let handler = move |job: Job| {
                    let (handlers, number) = (handlers.clone(), job.payload["number"].as_u64());
                    async move {
                        handlers.run_async(number.unwrap_or(u64::MAX)).await;
                        Ok(())
                    }
                };
                client.register_handler("job", handler).await;
                // A client stops at "database is locked"; a program would start it again.
                while let Err(error) = client.run_with_shutdown(stop.clone()).await {
                    eprintln!("{error}");
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            });
        }
        Ok(stop)
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |sql: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(self.backend.pool()))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM jobs WHERE status IN ('succeeded', 'completed')")?,
            given_up: count("SELECT count(*) FROM jobs WHERE status = 'dlq'")?,
        })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some(stop) = workers {
            stop.cancel();
        }
        self.runtime.block_on(self.backend.pool().close());
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Azums>()
}
