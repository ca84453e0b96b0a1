//! pgqrs, used as a queue: W consumers, each of which dequeues messages, runs their handlers and archives them, as its own benchmark
//! does. Variants: `single`, one message at a time, and `batch`, 64 at a time.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use pgqrs::{Config, Consumer, Producer, Store, store::AnyStore};
use serde_json::{Value, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::{runtime::Runtime, task::JoinHandle};

const QUEUE: &str = "jobs";

/// Interval at which a consumer without work looks again.
const POLL: Duration = Duration::from_millis(10);

struct Pgqrs {
    runtime: Runtime,
    store: AnyStore,
    producer: Producer,
    pool: PgPool,
    batch: usize,
    stop: Arc<AtomicBool>,
}

fn job(number: u64) -> Value {
    json!({ "number": number, "text": PAYLOAD })
}

/// A name that no other process and no earlier run uses, since a worker's name can be registered once.
fn name(role: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    format!("{role}-{}-{now}", std::process::id())
}

async fn work(consumer: Consumer, batch: usize, handlers: Arc<Handlers>, stop: Arc<AtomicBool>) -> Result<(), Error> {
    while !stop.load(Ordering::Relaxed) {
        let messages = consumer.dequeue_many(batch).await?;
        if messages.is_empty() {
            tokio::time::sleep(POLL).await;
        }
        let mut ids = Vec::with_capacity(messages.len());
        for message in messages {
            handlers.clone().run_async(message.payload["number"].as_u64().unwrap_or(u64::MAX)).await;
            ids.push(message.id);
        }
        if let [id] = ids[..] {
            consumer.archive(id).await?;
        } else if !ids.is_empty() {
            consumer.archive_many(ids).await?;
        }
    }
    Ok(())
}

impl Queue for Pgqrs {
    type Workers = Vec<JoinHandle<()>>;

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let mut config = Config::from_dsn(args.url.clone()).with_max_connections(u32::try_from(args.workers)? + 2);
        // By default, a producer may submit 1,000 messages a second.
        config.validation_config.max_enqueue_per_second = None;
        config.validation_config.max_enqueue_burst = None;
        let (store, producer, pool) = runtime.block_on(async {
            let store = pgqrs::connect_with_config(&config).await?;
            pgqrs::admin(&store).install().await?;
            match store.queue(QUEUE).await {
                Ok(_) | Err(pgqrs::Error::QueueAlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            let pool = PgPoolOptions::new().max_connections(1).connect(&args.url).await?;
            let producer = pgqrs::producer(&name("producer"), QUEUE).create(&store).await?;
            Ok::<_, Error>((store, producer, pool))
        })?;
        let batch = if args.variant == "batch" { 64 } else { 1 };
        Ok(Self { runtime, store, producer, pool, batch, stop: Arc::default() })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.producer.enqueue(&job(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let jobs: Vec<_> = numbers.map(job).collect();
        self.runtime.block_on(self.producer.batch_enqueue(&jobs))?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let spawn = |worker| {
            let name = name(&format!("consumer-{worker}"));
            let consumer = self.runtime.block_on(pgqrs::consumer(&name, QUEUE).create(&self.store))?;
            let (batch, handlers, stop) = (self.batch, handlers.clone(), self.stop.clone());
            Ok(self.runtime.spawn(async move {
                if let Err(error) = work(consumer, batch, handlers, stop).await {
                    eprintln!("{error}");
                }
            }))
        };
        (0..workers).map(spawn).collect()
    }

    fn counts(&self) -> Result<Counts, Error> {
        let statement = "SELECT count(*) FROM pgqrs_messages WHERE archived_at IS NOT NULL";
        let succeeded: i64 = self.runtime.block_on(sqlx::query_scalar(statement).fetch_one(&self.pool))?;
        Ok(Counts { succeeded: succeeded.try_into()?, given_up: 0 })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in workers.into_iter().flatten() {
            let _ = self.runtime.block_on(worker);
        }
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Pgqrs>()
}
