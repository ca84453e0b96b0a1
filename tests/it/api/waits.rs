//! Tests of waits for the end of a task, and of the callback for tasks that are given up.

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Execution, Tasks, Tracker,
    dependency::OnDependencyFailure,
    events::Waited,
    file::{Durability, Sharing},
    submit::SubmitOptions,
    time::{Clock, ClockReading, ManualClock},
};

use crate::{
    support::kinds::{
        Import, ImportStatus, Job, MINUTE, Status, fine, job, jobs, one_of_each, refused, sound, tracker,
    },
    support::place::{self, OpenInPlace as _},
};

/// Long enough for any machine: a wait that is not woken fails the test.
const LONG: Duration = Duration::from_secs(60);

fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).unwrap()
}

fn ended(waited: Waited<Job, Status>) -> Status {
    waited.ended().unwrap().status
}

#[test]
fn wait_returns_at_once_for_each_status() {
    let (_, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    for (id, status) in [
        ("succeeded", Status::Succeeded),
        ("exhausted", Status::Exhausted),
        ("ignored", Status::Ignored),
        ("cancelled", Status::Cancelled),
    ] {
        assert_eq!(ended(jobs.wait(id, Duration::MAX).unwrap()), status, "{id}");
    }
    for id in ["failed", "parked", "leased", "pending"] {
        assert!(matches!(jobs.wait(id, Duration::ZERO).unwrap(), Waited::TimedOut), "{id}");
    }
    let error = refused(jobs.wait("nothing", Duration::MAX), ErrorKind::NotFound);
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn wait_of_a_pipeline_is_for_its_last_step() {
    let (_, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit(&Import { number: 1, rows: None }).unwrap();
    imports.step("fetch").unwrap().claim().unwrap().unwrap().succeed().unwrap();
    assert!(matches!(imports.wait(1, Duration::ZERO).unwrap(), Waited::TimedOut));
    imports.step("load").unwrap().claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(imports.wait(1, Duration::ZERO).unwrap().ended().unwrap().status, ImportStatus::LoadSucceeded);
}

/// Waits on a thread, ends the task by `end` once the wait is registered, and returns what the wait has found.
fn wait_while(
    tracker: &Tracker,
    id: &str,
    end: impl FnOnce(&Tasks<Job>),
) -> Result<Waited<Job, Status>, tracker_core::Error> {
    let jobs = tracker.tasks::<Job>().unwrap();
    thread::scope(|scope| {
        let (begun, begins) = channel();
        let waits = scope.spawn({
            let jobs = &jobs;
            move || {
                begun.send(()).unwrap();
                jobs.wait(id, LONG)
            }
        });
        next(&begins);
        end(&jobs);
        waits.join().unwrap()
    })
}

/// A call that ends a task.
type End<'a> = &'a dyn Fn(&Tasks<Job>);

#[test]
fn wait_is_woken_by_every_end() {
    let (clock, tracker) = tracker();
    let names = ["succeeds", "gives up", "cancelled", "ignored", "crashes", "cancelled while it runs"];
    let jobs = jobs(&tracker, &names);
    let crash = |jobs: &Tasks<Job>| {
        for _ in 0..4 {
            jobs.start("crashes").unwrap().detach().unwrap();
            clock.advance(MINUTE * 2);
            jobs.rescue().unwrap();
        }
    };
    let cancel = |jobs: &Tasks<Job>| {
        let mut running = jobs.start("cancelled while it runs").unwrap();
        jobs.cancel("cancelled while it runs").unwrap();
        running.release().unwrap();
    };
    let ends: [(End<'_>, Status); 6] = [
        (&|jobs| jobs.start("succeeds").unwrap().succeed().unwrap(), Status::Succeeded),
        (&|jobs| jobs.start("gives up").unwrap().give_up("no use").unwrap(), Status::Exhausted),
        (&|jobs| jobs.cancel("cancelled").unwrap(), Status::Cancelled),
        (&|jobs| jobs.ignore("ignored", "not wanted").unwrap(), Status::Ignored),
        (&crash, Status::Exhausted),
        (&cancel, Status::Cancelled),
    ];
    for (name, (end, status)) in names.iter().zip(ends) {
        assert_eq!(ended(wait_while(&tracker, name, end).unwrap()), status, "{name}");
    }
    drop(jobs);
    sound(&tracker);
}

#[test]
fn wait_is_woken_by_a_dependency_a_transaction_and_a_close() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["first", "in a transaction", "pending"]);
    let after = SubmitOptions::new().after(&jobs, "first", OnDependencyFailure::Cancel);
    jobs.submit_with(&job("second"), &after).unwrap();
    let waited = wait_while(&tracker, "second", |jobs| jobs.cancel("first").unwrap());
    assert_eq!(ended(waited.unwrap()), Status::Cancelled);

    let waited = wait_while(&tracker, "in a transaction", |jobs| {
        let mut execution = jobs.start("in a transaction").unwrap();
        tracker.transaction(|tx| tx.succeed(&mut execution)).unwrap();
    });
    assert_eq!(ended(waited.unwrap()), Status::Succeeded);

    let waited = wait_while(&tracker, "pending", |_| tracker.clone().close().unwrap());
    refused(waited, ErrorKind::Closed);
}

/// A clock that reports when the thread `waits` reads it: a wait does so once it is registered.
struct ReportingClock(ManualClock, Sender<()>);

impl Clock for ReportingClock {
    fn now(&self) -> ClockReading {
        if thread::current().name() == Some("waits") {
            // Only the first report is received.
            let _ = self.1.send(());
        }
        self.0.now()
    }
}

#[test]
fn wait_reports_a_deleted_task() {
    let (registers, registered) = channel();
    let tracker = Tracker::options().clock(ReportingClock(ManualClock::new(), registers)).in_memory().unwrap();
    let jobs = jobs(&tracker, &["one"]);
    let waited = thread::scope(|scope| {
        let waits = thread::Builder::new().name("waits".to_owned());
        let waits = waits.spawn_scoped(scope, || jobs.wait("one", LONG)).unwrap();
        next(&registered);
        jobs.remove("one").unwrap();
        jobs.submit(&job("one")).unwrap();
        waits.join().unwrap()
    });
    assert!(matches!(waited.unwrap(), Waited::Deleted), "and not the second task with the id");
}

#[test]
fn many_waits_for_many_tasks_all_return() {
    let (_, tracker) = tracker();
    let names: Vec<_> = (0..40).map(|number| number.to_string()).collect();
    let jobs = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let waits: Vec<_> = thread::scope(|scope| {
        let waits: Vec<_> = names
            .iter()
            .cycle()
            .take(120)
            .map(|name| scope.spawn(|| ended(jobs.wait(name.as_str(), LONG).unwrap())))
            .collect();
        let summary = jobs.worker().threads(2).prefetch(8).run(|_| fine()).unwrap();
        assert_eq!(summary.succeeded, 40);
        waits.into_iter().map(|wait| wait.join().unwrap()).collect()
    });
    assert_eq!(waits, [Status::Succeeded; 120]);
}

#[test]
fn wait_finds_a_relaxed_submit() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_with(&job("one"), &SubmitOptions::new().durability(Durability::Relaxed)).unwrap();
    assert!(matches!(jobs.wait("one", Duration::ZERO).unwrap(), Waited::TimedOut));
}

#[test]
fn wait_is_refused_inside_a_transaction() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["one"]);
    tracker
        .transaction(|_| {
            refused(jobs.wait("one", Duration::MAX), ErrorKind::Invalid);
            Ok::<_, tracker_core::Error>(())
        })
        .unwrap();
}

