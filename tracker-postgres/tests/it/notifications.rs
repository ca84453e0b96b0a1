//! Waiting workers that the server notifies, and workers that ask for changes because it does not.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, Execution, TaskStatus, Tasks, TrackedTask, Tracker,
    store::{Access, Loaded, OptionsExt as _, Store, StoreListener, StoreUnit, Want},
    worker::StopHandle,
};
use tracker_postgres::{PostgresOptions, PostgresStore};

use crate::support::{Server, connect, server_or_skip};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    id: String,
}

fn job(id: &str) -> Job {
    Job { id: id.to_owned() }
}

/// A store whose number of commits a test can freeze, so that a worker that asks for changes sees none.
#[derive(Clone, Debug)]
struct Frozen {
    store: Arc<PostgresStore>,
    /// The number, if it is not 0.
    change: Arc<AtomicU64>,
}

impl Store for Frozen {
    fn name(&self) -> String {
        self.store.name()
    }

    fn open(&self) -> Result<(), Error> {
        self.store.open()
    }

    fn other_trackers(&self) -> Result<u64, Error> {
        self.store.other_trackers()
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>, Error> {
        self.store.begin(access)
    }

    fn begin_and_load(&self, access: Access, wants: &[Want]) -> Result<(Box<dyn StoreUnit>, Vec<Loaded>), Error> {
        self.store.begin_and_load(access, wants)
    }

    fn change(&self) -> Result<u64, Error> {
        match self.change.load(Ordering::SeqCst) {
            0 => self.store.change(),
            frozen => Ok(frozen),
        }
    }

    fn listen(&self) -> Result<Option<Box<dyn StoreListener>>, Error> {
        self.store.listen()
    }

    fn poll_interval(&self) -> Duration {
        self.store.poll_interval()
    }

    fn close(&self) -> Result<(), Error> {
        self.store.close()
    }
}

/// A process with an idle worker, and one that submits.
struct Scene {
    idle: Frozen,
    stop: StopHandle,
    worker: thread::JoinHandle<()>,
    ran: mpsc::Receiver<String>,
    jobs: Tasks<Job>,
    submitting: Tracker,
}

impl Scene {
    fn new(options: &PostgresOptions) -> Self {
        let idle = Frozen { store: Arc::new(connect(options)), change: Arc::default() };
        let waiting = Tracker::options().open_store(idle.clone()).unwrap();
        let submitting = options.connect().unwrap();
        let jobs = submitting.tasks::<Job>().unwrap();
        let (sent, ran) = mpsc::channel();
        let worker = waiting.tasks::<Job>().unwrap().worker().threads(2).keep_running();
        let stop = worker.stop_handle();
        let worker = thread::spawn(move || {
            let handler = move |job: &mut Execution<Job>| {
                sent.send(job.id.clone()).unwrap();
                Ok::<_, Infallible>(())
            };
            worker.run(handler).unwrap();
            waiting.close().unwrap();
        });
        Self { idle, stop, worker, ran, jobs, submitting }
    }

    fn freeze(&self) {
        self.idle.change.store(self.idle.store.change().unwrap(), Ordering::SeqCst);
    }

    /// Submits a task, and waits until the idle worker has run it.
    fn submit(&self, id: &str) {
        self.jobs.submit(&job(id)).unwrap();
        assert_eq!(self.ran.recv_timeout(Duration::from_secs(20)).as_deref(), Ok(id));
    }

    fn end(self) {
        self.stop.stop();
        self.worker.join().unwrap();
        self.submitting.close().unwrap();
    }
}

/// The processes of the server that listen in a schema.
fn listeners(server: &Server, schema: &str) -> String {
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN \"{schema}\"%'");
    server.psql("postgres", &sql).unwrap()
}

fn wait_for_listener(server: &Server, schema: &str) -> String {
    loop {
        let found = listeners(server, schema);
        if !found.is_empty() {
            return found;
        }
        thread::yield_now();
    }
}

fn options(server: &Server) -> (PostgresOptions, String) {
    let schema = crate::support::new_schema();
    (server.options().schema(&schema).poll_interval(Duration::from_secs(3600)), schema)
}

#[test]
fn idle_worker_starts_a_task_of_another_process_when_notified() {
    let server = server_or_skip!();
    let (options, schema) = options(server);
    let scene = Scene::new(&options);
    wait_for_listener(server, &schema);
    scene.freeze();
    scene.submit("a");
    scene.end();
}

#[test]
fn idle_worker_goes_on_after_its_listener_broke() {
    let server = server_or_skip!();
    let (options, schema) = options(server);
    let scene = Scene::new(&options);
    let listener = wait_for_listener(server, &schema);
    server.psql("postgres", &format!("SELECT pg_terminate_backend({listener})")).unwrap();
    scene.submit("a");
    scene.end();
}

#[test]
fn worker_without_notifications_asks_for_changes() {
    let server = server_or_skip!();
    for (name, without) in [
        ("off", PostgresOptions::notifications as fn(PostgresOptions, bool) -> PostgresOptions),
        ("pool", PostgresOptions::prepared_statements),
    ] {
        let options = without(options(server).0, false);
        assert!(connect(&options).listen().unwrap().is_none(), "{name}");
        let scene = Scene::new(&options);
        scene.submit("a");
        scene.end();
    }
}

#[test]
fn commit_notifies_only_of_tasks_and_only_listeners() {
    let server = server_or_skip!();
    let (options, _) = options(server);
    let (store, other) = (connect(&options), connect(&options));
    let commit = |store: &PostgresStore, wakes_workers: bool| {
        let unit = store.begin(Access::Write).unwrap();
        let changes = tracker_core::store::Changes { wakes_workers, ..Default::default() };
        crate::support::done(unit.commit(changes).unwrap());
    };
    let soon = Duration::from_millis(100);
    commit(&other, true);
    let mut listener = store.listen().unwrap().unwrap();
    assert!(!listener.wait(soon).unwrap(), "nobody listened");
    commit(&other, false);
    assert!(!listener.wait(soon).unwrap(), "no task may start");
    commit(&store, true);
    assert!(!listener.wait(soon).unwrap(), "the process knows its own commits");
    commit(&other, true);
    assert!(listener.wait(Duration::from_secs(60)).unwrap());
    assert!(!listener.wait(soon).unwrap(), "it is heard of once");
}
