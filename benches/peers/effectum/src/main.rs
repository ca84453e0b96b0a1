//! effectum. Variants: `plain`, as the library opens its file (a misspelt pragma leaves the rollback journal), and
//! `wal`, a file that was set to WAL beforehand.
#![forbid(unsafe_code)]

use std::{fmt, ops::Range, path::PathBuf, sync::Arc, time::Duration};

use effectum::{Job, JobRunner, RunningJob, Worker};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

struct Effectum {
    runtime: Runtime,
    queue: effectum::Queue,
    path: PathBuf,
}

#[derive(Clone)]
struct Context(Arc<Handlers>);

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context")
    }
}

async fn handler(job: RunningJob, context: Context) -> Result<(), Error> {
    let task: Value = job.json_payload()?;
    context.0.run_async(task["number"].as_u64().unwrap_or(u64::MAX)).await;
    Ok(())
}

fn job(number: u64) -> Result<Job, Error> {
    let payload = json!({ "number": number, "text": PAYLOAD });
    Ok(Job::builder("job").name(format!("{number:012}")).json_payload(&payload)?.build())
}

impl Queue for Effectum {
    type Workers = Worker;

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let path = args.dir.join("tasks.db");
        if args.variant == "wal" {
            Connection::open(&path)?.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        }
        let queue = runtime.block_on(effectum::Queue::new(&path))?;
        Ok(Self { runtime, queue, path })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.queue.add_job(job(number)?))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let jobs = numbers.map(job).collect::<Result<Vec<_>, _>>()?;
        self.runtime.block_on(self.queue.add_jobs(jobs))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let runner = JobRunner::builder("job", handler).build();
        let most: u16 = workers.try_into()?;
        // It fetches anew when half its slots are free: faster than at every free one.
        let builder = Worker::builder(&self.queue, Context(handlers.clone())).jobs([runner]);
        let builder = builder.max_concurrency(most).min_concurrency(most.div_ceil(2));
        Ok(self.runtime.block_on(builder.build())?)
    }

    fn counts(&self) -> Result<Counts, Error> {
        let connection = Connection::open(&self.path)?;
        let count = |status: &str| -> Result<u64, Error> {
            let sql = "SELECT count(*) FROM jobs WHERE status = ?1";
            Ok(connection.query_row(sql, [status], |row| row.get::<_, i64>(0))?.try_into()?)
        };
        Ok(Counts { succeeded: count("succeeded")?, given_up: count("failed")? })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        let _entered = self.runtime.enter();
        self.runtime.block_on(async {
            if let Some(worker) = workers {
                worker.unregister(Some(Duration::from_secs(5))).await?;
            }
            self.queue.close(Duration::from_secs(5)).await
        })?;
        drop(self.queue);
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Effectum>()
}
