//! taskmill. One variant.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
    time::Duration,
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use serde::{Deserialize, Serialize};
use taskmill::{
    Domain, DomainKey, DomainTaskContext, Scheduler, TaskError, TaskStore, TaskSubmission, TypedExecutor, TypedTask,
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

struct Jobs;

impl DomainKey for Jobs {
    const NAME: &'static str = "jobs";
}

#[derive(Serialize, Deserialize)]
struct Task {
    number: u64,
    text: String,
}

impl TypedTask for Task {
    type Domain = Jobs;
    const TASK_TYPE: &'static str = "job";

    fn key(&self) -> Option<String> {
        Some(format!("{:012}", self.number))
    }
}

/// The scheduler is built with its executor, before the workers start and the handlers are known.
struct Executor(Arc<OnceLock<Arc<Handlers>>>);

impl TypedExecutor<Task> for Executor {
    async fn execute<'a>(&'a self, task: Task, _: DomainTaskContext<'a, Jobs>) -> Result<(), TaskError> {
        if let Some(handlers) = self.0.get() {
            handlers.clone().run_async(task.number).await;
        }
        Ok(())
    }
}

struct Taskmill {
    runtime: Runtime,
    store: TaskStore,
    scheduler: Scheduler,
    handlers: Arc<OnceLock<Arc<Handlers>>>,
}

fn task(number: u64) -> Task {
    Task { number, text: PAYLOAD.to_owned() }
}

impl Queue for Taskmill {
    type Workers = CancellationToken;

    fn open(args: &Args) -> Result<Self, Error> {
        let runtime = Runtime::new()?;
        let handlers = Arc::new(OnceLock::new());
        let path = args.dir.join("tasks.db");
        let (store, scheduler) = runtime.block_on(async {
            let store = TaskStore::open(&path.display().to_string()).await?;
            let scheduler = Scheduler::builder()
                .store(store.clone())
                .domain(Domain::<Jobs>::new().task::<Task>(Executor(handlers.clone())))
                .max_concurrency(args.workers)
                .poll_interval(Duration::from_millis(50))
                .build()
                .await?;
            Ok::<_, Error>((store, scheduler))
        })?;
        Ok(Self { runtime, store, scheduler, handlers })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.runtime.block_on(self.scheduler.domain::<Jobs>().submit(task(number)))?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        // The domain's `submit_batch` commits each task alone; the scheduler's is one transaction.
        let many: Vec<_> = numbers.map(|number| submission(&task(number))).collect::<Result<_, _>>()?;
        self.runtime.block_on(self.scheduler.submit_batch(&many))?;
        Ok(true)
    }

    fn start(&self, _: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let _ = self.handlers.set(handlers.clone());
        let (scheduler, stop) = (self.scheduler.clone(), CancellationToken::new());
        let token = stop.clone();
        self.runtime.spawn(async move { scheduler.run(token).await });
        Ok(stop)
    }

    fn counts(&self) -> Result<Counts, Error> {
        let count = |sql: &'static str| -> Result<u64, Error> {
            let counted: i64 = self.runtime.block_on(sqlx::query_scalar(sql).fetch_one(self.store.pool()))?;
            Ok(counted.try_into()?)
        };
        Ok(Counts {
            succeeded: count("SELECT count(*) FROM task_history WHERE status = 'completed'")?,
            given_up: count("SELECT count(*) FROM task_history WHERE status <> 'completed'")?,
        })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        if let Some(stop) = workers {
            stop.cancel();
        }
        self.runtime.block_on(self.store.close());
        Ok(())
    }
}

fn submission(task: &Task) -> Result<TaskSubmission, Error> {
    Ok(TaskSubmission::new("jobs::job").payload_json(task).key(format!("{:012}", task.number)))
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Taskmill>()
}
