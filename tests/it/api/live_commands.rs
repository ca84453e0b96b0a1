//! Tests live commands: which trackers serve them, what they reach, and their end.

use std::{
    sync::{Mutex, mpsc::channel},
    thread,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Execution, Tracker,
    file::Sharing,
    live::{Client, Report, Request, Selection, TaskChange},
};

use crate::support::{
    kinds::{Job, Mail, Status, job, mail, refused, sound},
    place::{self, OpenInPlace as _},
};

fn change(id: &str, change: TaskChange) -> Request {
    Request::Tasks { selection: Selection::Ids { kind: None, ids: vec![id.into()] }, change }
}

fn pause_all() -> Request {
    Request::Kinds { kind: None, paused: true }
}

#[test]
fn live_commands_are_served_where_others_cannot_write() {
    if place::is_only_for_files("live commands are for one process that has the file open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    assert!(Client::find(&path).unwrap().is_none(), "there is no file");
    for (options, served) in [
        (Tracker::options(), true),
        (Tracker::options().sharing(Sharing::Exclusive), true),
        (Tracker::options().sharing(Sharing::Writers), false),
        (Tracker::options().live_commands(false), false),
    ] {
        let tracker = options.open_at(&path).unwrap();
        assert_eq!(Client::find(&path).unwrap().is_some(), served);
        tracker.close().unwrap();
        assert!(Client::find(&path).unwrap().is_none());
    }
    let _inspecting = Tracker::inspect(&path).unwrap();
    assert!(Client::find(&path).unwrap().is_none());
}

#[test]
fn client_has_the_answers_of_the_tracker() {
    if place::is_only_for_files("live commands are for one process that has the file open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tracker = place::open(folder.path().join("jobs.redb")).unwrap();
    let (jobs, mails) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Mail>().unwrap());
    jobs.submit_all(["a", "b"].map(job)).unwrap();
    mails.submit(&mail(7)).unwrap();
    let client = Client::find(folder.path().join("jobs.redb")).unwrap().unwrap();
    assert!(client.now().unwrap() <= tracker.now());
    assert_eq!(client.count(&pause_all()).unwrap(), tracker.count(&pause_all()).unwrap());
    assert_eq!(client.perform(&change("a", TaskChange::Cancel)).unwrap().changed, 1);
    let again = change("a", TaskChange::Cancel);
    let report: Report = client.perform(&again).unwrap();
    assert_eq!(report, tracker.perform(&again).unwrap());
    assert_eq!(report.refused[0].error, ErrorKind::Ended);
    let wrong = change("nowhere", TaskChange::Cancel);
    let error = refused(client.perform(&wrong), ErrorKind::NotFound);
    assert_eq!(error.to_string(), tracker.perform(&wrong).unwrap_err().to_string());
    let ids = (0..200_000).map(|number: u32| number.to_string().into()).collect();
    let long = Request::Tasks { selection: Selection::Ids { kind: None, ids }, change: TaskChange::Cancel };
    let error = refused(client.perform(&long), ErrorKind::Invalid);
    assert!(error.to_string().contains("the limit is 1048576"), "{error}");
    sound(&tracker);
}

#[test]
fn clients_of_two_files_change_their_own() {
    if place::is_only_for_files("live commands are for one process that has the file open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |name| place::open(folder.path().join(name)).unwrap();
    let trackers = [open("one.redb"), open("two.redb")];
    let jobs = trackers.each_ref().map(|tracker| tracker.tasks::<Job>().unwrap());
    for jobs in &jobs {
        jobs.submit(&job("a")).unwrap();
    }
    // A link leads to the same file.
    std::os::unix::fs::symlink(folder.path().join("two.redb"), folder.path().join("link.redb")).unwrap();
    let client = Client::find(folder.path().join("link.redb")).unwrap().unwrap();
    client.perform(&change("a", TaskChange::Cancel)).unwrap();
    let cancelled = jobs.map(|jobs| jobs.counts().unwrap().get(Status::Cancelled));
    assert_eq!(cancelled, [0, 1]);
}

#[test]
fn live_cancel_reaches_a_running_handler() {
    if place::is_only_for_files("live commands are for one process that has the file open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tracker = place::open(folder.path().join("jobs.redb")).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("a")).unwrap();
    let (started, starts) = channel();
    let (told, tell) = channel();
    let tell = Mutex::new(tell);
    let worker = jobs
        .worker()
        .spawn(move |job: &mut Execution<Job>| {
            started.send(()).unwrap();
            tell.lock().unwrap().recv_timeout(Duration::from_secs(60)).unwrap();
            assert!(job.is_cancelled());
            Ok::<_, std::io::Error>(())
        })
        .unwrap();
    starts.recv_timeout(Duration::from_secs(60)).unwrap();
    let client = Client::find(folder.path().join("jobs.redb")).unwrap().unwrap();
    client.perform(&change("a", TaskChange::Cancel)).unwrap();
    // The answer comes after the commit, and the commit tells the handler.
    told.send(()).unwrap();
    worker.join().unwrap();
    assert_eq!(jobs.counts().unwrap().get(Status::Succeeded), 1, "a handler that was done nevertheless has succeeded");
}

#[test]
fn last_handle_closes_the_file_while_a_command_waits() {
    if place::is_only_for_files("live commands are for one process that has the file open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    tracker.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
    let client = Client::find(&path).unwrap().unwrap();
    let (begun, begins) = channel();
    let (sent, is_sent) = channel();
    thread::scope(|scope| {
        let held = tracker.clone();
        scope.spawn(move || {
            held.transaction(|_| {
                begun.send(()).unwrap();
                is_sent.recv().unwrap();
                Ok::<_, tracker_core::Error>(())
            })
            .unwrap();
        });
        begins.recv().unwrap();
        let waiting = scope.spawn(|| client.perform(&change("a", TaskChange::SetPriority(9))));
        // The last handle goes while the command waits for the transaction, or before it was read.
        sent.send(()).unwrap();
        drop(tracker);
        match waiting.join().unwrap() {
            Ok(report) => assert_eq!(report.changed, 1),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::OutcomeUnknown), "{error:?}"),
        }
    });
    let again = place::open(&path).unwrap();
    sound(&again);
    refused(Client::find(&path).unwrap().unwrap().perform(&change("b", TaskChange::Cancel)), ErrorKind::NotFound);
    again.close().unwrap();
    refused(client.perform(&pause_all()), ErrorKind::Closed);
}
