//! aedb's durable queue. One variant: the library's default configuration, whose `DurabilityMode::Full` flushes its log
//! before a commit returns. The peer claims W tasks in one call, runs them and completes them at once, since workers that
//! claim alone compete for the head of the queue and most of their commits fail. In the crash scenarios, where hanging
//! handlers would hold a batch, W futures claim and complete one by one.
#![forbid(unsafe_code)]

use std::{ops::Range, sync::Arc, time::Duration};

use aedb::{AedbInstance, EnqueueOptions, FencedCommit, TaskState, config::AedbConfig, query::plan::ConsistencyMode};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue, Scenario};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::Notify, task::JoinSet};

const PROJECT: &str = "peers";
const SCOPE: &str = "bench";
const QUEUE: &str = "jobs";

/// Microseconds of a lease. Orphans wait for its end.
const LEASE: u64 = 2_000_000;

/// More than the tasks of any scenario: the library's default of 10,000 would cut the list that counts them.
const MOST_ROWS: usize = 1_000_000;

struct Shared {
    database: AedbInstance,
    /// Wakes a worker after a submit, since the library has no call that waits for a task.
    submitted: Notify,
}

struct Aedb {
    runtime: Runtime,
    shared: Arc<Shared>,
    one_by_one: bool,
    tasks: u64,
}

impl Shared {
    async fn claim(&self, worker: &str, lease: u64, most: usize) -> Result<Vec<aedb::ClaimedTask>, Error> {
        Ok(self.database.queue_claim(PROJECT, SCOPE, QUEUE, worker, lease, most).await?)
    }

    /// Returns whether the claim was still valid.
    async fn complete(&self, task: &aedb::ClaimedTask) -> Result<bool, Error> {
        let (id, fence) = (task.task_id.as_str(), task.fencing_token);
        let result = String::new();
        let end =
            self.database.queue_complete(PROJECT, SCOPE, QUEUE, id, fence, result, Vec::new(), Vec::new()).await?;
        Ok(matches!(end, FencedCommit::Applied(_)))
    }

    async fn work(self: &Arc<Self>, worker: &str, most: usize, handlers: &Arc<Handlers>) -> Result<(), Error> {
        loop {
            let claimed = self.claim(worker, LEASE, most).await?;
            if claimed.is_empty() {
                let _ = tokio::time::timeout(Duration::from_millis(10), self.submitted.notified()).await;
                continue;
            }
            let mut running = JoinSet::new();
            for task in claimed {
                let payload: Value = serde_json::from_str(&task.payload_json)?;
                let (shared, handlers) = (self.clone(), handlers.clone());
                running.spawn(async move {
                    handlers.run_async(payload["number"].as_u64().unwrap_or(u64::MAX)).await;
                    shared.complete(&task).await
                });
            }
            while let Some(ended) = running.join_next().await {
                ended??;
            }
        }
    }
}

impl Queue for Aedb {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let dir = args.dir.join("aedb");
        let new = !dir.exists();
        let database = runtime.block_on(async {
            let config = AedbConfig { max_scan_rows: MOST_ROWS, ..AedbConfig::default() };
            let database = AedbInstance::open_anonymous(config, &dir)?;
            if new {
                database.create_project(PROJECT).await?;
                database.create_scope(PROJECT, SCOPE).await?;
            }
            Ok::<_, Error>(database)
        })?;
        let shared = Arc::new(Shared { database, submitted: Notify::new() });
        let one_by_one = matches!(args.scenario, Scenario::Crash | Scenario::Resume);
        Ok(Self { runtime, shared, one_by_one, tasks: args.tasks })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        let payload_json = json!({ "number": number, "text": PAYLOAD }).to_string();
        let options = EnqueueOptions { payload_json, ..EnqueueOptions::default() };
        self.runtime.block_on(self.shared.database.queue_enqueue(PROJECT, SCOPE, QUEUE, options, Vec::new()))?;
        self.shared.submitted.notify_one();
        Ok(())
    }

    fn submit_all(&self, _: Range<u64>) -> Result<bool, Error> {
        Ok(false)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let (loops, most) = if self.one_by_one { (workers, 1) } else { (1, workers) };
        for worker in 0..loops {
            let (shared, handlers) = (self.shared.clone(), handlers.clone());
            self.runtime.spawn(async move {
                let name = format!("worker {worker} of {}", std::process::id());
                // A call that loses too many conflicts fails, and a program would retry.
                while let Err(error) = shared.work(&name, most, &handlers).await {
                    eprintln!("{error}");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        // The library deletes a task when it is completed.
        let list = |state| {
            let latest = ConsistencyMode::AtLatest;
            self.shared.database.queue_list(PROJECT, SCOPE, QUEUE, state, MOST_ROWS, latest)
        };
        let (all, dead) = self.runtime.block_on(async { (list(None).await, list(Some(TaskState::Dead)).await) });
        let (all, dead) = (all?.len() as u64, dead?.len() as u64);
        Ok(Counts::of_deleting_store(self.tasks, all - dead, dead))
    }

    fn end_stale_claim(&self, same_worker: bool) -> Result<Option<bool>, Error> {
        self.runtime.block_on(async {
            let first = self.shared.claim("first", 50_000, 1).await?.pop().ok_or("no task to claim")?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            let worker = if same_worker { "first" } else { "second" };
            let second = self.shared.claim(worker, 60_000_000, 1).await?.pop();
            let second = second.ok_or("the expired lease was not replaced")?;
            if second.task_id != first.task_id {
                return Err("another task was claimed".into());
            }
            Ok(Some(self.shared.complete(&first).await?))
        })
    }

    fn close(self, _: Option<Self::Workers>) -> Result<(), Error> {
        self.runtime.block_on(self.shared.database.shutdown())?;
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Aedb>()
}
