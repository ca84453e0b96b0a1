//! Workers that work ahead: bodies begin while outcomes are on their way to disk.

use std::{
    collections::BTreeSet,
    io, mem,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Crew, ErrorKind, Execution, ManualClock, Outcome, Sharing, StopHandle, Tasks, TrackedTask, Tracker,
};

use crate::{
    disk::{Disk, Fault, Operation},
    kinds::{Job, MINUTE, Mail, Page, SECOND, Status, fine, job, jobs, mail, page, sound, tracker, with_time},
};

/// "Input/output error" on Linux and macOS.
const EIO: i32 = 5;

#[test]
fn every_task_is_done_once_and_all_is_durable_when_the_worker_returns() {
    for (threads, ahead) in [(1, 1), (1, 64), (8, 3), (8, 64), (3, 1_000)] {
        let folder = tempfile::tempdir().unwrap();
        let tracker = Tracker::open(folder.path().join("mails.redb")).unwrap();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..1_000).map(mail)).unwrap();
        let done = Mutex::new(Vec::new());
        let summary = mails
            .worker()
            .threads(threads)
            .ahead(ahead)
            .run(|mail| {
                done.lock().unwrap().push(mail.number);
                mail.client = "done".to_owned();
                fine()
            })
            .unwrap();
        let done = done.into_inner().unwrap();
        assert_eq!((done.len(), done.iter().collect::<BTreeSet<_>>().len()), (1_000, 1_000), "{threads} {ahead}");
        assert_eq!((summary.succeeded, summary.attempts()), (1_000, 1_000), "{threads} {ahead}");
        let records = mails.query().status(Status::Succeeded).fetch().unwrap();
        assert_eq!(records.len(), 1_000);
        assert!(records.iter().all(|record| record.task.client == "done" && record.attempts == 1));
        sound(&tracker);
    }
}

#[test]
fn never_more_is_leased_than_runs_and_was_allowed_ahead_and_a_stop_gives_it_back() {
    for (threads, ahead) in [(1, 1), (2, 5), (4, 2), (3, 40)] {
        let (_, tracker) = tracker();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..200).map(mail)).unwrap();
        let worker = mails.worker().threads(threads).ahead(ahead);
        let (stop, begun, most) = (worker.stop_handle(), AtomicUsize::new(0), AtomicUsize::new(0));
        let summary = worker
            .run(|_| {
                let leased = mails.counts().unwrap().get(Status::InProgress);
                most.fetch_max(usize::try_from(leased).unwrap(), SeqCst);
                if begun.fetch_add(1, SeqCst) == 100 {
                    stop.stop();
                }
                fine()
            })
            .unwrap();
        let most = most.into_inner();
        assert!(most <= threads + ahead && most > threads, "{most} with {threads} threads, {ahead} ahead");
        assert_eq!(summary.succeeded, begun.into_inner() as u64);
        let counts = mails.counts().unwrap();
        assert_eq!((counts.get(Status::InProgress), counts.get(Status::Succeeded)), (0, summary.succeeded));
        let waiting = mails.query().status(Status::Pending).fetch().unwrap();
        assert!(waiting.iter().all(|record| record.attempts == 0 && record.history.is_empty()), "it cost them nothing");
        sound(&tracker);
    }
}

#[test]
fn errors_panics_refused_outcomes_and_own_ends_are_booked_each_under_its_task() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all((0..60).map(|number| page(&number.to_string(), number))).unwrap();
    let summary = pages
        .worker()
        .threads(3)
        .ahead(16)
        .run(|page| match page.version % 6 {
            0 => panic!("ouch"),
            1 => Err(io::Error::other("no luck")),
            2 => Ok(Outcome::Park { code: 20 }),
            3 => page.give_up("never").map(|()| Outcome::Succeed).map_err(io::Error::other),
            4 => Ok(Outcome::Park { code: 80 }),
            _ => Ok(Outcome::Succeed),
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.other, summary.panicked), (10, 40, 10, 10), "{summary:?}");
    let counts = pages.counts().unwrap();
    let found = [Status::Succeeded, Status::Exhausted, Status::OnHold, Status::InProgress].map(|s| counts.get(s));
    assert_eq!(found, [10, 40, 10, 0]);
    for record in pages.query().status(Status::Exhausted).fetch().unwrap() {
        let error = &record.history[0].failure.as_ref().unwrap().error;
        let expected = ["ouch", "no luck", "cannot be put into", "never"][record.task.version as usize % 6];
        assert!(error.contains(expected), "{}: {error}", record.id);
    }
    sound(&tracker);
}

