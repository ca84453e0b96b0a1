//! Trackers on a store beside the file: several that share one, conflicts, what a store refuses, and how often calls load.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use tracker_core::{
    Error, ErrorKind, Submission, Tracker,
    store::{MemoryStore, OptionsExt as _},
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
    let check = |what: &str, most: u64, call: &mut dyn FnMut()| {
        let before = store.loads();
        call();
        let loads = store.loads() - before;
        assert!(loads <= most, "{what}: {loads} loads");
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
    // Each commit ends a task and claims the next one, and loads both at once.
    check("worker of 101 tasks", 101 + 20, &mut || drop(jobs.worker().threads(1).run(|_| fine()).unwrap()));
    jobs.submit_all((0..100).map(|n| job(&format!("m{n}")))).unwrap();
    check("worker that prefetches 100 tasks", 30, &mut || {
        jobs.worker().threads(1).prefetch(100).run(|_| fine()).unwrap();
    });
}
