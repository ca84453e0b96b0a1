//! rustqueue on redb, each commit flushed. One variant. The library's own worker does one job at a time and sleeps half
//! a second without a job, so the peer uses its queue manager: it pulls W jobs, runs them and acknowledges them in one
//! `ack_batch`. In the crash scenarios, where a hanging handler would hold a batch, W loops pull and acknowledge one by one.
#![forbid(unsafe_code)]

use std::{ops::Range, sync::Arc, time::Duration};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue, Scenario};
use rustqueue::{
    QueueManager,
    config::RetentionConfig,
    engine::{
        queue::{BatchAckItem, BatchPushItem},
        scheduler::start_scheduler,
    },
    storage::RedbStorage,
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinSet};

const QUEUE: &str = "jobs";

struct RustQueue {
    runtime: Runtime,
    manager: Arc<QueueManager>,
    one_by_one: bool,
}

fn data(number: u64) -> Value {
    json!({ "number": number, "text": PAYLOAD })
}

async fn work(manager: &QueueManager, batch: u32, handlers: &Arc<Handlers>) -> Result<(), rustqueue::RustQueueError> {
    loop {
        let jobs = manager.pull(QUEUE, batch).await?;
        if jobs.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        let mut items = Vec::with_capacity(jobs.len());
        let mut running = JoinSet::new();
        for job in jobs {
            items.push(BatchAckItem { id: job.id, result: None });
            running.spawn(handlers.clone().run_async(job.data["number"].as_u64().unwrap_or(u64::MAX)));
        }
        running.join_all().await;
        manager.ack_batch(items).await?;
    }
}

impl Queue for RustQueue {
    type Workers = ();

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let storage = RedbStorage::new(args.dir.join("tasks.redb"))?;
        let one_by_one = matches!(args.scenario, Scenario::Crash | Scenario::Resume);
        Ok(Self { runtime, manager: Arc::new(QueueManager::new(Arc::new(storage))), one_by_one })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.manager.push(QUEUE, "job", data(number), None))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let many = numbers.map(|number| BatchPushItem { name: "job".to_owned(), data: data(number), options: None });
        self.runtime.block_on(self.manager.push_batch(QUEUE, many.collect()))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let (loops, batch) = if self.one_by_one { (workers, 1) } else { (1, u32::try_from(workers)?) };
        let _entered = self.runtime.enter();
        // Its defaults: a check each second, and a stall after 30 s without a heartbeat.
        let _housekeeping = start_scheduler(self.manager.clone(), 1000, 30_000, RetentionConfig::default());
        for _ in 0..loops {
            let (manager, handlers) = (self.manager.clone(), handlers.clone());
            self.runtime.spawn(async move {
                if let Err(error) = work(&manager, batch, &handlers).await {
                    eprintln!("{error}");
                }
            });
        }
        Ok(())
    }

    fn counts(&self) -> Result<Counts, Error> {
        let counts = self.runtime.block_on(self.manager.get_queue_stats(QUEUE))?;
        Ok(Counts { succeeded: counts.completed, given_up: counts.dlq })
    }

    fn close(self, _: Option<Self::Workers>) -> Result<(), Error> {
        drop(self.runtime);
        drop(self.manager);
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<RustQueue>()
}