#[test]
fn retries_and_tasks_that_come_later_are_waited_for() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c", "d", "hopeless"]);
    let summary = with_time(&tracker, &clock, || {
        tasks.worker().threads(2).ahead(8).run(|job| {
            if job.name == "hopeless" || job.attempt() < 3 {
                return Err(io::Error::other("not yet"));
            }
            Ok(())
        })
    })
    .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (4, 11));
    assert_eq!(tasks.counts().unwrap().get(Status::Exhausted), 1);
    sound(&tracker);
}

#[test]
fn rests_do_not_widen_what_may_be_claimed() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let worker = tasks.worker().threads(2).ahead(4).run_on();
    let (stop, most) = (worker.stop_handle(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            worker.run(|job| {
                if job.name.starts_with("last") {
                    most.fetch_max(usize::try_from(tasks.counts().unwrap().get(Status::InProgress)).unwrap(), SeqCst);
                }
                fine()
            })
        });
        let done = |expected| {
            while tasks.counts().unwrap().get(Status::Succeeded) < expected {
                thread::yield_now();
            }
        };
        for round in 0..30 {
            tasks.submit(&job(&round.to_string())).unwrap();
            done(round + 1);
            clock.advance(SECOND);
        }
        tasks.submit_all((0..60).map(|number| job(&format!("last {number}")))).unwrap();
        done(90);
        stop.stop();
        assert_eq!(running.join().unwrap().unwrap().succeeded, 90);
    });
    assert!((3..=6).contains(&most.into_inner()), "two run, and four wait");
    sound(&tracker);
}

#[test]
fn what_cannot_be_read_leaves_the_line_and_the_others_are_done() {
    /// The same kind, with a field that older tasks do not have.
    #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    #[task(name = "page", status = Status, max_attempts = 1)]
    struct Grown {
        #[task(id)]
        url: String,
        #[task(fingerprint)]
        version: u32,
        needed: u32,
    }
    for (threads, ahead) in [(1, 0), (1, 1), (1, 8), (3, 2), (3, 64)] {
        let (_, tracker) = tracker();
        let pages = tracker.tasks::<Page>().unwrap();
        pages.submit_all((0..12).map(|number| page(&number.to_string(), 1))).unwrap();
        drop(pages);
        let grown = tracker.tasks::<Grown>().unwrap();
        grown.submit_all(["a", "b", "c"].map(|url| Grown { url: url.to_owned(), version: 1, needed: 1 })).unwrap();
        let summary = grown.worker().threads(threads).ahead(ahead).run(|_| fine()).unwrap();
        assert_eq!((summary.succeeded, summary.unreadable, summary.attempts()), (3, 12, 3), "{ahead}: {summary}");
        assert!(grown.claim().unwrap().is_none());
        sound(&tracker);
    }
}

#[test]
fn a_crew_of_one_thread_takes_turns_and_holds_no_more_than_it_may() {
    for ahead in [0, 30] {
        let (_, tracker) = tracker();
        let tasks = jobs(&tracker, &["a", "b", "c"]);
        let (mails, pages) = (tracker.tasks::<Mail>().unwrap(), tracker.tasks::<Page>().unwrap());
        mails.submit_all((0..400).map(mail)).unwrap();
        pages.submit_all((0..400).map(|number| page(&number.to_string(), 1))).unwrap();
        let (left, most) = (AtomicUsize::new(800), AtomicUsize::new(0));
        let held = || {
            let counts = [tasks.counts(), mails.counts(), pages.counts()];
            let held: u64 = counts.map(|counts| counts.unwrap().get(Status::InProgress)).iter().sum();
            most.fetch_max(usize::try_from(held).unwrap(), SeqCst);
            left.fetch_sub(1, SeqCst);
            fine()
        };
        let crew = Crew::new().ahead(ahead).serve(&mails, |_| held()).serve(&pages, |_| held()).serve(&tasks, |job| {
            job.result = u32::try_from(left.load(SeqCst)).ok();
            fine()
        });
        assert_eq!(crew.run().unwrap().succeeded, 803);
        let records = tasks.query().status(Status::Succeeded).fetch().unwrap();
        assert!(records.iter().all(|record| record.task.result > Some(600)), "a full kind keeps no other waiting");
        let most = most.into_inner();
        assert!(most <= 1 + ahead && most > ahead / 3, "{most} are held: what runs, and {ahead} of all kinds together");
        sound(&tracker);
    }
}

