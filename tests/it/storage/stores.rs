//! Trackers on a store beside the file: several that share one, conflicts, what a store refuses, and how often calls load.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracker_core::{
    Error, ErrorKind, Submission, Tracker,
    store::{Access, MemoryStore, OptionsExt as _, Store, StoreListener, StoreUnit, store_error},
    time::ManualClock,
};

use crate::support::kinds::{Job, MINUTE, Status, fine, job, mail, refused};

fn on(store: &MemoryStore, clock: &ManualClock) -> Tracker {
    Tracker::options().clock(clock.clone()).open_store(store.clone()).unwrap()
}

#[test]
fn trackers_on_one_store_share_tasks_and_run_each_once() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let trackers: Vec<_> = (0..4).map(|_| on(&store, &clock)).collect();
    let jobs: Vec<_> = trackers.iter().map(|tracker| tracker.tasks::<Job>().unwrap()).collect();
    for (number, jobs) in jobs.iter().enumerate() {
        jobs.submit_all((0..50).map(|n| job(&format!("{number}-{n}")))).unwrap();
        jobs.submit(&job("common")).unwrap();
    }
    let (ran, runs) = (Mutex::new(BTreeSet::new()), AtomicU32::new(0));
    thread::scope(|scope| {
        for jobs in &jobs {
            scope.spawn(|| {
                jobs.worker()
                    .threads(2)
                    .run(|job| {
                        runs.fetch_add(1, Ordering::Relaxed);
                        ran.lock().unwrap().insert(job.name.clone());
                        fine()
                    })
                    .unwrap()
            });
        }
    });
    assert_eq!((ran.lock().unwrap().len(), runs.load(Ordering::Relaxed)), (201, 201));
    assert_eq!(jobs[3].counts().unwrap().get(Status::Succeeded), 201);
    assert_eq!(trackers[2].verify().unwrap(), []);
}

#[test]
fn lease_of_a_lost_process_expires_for_the_others() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let (lost, other) = (on(&store, &clock), on(&store, &clock));
    lost.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
    let mut held = lost.tasks::<Job>().unwrap().claim().unwrap().unwrap();
    let jobs = other.tasks::<Job>().unwrap();
    assert!(jobs.claim().unwrap().is_none());
    clock.advance(10 * MINUTE);
    assert!(jobs.claim().unwrap().is_none(), "the attempt has ended, and the next one waits");
    clock.advance(10 * MINUTE);
    let mut second = jobs.claim().unwrap().expect("the lease has expired");
    assert!(second.fence() > held.fence());
    assert_eq!(held.succeed().unwrap_err().kind(), ErrorKind::LeaseLost);
    second.succeed().unwrap();
    assert_eq!(other.verify().unwrap(), []);
}

#[test]
fn conflicting_unit_runs_again_with_one_result() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let tracker = on(&store, &clock);
    let jobs = tracker.tasks::<Job>().unwrap();
    store.conflict_every(2);
    for n in 0..20 {
        assert_eq!(jobs.submit(&job(&format!("{n}"))).unwrap().submission, Submission::New);
    }
    jobs.worker().threads(3).run(|_| fine()).unwrap();
    assert_eq!(jobs.counts().unwrap().get(Status::Succeeded), 20);
    let record = jobs.get("7").unwrap().unwrap();
    assert_eq!((record.attempts, record.history.len()), (1, 1));
    assert_eq!(tracker.verify().unwrap(), []);
}

#[test]
fn user_transaction_in_conflict_is_busy_and_stores_nothing() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let tracker = on(&store, &clock);
    let (jobs, mails) = (tracker.tasks::<Job>().unwrap(), tracker.tasks().unwrap());
    store.conflict_every(1);
    let submit_both = || {
        tracker.transaction(|tx| {
            tx.submit(&jobs, &job("a"))?;
            tx.submit(&mails, &mail(1))?;
            Ok::<_, Error>(())
        })
    };
    let error = submit_both().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("try again"), "{error}");
    let error = jobs.submit(&job("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "no end of conflicts");
    store.conflict_every(0);
    assert_eq!(jobs.counts().unwrap().total() + mails.counts().unwrap().total(), 0);
    submit_both().unwrap();
    assert_eq!(tracker.verify().unwrap(), []);
}

#[test]
fn calls_that_need_a_file_are_refused_in_a_store() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let tracker = on(&store, &clock);
    drop(tracker.tasks::<Job>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    refused(tracker.compact(), ErrorKind::Unsupported);
    refused(tracker.backup(folder.path().join("copy")), ErrorKind::Unsupported);
    let looking = Tracker::options().inspect_store(store).unwrap();
    refused(looking.tasks::<Job>().unwrap().submit(&job("a")), ErrorKind::ReadOnly);
}

#[test]
fn common_calls_load_rows_in_few_round_trips() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let tracker = on(&store, &clock);
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("first")).unwrap();
    let check_by = |count: fn(&MemoryStore) -> u64, what: &str, most: u64, call: &mut dyn FnMut()| {
        let before = count(&store);
        call();
        let loads = count(&store) - before;
        assert!(loads <= most, "{what}: {loads} loads");
    };
    // The thread of the schedules loads at times of its own.
    let check = |what: &str, most: u64, call: &mut dyn FnMut()| {
        check_by(|_| MemoryStore::loads_of_this_thread(), what, most, call);
    };
    // A debug build reads each header once more.
    check("submit", 2, &mut || drop(jobs.submit(&job("a")).unwrap()));
    check("submit of 100", 3, &mut || {
        jobs.submit_all((0..100).map(|n| job(&format!("n{n}")))).unwrap();
    });
    let mut held = None;
    check("claim", 1, &mut || held = jobs.claim().unwrap());
    check("success", 1, &mut || held.take().unwrap().succeed().unwrap());
    check("get", 2, &mut || drop(jobs.get("a").unwrap()));
    check("counts", 1, &mut || drop(jobs.counts().unwrap()));
    check("tasks of a kind that was opened before", 0, &mut || drop(tracker.tasks::<Job>().unwrap()));
    let check_worker = |what: &str, most: u64, run: &mut dyn FnMut()| check_by(MemoryStore::loads, what, most, run);
    // Each commit ends a task and claims the next one, and loads both at once.
    check_worker("worker of 101 tasks", 101 + 20, &mut || drop(jobs.worker().threads(1).run(|_| fine()).unwrap()));
    jobs.submit_all((0..100).map(|n| job(&format!("m{n}")))).unwrap();
    check_worker("worker that prefetches 100 tasks", 30, &mut || {
        jobs.worker().threads(1).prefetch(100).run(|_| fine()).unwrap();
    });
}