#[test]
fn wait_sees_an_end_by_another_process() {
    for (sharing, waits_in) in [(Sharing::Writers, "a writer"), (Sharing::Readers, "an inspector")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.redb");
        let options = || Tracker::options().sharing(sharing).clock(ManualClock::new());
        let working = options().open_at(&path).unwrap();
        let jobs = jobs(&working, &["one", "two"]);
        let waiting =
            if sharing == Sharing::Writers { options().open_at(&path) } else { options().inspect_at(&path) }.unwrap();
        for (name, removes) in [("one", false), ("two", true)] {
            let waited = wait_while(&waiting, name, |_| {
                if removes {
                    jobs.cancel(name).unwrap();
                } else {
                    jobs.start(name).unwrap().succeed().unwrap();
                }
            });
            assert_eq!(
                ended(waited.unwrap()),
                if removes { Status::Cancelled } else { Status::Succeeded },
                "waits in {waits_in}"
            );
        }
    }
}

/// Registers a callback that sends the id and the last error of each task.
fn given_up(jobs: &Tasks<Job>) -> Receiver<(String, String)> {
    let (told, tells) = channel();
    jobs.on_given_up(move |record| {
        let error = record.history.last().and_then(|attempt| attempt.failure.clone()).map(|failure| failure.error);
        told.send((record.task.name, error.unwrap_or_default())).unwrap();
    })
    .unwrap();
    tells
}