#[test]
fn a_crew_that_is_stopped_gives_back_at_once_what_it_holds_of_every_kind() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..400).map(mail)).unwrap();
    let (none, pages) = (jobs(&tracker, &[]), tracker.tasks::<Page>().unwrap());
    pages.submit_all((0..40).map(|number| page(&number.to_string(), 1))).unwrap();
    let (stop, ran) = (StopHandle::new(), AtomicUsize::new(0));
    let ends = |stops: bool| {
        ran.fetch_add(1, SeqCst);
        if stops {
            stop.stop();
        }
        fine()
    };
    let crew = Crew::new().ahead(60).stopped_by(&stop);
    // The first has nothing to do, the second is in the middle of it when the third stops them.
    let crew = crew.serve(&none, |_| fine()).serve(&mails, |_| ends(false)).serve(&pages, |_| ends(true));
    let summary = crew.run().unwrap();
    assert_eq!(summary.succeeded, ran.into_inner() as u64);
    let (mails, pages) = (mails.counts().unwrap(), pages.counts().unwrap());
    assert_eq!((mails.get(Status::InProgress), pages.get(Status::InProgress)), (0, 0));
    assert_eq!(
        (mails.get(Status::Succeeded) + pages.get(Status::Succeeded), pages.get(Status::Succeeded)),
        (summary.succeeded, 1)
    );
    sound(&tracker);
}

#[test]
fn a_crew_that_works_ahead_keeps_no_kind_waiting() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..400).map(mail)).unwrap();
    let left = AtomicUsize::new(400);
    let summary = Crew::new()
        .threads(3)
        .ahead(10)
        .serve(&mails, |_| {
            left.fetch_sub(1, SeqCst);
            fine()
        })
        .serve(&tasks, |job| {
            job.result = u32::try_from(left.load(SeqCst)).ok();
            fine()
        })
        .run()
        .unwrap();
    assert_eq!(summary.succeeded, 403);
    let records = tasks.query().status(Status::Succeeded).fetch().unwrap();
    assert!(records.iter().all(|record| record.task.result > Some(0)), "a full kind does not keep another waiting");
    sound(&tracker);
}

#[test]
fn an_attempt_that_takes_too_long_has_failed_and_its_time_starts_when_it_begins() {
    let (clock, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all([page("slow", 1), page("fast", 1), page("last", 1)]).unwrap();
    let summary = pages
        .worker()
        .ahead(8)
        .time_limit(SECOND)
        .run(|page| {
            if page.url == "slow" {
                clock.advance(SECOND * 2);
                while !page.is_cancelled() {
                    thread::yield_now();
                }
            }
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.lost), (2, 1, 0), "{summary}");
    let record = pages.get("slow").unwrap().unwrap();
    assert!(record.history[0].failure.as_ref().unwrap().error.contains("time limit of 1s"));
    sound(&tracker);
}

/// After short bodies a worker expects short ones, hands in quietly and wakes nobody for little: a long one is no reason
/// for what was handed in to wait for it, nor for tasks that another thread could do.
#[test]
fn nothing_waits_for_a_long_body_that_follows_short_ones() {
    for (threads, ahead) in [(1, 16), (2, 16), (5, 16), (2, 2), (3, 2)] {
        let (_, tracker) = tracker();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..200).map(mail)).unwrap();
        let summary = mails
            .worker()
            .threads(threads)
            .ahead(ahead)
            .run(|mail| {
                // All before it; where others work too, all the others.
                let expected = if threads == 1 { 100 } else { 199 };
                while mail.number == 100 && mails.counts().unwrap().get(Status::Succeeded) < expected {
                    thread::yield_now();
                }
                fine()
            })
            .unwrap();
        assert_eq!(summary.succeeded, 200, "{threads} threads");
        sound(&tracker);
    }
}

#[test]
fn what_waits_behind_a_long_body_is_renewed_and_told_that_it_was_cancelled() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["long", "waits", "called off"]);
    let summary = tasks
        .worker()
        .ahead(4)
        .run(|job| {
            match job.name.as_str() {
                "long" => {
                    tasks.cancel("called off").unwrap();
                    for _ in 0..3 {
                        let until = || tasks.get("waits").unwrap().unwrap().lease.unwrap().until;
                        let before = until();
                        clock.advance(SECOND * 50);
                        while until() == before {
                            thread::yield_now();
                        }
                    }
                    assert!(tasks.rescue().unwrap().is_empty());
                }
                "called off" => {
                    assert!(job.is_cancelled());
                    return Err(io::Error::other("called off"));
                }
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.lost, summary.panicked), (2, 1, 0, 0), "{summary}");
    assert_eq!(tasks.counts().unwrap().get(Status::Cancelled), 1);
    assert!(tasks.query().fetch().unwrap().iter().all(|record| record.attempts == 1 && record.crashes == 0));
    sound(&tracker);
}

