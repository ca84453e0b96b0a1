//! Tests a prefetching worker whose process or disk fails.

use std::{collections::BTreeSet, mem, sync::Mutex, thread};

use tracker_core::{ErrorKind, Execution, Tasks, Tracker, file::Sharing, redb_store::OptionsExt, time::ManualClock};

use crate::support::{
    kinds::{Job, MINUTE, Status, fine, job, jobs, sound},
    test_disk::{Disk, Fault, Operation},
};

/// "Input/output error" on Linux and macOS.
const EIO: i32 = 5;

/// The disk of a process that dies while a handler runs.
fn dies_in(disk: &Disk, clock: &ManualClock, ahead: usize, poison: &str) -> Disk {
    let tracker = open(disk, clock);
    let tasks = tracker.tasks::<Job>().unwrap();
    let (left, worker) = (Mutex::new(None), tasks.worker().prefetch(ahead));
    let stop = worker.stop_handle();
    worker
        .run(|job| {
            if job.name == poison && left.lock().unwrap().is_none() {
                *left.lock().unwrap() = Some(Disk::with_bytes(disk.bytes()));
                stop.stop();
            }
            fine()
        })
        .unwrap();
    mem::take(&mut *left.lock().unwrap()).expect("it was run")
}

fn open(disk: &Disk, clock: &ManualClock) -> Tracker {
    let disk = disk.clone();
    let options = Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone());
    options.open_backend(move || disk.open()).unwrap()
}

#[test]
fn prefetch_isolates_a_task_that_kills_its_process() {
    let clock = ManualClock::new();
    let mut disk = Disk::default();
    let names: Vec<_> =
        (0..40).map(|number| if number == 7 { "poison".to_owned() } else { number.to_string() }).collect();
    let tracker = open(&disk, &clock);
    let tasks: Tasks<Job> = tracker.tasks().unwrap();
    tasks.submit_all(names.iter().map(|name| job(name))).unwrap();
    drop((tasks, tracker));
    let mut deaths = 0;
    loop {
        clock.advance(MINUTE);
        let tracker = open(&disk, &clock);
        let tasks: Tasks<Job> = tracker.tasks().unwrap();
        sound(&tracker);
        let poison = tasks.get("poison").unwrap().unwrap();
        if poison.status == Status::Exhausted {
            assert_eq!((poison.crashes, poison.attempts), (4, 4));
            break;
        }
        drop((tasks, tracker));
        // It waits for its retry.
        clock.advance(MINUTE);
        disk = dies_in(&disk, &clock, 16, "poison");
        deaths += 1;
    }
    assert_eq!(deaths, 5, "four crashes, and one begin that was not known");
    let tracker = open(&disk, &clock);
    let tasks: Tasks<Job> = tracker.tasks().unwrap();
    let crashed: Vec<_> = tasks.query().fetch().unwrap().into_iter().filter(|record| record.crashes > 0).collect();
    assert_eq!(crashed.len(), 1, "{crashed:?}");
    tasks.worker().prefetch(16).run(|_: &mut Execution<Job>| fine()).unwrap();
    assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 39);
}

#[test]
fn start_of_a_long_handler_is_stored() {
    let (clock, disk) = (ManualClock::new(), Disk::default());
    let tracker = open(&disk, &clock);
    let tasks = jobs(&tracker, &["first", "long", "waits"]);
    let summary = tasks
        .worker()
        .prefetch(4)
        .run(|job| {
            // The crew looks around ten times a second.
            let crashes = || {
                let died = open(&Disk::with_bytes(disk.bytes()), &clock);
                let tasks: Tasks<Job> = died.tasks().unwrap();
                ["long", "waits"].map(|name| tasks.get(name).unwrap().unwrap().crashes)
            };
            if job.name == "long" {
                while crashes() != [1, 0] {
                    thread::yield_now();
                }
            }
            fine()
        })
        .unwrap();
    assert_eq!(summary.succeeded, 3);
}

