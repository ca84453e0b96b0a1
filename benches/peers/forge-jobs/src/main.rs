//! forge-jobs on SQLite. One variant: as the library opens its file (WAL, SQLite's own `synchronous = FULL`).
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use forge_jobs::{
    DefaultRouter, EnqueueRequest, HandlerRegistry, JobCtx, JobHandler, JobOutcome, QueueHandle, QueueRuntime,
    storage::{SqliteStorage, Storage},
};
use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const QUEUE: &str = "default";

struct Handler(Arc<Handlers>);

#[async_trait]
impl JobHandler for Handler {
    fn kind(&self) -> &'static str {
        "job"
    }

    async fn run(&self, _: JobCtx<'_>, payload: Value) -> JobOutcome {
        self.0.clone().run_async(payload["number"].as_u64().unwrap_or(u64::MAX)).await;
        JobOutcome::Done
    }
}

struct Forge {
    runtime: Runtime,
    storage: Storage,
    /// The library's handle keeps its workers alive.
    handle: Mutex<Option<QueueHandle>>,
}

fn request(number: u64) -> EnqueueRequest {
    EnqueueRequest::new("job", json!({ "number": number, "text": PAYLOAD })).on_queue(QUEUE)
}

impl Queue for Forge {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let workers = i32::try_from(args.workers)?;
        let storage = runtime.block_on(async {
            let storage = Storage::from_one(Arc::new(SqliteStorage::open_file(&args.dir.join("tasks.db")).await?));
            storage.config.ensure_queue(QUEUE, workers).await?;
            storage.config.set_max_workers(QUEUE, workers).await?;
            Ok::<_, Error>(storage)
        })?;
        Ok(Self { runtime, storage, handle: Mutex::new(None) })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.storage.jobs.enqueue(request(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        self.runtime.block_on(self.storage.jobs.enqueue_bulk(numbers.map(request).collect()))?;
        Ok(true)
    }

    fn start(&self, _: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let mut registry = HandlerRegistry::new();
        registry.register(Handler(handlers.clone()));
        let runtime =
            QueueRuntime::new(self.storage.clone(), registry, Arc::new(DefaultRouter)).with_queues([QUEUE.to_owned()]);
        let handle = self.runtime.block_on(runtime.start())?;
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        let counts = self.runtime.block_on(self.storage.jobs.count_by_status(QUEUE))?;
        Ok(Counts { succeeded: counts.done, given_up: counts.dead })
    }

    fn close(self, _: Option<Self::Workers>) -> Result<(), Error> {
        // The next process opens after this one has ended, and the pool has nothing to write.
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Forge>()
}