#[test]
fn changed_kind_is_checked_when_it_is_opened_again() {
    let (store, clock) = (MemoryStore::new(), ManualClock::new());
    let (one, other) = (on(&store, &clock), on(&store, &clock));
    let jobs = one.tasks::<Job>().unwrap();
    let loads = || {
        let before = MemoryStore::loads_of_this_thread();
        drop(one.tasks::<Job>().unwrap());
        MemoryStore::loads_of_this_thread() - before
    };
    assert_eq!(loads(), 0);
    other.tasks::<Job>().unwrap().pause().unwrap();
    // The next commit sees the change of the other tracker.
    jobs.submit(&job("a")).unwrap();
    assert!(loads() > 0);
    assert_eq!(loads(), 0);
}

/// A store whose listeners and numbers of commits a test can hold back.
#[derive(Clone, Debug)]
struct Hearing {
    store: MemoryStore,
    /// The number of commits is always this one, if it is not 0.
    frozen: Arc<AtomicU64>,
    listens: Listens,
    /// How often a listener was asked for.
    asked: Arc<AtomicU32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listens {
    Works,
    /// Breaks at its first wait.
    Breaks,
    Fails,
}

struct Broken;

impl StoreListener for Broken {
    fn wait(&mut self, _: Duration) -> Result<bool, Error> {
        Err(store_error(ErrorKind::Io, "the listener broke", "a test"))
    }
}

impl Store for Hearing {
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

    fn change(&self) -> Result<u64, Error> {
        match self.frozen.load(Ordering::SeqCst) {
            0 => self.store.change(),
            frozen => Ok(frozen),
        }
    }

    fn listen(&self) -> Result<Option<Box<dyn StoreListener>>, Error> {
        let opened = match self.listens {
            Listens::Works => self.store.listen(),
            Listens::Breaks => Ok(Some(Box::new(Broken) as Box<dyn StoreListener>)),
            Listens::Fails => Broken.wait(Duration::ZERO).map(|_| None),
        };
        self.asked.fetch_add(1, Ordering::SeqCst);
        opened
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn close(&self) -> Result<(), Error> {
        self.store.close()
    }
}

/// Submits from one tracker while a worker of another one has waited so long that it listens. Returns once the task has run.
fn wake_idle_worker(listens: Listens) {
    let hearing = Hearing { store: MemoryStore::new(), frozen: Arc::default(), listens, asked: Arc::default() };
    let waiting = Tracker::options().open_store(hearing.clone()).unwrap();
    let submitting = Tracker::options().open_store(hearing.store.clone()).unwrap();
    let jobs = waiting.tasks::<Job>().unwrap();
    let (sent, ran) = mpsc::channel();
    let worker = jobs.worker().threads(2).keep_running();
    let stop = worker.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| {
            worker.run(|job| {
                sent.send(job.name.clone()).unwrap();
                fine()
            })
        });
        while hearing.asked.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        if listens == Listens::Works {
            // From now on, a worker that asks for changes sees none.
            hearing.frozen.store(hearing.store.change().unwrap(), Ordering::SeqCst);
        }
        submitting.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
        assert_eq!(ran.recv_timeout(Duration::from_secs(20)).as_deref(), Ok("a"));
        stop.stop();
    });
}

#[test]
fn idle_worker_starts_a_task_of_another_tracker_when_notified() {
    wake_idle_worker(Listens::Works);
}

#[test]
fn idle_worker_asks_for_changes_after_its_listener_broke() {
    wake_idle_worker(Listens::Breaks);
}

#[test]
fn idle_worker_asks_for_changes_if_it_cannot_listen() {
    wake_idle_worker(Listens::Fails);
}