#[test]
fn a_task_that_is_taken_over_before_it_begins_is_lost_to_the_worker() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["first", "taken"]);
    let summary = tasks
        .worker()
        .ahead(4)
        .run(|job| {
            if job.name == "first" {
                let options = tracker_core::StartOptions::new().ignore_lease();
                let mut taken = tasks.start_with("taken", &options).unwrap();
                taken.result = Some(7);
                taken.succeed().unwrap();
            } else {
                job.result = Some(8);
            }
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.lost), (1, 1), "{summary}");
    assert_eq!(tasks.get("taken").unwrap().unwrap().task.result, Some(7));
    sound(&tracker);
}

#[test]
fn suspects_run_alone_and_never_ahead() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["poison 1", "poison 2", "poison 3"]);
    for _ in 0..2 {
        let held: Vec<_> = (1..=3).map(|number| tasks.start(format!("poison {number}")).unwrap()).collect();
        clock.advance(MINUTE);
        assert_eq!(tasks.rescue().unwrap().len(), held.len());
    }
    tasks.submit_all((0..60).map(|number| job(&number.to_string()))).unwrap();
    clock.advance(SECOND * 10);
    tasks.submit_all((60..120).map(|number| job(&number.to_string()))).unwrap();
    let (running, suspects) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let summary = tasks
        .worker()
        .threads(4)
        .ahead(32)
        .run(|job| {
            let others = running.fetch_add(1, SeqCst);
            if job.crashes() >= 2 {
                assert_eq!(others, 0, "a suspect begins when nothing runs");
                assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 1, "nor is anything claimed, or unsaid");
                for _ in 0..1_000 {
                    thread::yield_now();
                    assert_eq!(running.load(SeqCst), 1, "nothing begins beside a suspect");
                }
                suspects.fetch_add(1, SeqCst);
            }
            running.fetch_sub(1, SeqCst);
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, suspects.into_inner()), (123, 0, 3), "{summary:?}");
    sound(&tracker);
}

/// What a process leaves behind that dies with a body at work: a disk as it is at that moment.
fn dies_in(disk: &Disk, clock: &ManualClock, ahead: usize, poison: &str) -> Disk {
    let tracker = open(disk, clock);
    let tasks = tracker.tasks::<Job>().unwrap();
    let (left, worker) = (Mutex::new(None), tasks.worker().ahead(ahead));
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
fn a_task_that_kills_its_process_is_found_out_and_its_neighbours_pay_nothing() {
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
    tasks.worker().ahead(16).run(|_: &mut Execution<Job>| fine()).unwrap();
    assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 39);
}

#[test]
fn the_begin_of_a_body_that_goes_on_is_stored() {
    let (clock, disk) = (ManualClock::new(), Disk::default());
    let tracker = open(&disk, &clock);
    let tasks = jobs(&tracker, &["first", "long", "waits"]);
    let summary = tasks
        .worker()
        .ahead(4)
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
fn what_is_claimed_while_a_body_runs_has_not_begun() {
    let (clock, disk) = (ManualClock::new(), Disk::default());
    let tracker = open(&disk, &clock);
    let names: Vec<_> = (0..12).map(|number| number.to_string()).collect();
    let tasks = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let crashed = Mutex::new(None);
    let summary = tasks
        .worker()
        .ahead(4)
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
fn an_error_of_the_storage_ends_a_worker_that_runs_on_with_all_its_threads() {
    for ahead in [0, 8] {
        let (clock, disk) = (ManualClock::new(), Disk::default());
        let tracker = open(&disk, &clock);
        let tasks = jobs(&tracker, &["a"]);
        let result = tasks.worker().threads(4).ahead(ahead).run_on().run(|_| {
            (0..1_000).for_each(|_| thread::yield_now());
            disk.fail(Fault { operation: Operation::Write, nth: 1, error: EIO, done: false, lasting: true });
            fine()
        });
        assert!(result.is_err(), "{ahead} ahead");
    }
}

#[test]
fn an_error_of_the_storage_halts_the_worker_and_nothing_is_booked_wrongly() {
    for (nth, lasting) in [2, 20, 60].into_iter().flat_map(|nth| [(nth, true), (nth, false)]) {
        let (clock, disk) = (ManualClock::new(), Disk::default());
        let tracker = open(&disk, &clock);
        let tasks: Tasks<Job> = tracker.tasks().unwrap();
        tasks.submit_all((0..300).map(|number| job(&number.to_string()))).unwrap();
        let ran = Mutex::new(BTreeSet::new());
        disk.fail(Fault { operation: Operation::Write, nth, error: EIO, done: false, lasting });
        let result = tasks.worker().threads(3).ahead(8).run(|job| {
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
        let summary = tasks.worker().ahead(8).run(|_: &mut Execution<Job>| fine()).unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 300, "{summary}");
        sound(&tracker);
    }
}