#[test]
fn prefetched_task_counts_as_not_begun() {
    let (clock, disk) = (ManualClock::new(), Disk::default());
    let tracker = open(&disk, &clock);
    let names: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    let tasks = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let crashed = Mutex::new(None);
    let summary = tasks
        .worker()
        .prefetch(4)
        .run(|job| {
            // Five were claimed at first. Half of what waits is used up by now, and more is claimed.
            if job.name == "2" {
                let is_leased = |name: &str| tasks.get(name).unwrap().unwrap().lease.is_some();
                while !is_leased("5") || !is_leased("6") {
                    thread::yield_now();
                }
                let died = open(&Disk::with_bytes(disk.bytes()), &clock);
                let tasks: Tasks<Job> = died.tasks().unwrap();
                let records = tasks.query().fetch().unwrap().into_iter();
                let names = records.filter(|record| record.crashes > 0).map(|record| record.task.name);
                *crashed.lock().unwrap() = Some(names.filter(|name| name != "2").collect::<Vec<_>>());
            }
            fine()
        })
        .unwrap();
    assert_eq!(summary.succeeded, 12);
    assert_eq!(crashed.into_inner().unwrap(), Some(Vec::new()), "it costs them nothing that the process dies");
    sound(&tracker);
}

/// They have nothing to do, and sleep; nothing but its end can wake them.
#[test]
fn storage_error_ends_every_thread_of_a_keep_running_pool() {
    for ahead in [0, 8] {
        let (clock, disk) = (ManualClock::new(), Disk::default());
        let tracker = open(&disk, &clock);
        let tasks = jobs(&tracker, &["a"]);
        let result = tasks.worker().threads(4).prefetch(ahead).keep_running().run(|_| {
            (0..1_000).for_each(|_| thread::yield_now());
            disk.fail(Fault { operation: Operation::Write, nth: 1, error: EIO, done: false, lasting: true });
            fine()
        });
        assert!(result.is_err(), "{ahead} ahead");
    }
}

#[test]
fn storage_error_halts_the_worker_and_stores_no_failure() {
    for (nth, lasting) in [2, 20, 60].into_iter().flat_map(|nth| [(nth, true), (nth, false)]) {
        let (clock, disk) = (ManualClock::new(), Disk::default());
        let tracker = open(&disk, &clock);
        let tasks: Tasks<Job> = tracker.tasks().unwrap();
        tasks.submit_all((0..300).map(|number| job(&number.to_string()))).unwrap();
        let ran = Mutex::new(BTreeSet::new());
        disk.fail(Fault { operation: Operation::Write, nth, error: EIO, done: false, lasting });
        let result = tasks.worker().threads(3).prefetch(8).run(|job| {
            ran.lock().unwrap().insert(job.name.clone());
            fine()
        });
        match result {
            Err(error) => {
                // `Closed` only where the commit that failed was a renewal: no thread has waited for that one.
                let gone = lasting && matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Closed);
                assert!(gone || error.kind() == ErrorKind::Io, "{nth} {lasting}: {error}");
            }
            // A fault that passes is got over where the commit can be made again.
            Ok(summary) => assert!(!lasting && summary.succeeded == 300, "{summary}"),
        }
        let ran = ran.into_inner().unwrap();
        drop((tasks, tracker));
        assert!(disk.heal(), "fault {nth} came");
        let tracker = open(&Disk::with_bytes(disk.bytes()), &clock);
        let tasks: Tasks<Job> = tracker.tasks().unwrap();
        let records = tasks.query().fetch().unwrap();
        let unbegun = records.iter().filter(|record| record.crashes > 0 && !ran.contains(&record.task.name)).count();
        // A claim whose thread is free counts as begun. The thread gives it back if it halts, unless the disk is gone.
        let most = if lasting { 3 } else { 0 };
        assert!(unbegun <= most, "at most what each thread was about to begin: {unbegun}");
        for record in records {
            assert_eq!(record.failures, 0, "{}", record.id);
            assert!(record.status != Status::Succeeded || ran.contains(&record.task.name), "{} did not run", record.id);
        }
        sound(&tracker);
        clock.advance(MINUTE);
        let summary = tasks.worker().prefetch(8).run(|_: &mut Execution<Job>| fine()).unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 300, "{summary}");
        sound(&tracker);
    }
}