#[test]
fn callback_gets_each_task_that_is_given_up_once() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["fails", "gives up", "crashes", "succeeds", "cancelled", "before"]);
    jobs.start("before").unwrap().give_up("no callback yet").unwrap();
    let told = given_up(&jobs);
    jobs.start("succeeds").unwrap().succeed().unwrap();
    jobs.cancel("cancelled").unwrap();
    jobs.start("gives up").unwrap().give_up("no use").unwrap();
    for _ in 0..3 {
        jobs.start("fails").unwrap().fail("no luck").unwrap();
    }
    for _ in 0..4 {
        jobs.start("crashes").unwrap().detach().unwrap();
        clock.advance(MINUTE * 2);
        jobs.rescue().unwrap();
    }
    assert_eq!(next(&told), ("gives up".to_owned(), "no use".to_owned()));
    assert_eq!(next(&told), ("fails".to_owned(), "no luck".to_owned()));
    assert_eq!(next(&told).0, "crashes");
    jobs.requeue("gives up").unwrap();
    jobs.start("gives up").unwrap().give_up("again").unwrap();
    assert_eq!(next(&told), ("gives up".to_owned(), "again".to_owned()));
    drop(jobs);
    tracker.close().unwrap();
    assert!(told.recv().is_err(), "the callback is called no more, and is dropped at the close");
}

#[test]
fn rolled_back_end_wakes_no_wait() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["one"]);
    let mut execution = jobs.start("one").unwrap();
    let waited = wait_while(&tracker, "one", |jobs| {
        let rolled_back = tracker.transaction(|tx| {
            tx.succeed(&mut execution)?;
            Err::<(), _>(refused(jobs.get("one"), ErrorKind::Invalid))
        });
        assert!(rolled_back.is_err());
        execution.give_up("no use").unwrap();
    });
    assert_eq!(ended(waited.unwrap()), Status::Exhausted);
}

#[test]
fn callback_may_panic_call_back_and_block() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["panics", "submits"]);
    let pages = tracker.tasks_as::<Job>("follow-up").unwrap();
    let (go_on, may) = channel::<()>();
    let may = Mutex::new(may);
    let follow = pages.clone();
    jobs.on_given_up(move |record| {
        assert!(record.task.name != "panics", "a panic of the callback");
        next(&may.lock().unwrap());
        follow.submit(&job("follow-up")).unwrap();
    })
    .unwrap();
    jobs.start("panics").unwrap().give_up("no use").unwrap();
    jobs.start("submits").unwrap().give_up("no use").unwrap();
    // The callback blocks, and other calls do not.
    jobs.submit(&job("other")).unwrap();
    assert_eq!(pages.counts().unwrap().total(), 0);
    go_on.send(()).unwrap();
    assert!(matches!(wait_until_there(&pages), Waited::TimedOut));
    drop((jobs, pages));
    tracker.close().unwrap();
}

/// Subscribes before it looks, so that it sees the submit in any case.
fn wait_until_there(pages: &Tasks<Job>) -> Waited<Job, Status> {
    loop {
        match pages.wait("follow-up", Duration::ZERO) {
            Ok(waited) => return waited,
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
        thread::yield_now();
    }
}

#[test]
fn close_waits_for_the_callbacks_that_are_due() {
    let (_, tracker) = tracker();
    let names: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let jobs = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = told.clone();
    jobs.on_given_up(move |record| tells.lock().unwrap().push(record.task.name)).unwrap();
    let summary = jobs
        .worker()
        .threads(2)
        .prefetch(8)
        .run(|job: &mut Execution<Job>| {
            Ok::<_, std::io::Error>(if job.name == "7" {
                tracker_core::Outcome::Succeed
            } else {
                tracker_core::Outcome::GiveUp
            })
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (1, 49));
    drop((jobs, tracker));
    assert_eq!(told.lock().unwrap().len(), 49);
}

#[test]
fn callback_that_owns_the_tracker_keeps_it_open_until_close() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["one"]);
    let owned = jobs.clone();
    jobs.on_given_up(move |record| owned.requeue(record.task.name).unwrap()).unwrap();
    jobs.start("one").unwrap().give_up("no use").unwrap();
    tracker.clone().close().unwrap();
    refused(jobs.get("one"), ErrorKind::Closed);
}

#[test]
fn second_callback_and_inspected_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.on_given_up(drop).unwrap();
    let error = refused(jobs.on_given_up(drop), ErrorKind::Invalid);
    assert!(error.to_string().contains("job"), "{error}");
    tracker.tasks_as::<Job>("other").unwrap().on_given_up(drop).unwrap();
    let inspected = Tracker::options().inspect_at(&path).unwrap();
    refused(inspected.tasks::<Job>().unwrap().on_given_up(drop), ErrorKind::ReadOnly);
}
