//! Defects of leases in other systems, one test each, that the tracker does not have.

use std::{
    collections::BTreeSet,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use tracker_core::{ErrorKind, Tasks, Tracker, execution::StartOptions, inspect::Explanation};

use super::defects::die;
use crate::kinds::{DAY, Job, MINUTE, Mail, SECOND, Status, fine, jobs, mail, refused, sound, status, tracker};

#[test]
fn task_of_a_crashed_worker_is_freed_a_bounded_number_of_times() {
    // 1. A crashed worker's task stays locked for ever, or is restarted without limit.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["poison", "other"]);
    for crash in 1..=4 {
        die(tasks.start("poison").unwrap());
        clock.advance(MINUTE);
        tasks.rescue().unwrap();
        assert_eq!(tasks.get("poison").unwrap().unwrap().crashes, crash);
        clock.advance(SECOND * 10);
    }
    assert_eq!(status(&tasks, "poison"), Status::Exhausted);
    refused(tasks.start("poison"), "Exhausted");
    assert_eq!(status(&tasks, "other"), Status::Pending);
    sound(&tracker);
}

#[test]
fn worker_with_a_stolen_lease_writes_nothing() {
    // 3. A worker whose lock was stolen still writes its result.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    for (name, steals) in [("a", true), ("b", false)] {
        let mut old = tasks.start(name).unwrap();
        old.result = Some(666);
        let mut new = if steals {
            tasks.start_with(name, &StartOptions::new().steal_lease()).unwrap()
        } else {
            clock.advance(MINUTE);
            tasks.start(name).unwrap()
        };
        let before = format!("{:?}", tasks.get(name).unwrap());
        refused(old.checkpoint(), ErrorKind::LeaseLost);
        refused(old.succeed(), ErrorKind::LeaseLost);
        refused(old.fail("late"), ErrorKind::LeaseLost);
        drop(old);
        tracker.flush().unwrap();
        assert_eq!(format!("{:?}", tasks.get(name).unwrap()), before);
        new.result = Some(7);
        new.succeed().unwrap();
        assert_eq!(tasks.get(name).unwrap().unwrap().task.result, Some(7));
    }
    sound(&tracker);
}

#[test]
fn rescue_never_takes_a_finished_task() {
    // 4. A sweep resurrects a job that finished between its two statements.
    let (clock, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..300).map(mail)).unwrap();
    let held: Vec<_> = (0..300).map(|number| mails.start(number).unwrap()).collect();
    clock.advance(SECOND);
    // The first hundred finish before the sweep, the second while it goes on, the third after it.
    let (before, after) = (Barrier::new(2), Barrier::new(2));
    let (finished, swept) = thread::scope(|scope| {
        let finishing = scope.spawn(|| {
            let mut finished = BTreeSet::new();
            for (number, mut one) in held.into_iter().enumerate() {
                match number {
                    100 => drop(before.wait()),
                    200 => drop(after.wait()),
                    _ => {}
                }
                if one.succeed().is_ok() {
                    finished.insert(one.id().clone());
                }
            }
            finished
        });
        before.wait();
        let swept: BTreeSet<_> = mails.rescue_running_longer_than(Duration::ZERO).unwrap().into_iter().collect();
        after.wait();
        (finishing.join().unwrap(), swept)
    });
    assert!(finished.is_disjoint(&swept) && finished.len() >= 100 && swept.len() >= 100);
    assert_eq!(finished.len() + swept.len(), 300);
    assert_eq!(mails.counts().unwrap().get(Status::Succeeded), finished.len() as u64);
    sound(&tracker);
}

#[test]
fn work_longer_than_its_lease_is_not_run_twice() {
    // 5. No renewal: work longer than the lock is run twice.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["by a worker", "by hand"]);
    let mut by_hand = tasks.start("by hand").unwrap();
    for _ in 0..10 {
        clock.advance(SECOND * 40);
        by_hand.renew().unwrap();
        refused(tasks.start("by hand"), ErrorKind::Leased);
    }
    by_hand.succeed().unwrap();
    let runs = AtomicU32::new(0);
    let summary = tasks
        .worker()
        .stop_after_failures(1) // a failed assertion ends it: its retry would wait for the clock
        .run(|_| {
            runs.fetch_add(1, SeqCst);
            clock.advance(DAY);
            refused(tasks.check_start("by a worker", &StartOptions::new()), ErrorKind::Leased);
            assert!(matches!(tasks.explain("by a worker")?, Explanation::Running { .. }));
            assert!(tasks.claim()?.is_none(), "the worker renews while its handler runs");
            assert!(tracker.rescue()?.is_empty());
            refused(tasks.start("by a worker"), ErrorKind::Leased);
            Ok::<_, tracker_core::Error>(())
        })
        .unwrap();
    assert_eq!((summary.succeeded, runs.into_inner()), (1, 1));
    assert_eq!(tasks.get("by a worker").unwrap().unwrap().crashes, 0);
    sound(&tracker);
}

#[test]
fn rescued_task_goes_to_the_end_of_the_claim_order() {
    // 12. Swept jobs go to the head of the queue, so a poison job blocks it.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["poison", "a", "b", "c", "d"]);
    let mut order = Vec::new();
    while let Some(mut next) = tasks.claim().unwrap() {
        order.push(next.name.clone());
        if next.name == "poison" {
            die(next);
            clock.advance(MINUTE);
            assert_eq!(tasks.rescue().unwrap().len(), 1);
        } else {
            next.succeed().unwrap();
            clock.advance(SECOND * 3);
        }
    }
    assert_eq!(order, ["poison", "a", "b", "c", "d", "poison"], "after its delay, and behind what was due before");
    sound(&tracker);
}

#[test]
fn interrupted_program_leaves_no_task_locked() {
    // 16. Ctrl-C leaves the task locked.
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    let worker = tasks.worker();
    let stop = worker.stop_handle(); // a Ctrl-C handler has it
    let summary = worker
        .run(|_| {
            stop.stop();
            fine()
        })
        .unwrap();
    assert_eq!(summary.attempts(), 1);
    assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 0);

    // Without any handler: the process is gone, and the next one opens the file.
    let folder = tempfile::tempdir().unwrap();
    let (path, after) = (folder.path().join("jobs.redb"), folder.path().join("after.redb"));
    let killed = Tracker::open(&path).unwrap();
    die(jobs(&killed, &["a"]).start("a").unwrap());
    std::fs::copy(&path, &after).unwrap(); // what a kill leaves behind
    let tasks: Tasks<Job> = Tracker::open(&after).unwrap().tasks().unwrap();
    assert_eq!(tasks.start("a").unwrap().attempt(), 2, "free at once, however long its lease was");
    sound(&tracker);
}
