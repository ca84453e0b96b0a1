//! Tests submits of new and existing ids, unique keys, fingerprints and bulk submits.

use serde::{Deserialize, Serialize};
use tracker_core::{Error, ErrorKind, Submission, Tasks, TrackedTask, record::AttemptStatus, submit::SubmittedRecord};

use crate::support::kinds::{Job, MINUTE, Mail, Page, Status, fine, job, mail, page, refused, sound, tracker};

#[test]
fn submit_of_existing_id_resets_nothing() {
    let (_, tracker) = tracker();
    let tasks = crate::support::kinds::one_of_each(&tracker);
    let before = format!("{:?}", tasks.query().by_creation().fetch().unwrap());
    for name in ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending"] {
        let again = Job { result: Some(1), ..job(name) };
        assert_eq!(tasks.submit(&again).unwrap().submission, Submission::Existing);
    }
    assert_eq!(format!("{:?}", tasks.query().by_creation().fetch().unwrap()), before);
    let summary = tasks.submit_all(["pending", "new", "new"].map(job)).unwrap();
    assert_eq!((summary.new, summary.existing, summary.requeued), (1, 2, 0));
    sound(&tracker);
}

#[test]
fn submit_and_get_returns_the_stored_task() {
    let (_, tracker) = tracker();
    let tasks = crate::support::kinds::one_of_each(&tracker);
    for name in ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending"] {
        let before = format!("{:?}", tasks.get(name).unwrap().unwrap());
        let SubmittedRecord { submission, record, .. } =
            tasks.submit_and_get(&Job { result: Some(1), ..job(name) }).unwrap();
        assert_eq!((submission, format!("{record:?}")), (Submission::Existing, before), "{name}, verbatim");
    }
    let SubmittedRecord { submission, record, .. } = tasks.submit_and_get(&job("new")).unwrap();
    assert_eq!((submission, record.status, record.task), (Submission::New, Status::Pending, job("new")));
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("a", 1)).unwrap();
    pages.run("a", |_| fine()).unwrap();
    let SubmittedRecord { submission, record, .. } = pages.submit_and_get(&page("a", 2)).unwrap();
    assert_eq!((submission, record.status, record.task.version), (Submission::Requeued, Status::Pending, 2));
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..2).map(mail)).unwrap();
    assert_eq!(mails.submit_and_get(&Mail { number: 9, ..mail(1) }).unwrap().record.task, mail(1), "found by its key");
    refused(mails.submit_and_get(&Mail { request: 0, ..mail(1) }), ErrorKind::Conflict);
    sound(&tracker);
}

#[test]
fn unique_key_binds_forever_or_while_unfinished() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..10).map(mail)).unwrap();
    let same_request = Mail { number: 100, reference: Some("own".to_owned()), ..mail(3) };
    let receipt = mails.submit(&same_request).unwrap();
    assert_eq!((receipt.id.as_int(), receipt.submission), (Some(3), Submission::Existing));
    let same_reference = Mail { number: 100, request: 100, ..mail(3) };
    assert_eq!(mails.submit(&same_reference).unwrap().id.as_int(), Some(3));
    let error = refused(mails.submit(&Mail { request: 4, ..mail(3) }), ErrorKind::Conflict);
    assert!(error.to_string().contains("\"4\""), "{error}");
    refused(mails.submit(&Mail { number: 100, request: 5, ..mail(3) }), ErrorKind::Conflict);
    mails.run(3, |_| fine()).unwrap();
    assert_eq!(mails.submit(&same_request).unwrap().submission, Submission::Existing, "the request is for ever");
    assert_eq!(mails.submit(&same_reference).unwrap().submission, Submission::New, "the reference is free");
    refused(mails.requeue(3), ErrorKind::Conflict);
    refused(mails.update(4, |mail| mail.reference = Some("5".to_owned())), ErrorKind::Conflict);
    let mut held = mails.start(4).unwrap();
    held.request = 5;
    refused(held.checkpoint(), ErrorKind::Conflict);
    refused(held.succeed(), ErrorKind::Conflict);
    held.request = 400;
    held.succeed().unwrap();
    assert_eq!(mails.submit(&Mail { number: 4_000, reference: None, ..mail(4) }).unwrap().submission, Submission::New);
    mails.remove(3).unwrap();
    assert_eq!(mails.submit(&Mail { number: 3_000, reference: None, ..mail(3) }).unwrap().submission, Submission::New);
    assert_eq!(mails.counts().unwrap().total(), 12);
    sound(&tracker);
}

#[test]
fn expired_last_lease_frees_the_unique_key() {
    let (clock, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    let again = |number| Mail { number, ..mail(7) };
    mails.submit(&mail(7)).unwrap();
    for crash in 1..=10 {
        mails.start(7).unwrap().detach().unwrap();
        assert_eq!(mails.submit(&again(100)).unwrap().id.as_int(), Some(7), "while it runs, it is the one");
        clock.advance(MINUTE * 5);
        if crash < 10 {
            assert_eq!(mails.submit(&again(100)).unwrap().id.as_int(), Some(7), "it will run again");
            assert_eq!(mails.get(7).unwrap().unwrap().crashes, crash);
        }
    }
    let new = Mail { request: 100, ..again(100) };
    assert_eq!(mails.submit_and_start(&new).unwrap().number, 100, "the last of its lives is over");
    let record = mails.get(7).unwrap().unwrap();
    assert_eq!((record.status, record.crashes, record.history.len()), (Status::Exhausted, 10, 10));
    sound(&tracker);
}

#[test]
fn unique_key_without_a_value_binds_no_task() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    for number in 0..3 {
        let receipt = mails.submit(&Mail { reference: None, ..mail(number) }).unwrap();
        assert_eq!(receipt.submission, Submission::New);
    }
    sound(&tracker);
}

#[test]
fn changed_fingerprint_requeues_the_task() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let get = |url: &str| pages.get(url).unwrap().unwrap();
    pages.submit_all([page("done", 1), page("failed", 1), page("waits", 1), page("runs", 1)]).unwrap();
    pages
        .run("done", |page| {
            page.bytes = Some(7);
            page.version = 99;
            fine()
        })
        .unwrap();
    pages.start("failed").unwrap().fail("no").unwrap();
    let mut held = pages.start("runs").unwrap();
    assert_eq!(pages.submit(&page("done", 1)).unwrap().submission, Submission::Existing, "as submitted, not as stored");
    for (url, submission) in [
        ("done", Submission::Requeued),
        ("failed", Submission::Requeued),
        ("waits", Submission::Existing),
        ("runs", Submission::Existing),
    ] {
        assert_eq!(pages.submit(&page(url, 2)).unwrap().submission, submission, "{url}");
    }
    assert_eq!((get("done").status, get("done").task), (Status::Pending, page("done", 2)));
    assert_eq!((get("failed").status, get("failed").failures), (Status::Pending, 0));
    assert_eq!(get("waits").task.version, 2);
    assert_eq!((get("runs").status, get("runs").task.version), (Status::InProgress, 1));
    pages.submit(&page("runs", 3)).unwrap();
    held.bytes = Some(1);
    held.checkpoint().unwrap();
    held.succeed().unwrap();
    assert_eq!((get("runs").status, get("runs").task), (Status::Pending, page("runs", 3)), "the newest is next");
    assert_eq!(get("runs").history[0].status, AttemptStatus::Succeeded);
    let summary = pages.worker().run(|_| fine()).unwrap();
    assert_eq!(summary.succeeded, 4);
    sound(&tracker);
}

#[test]
fn update_replaces_tasks_without_a_lease() {
    let (_, tracker) = tracker();
    let tasks = crate::support::kinds::one_of_each(&tracker);
    for name in ["failed", "succeeded", "exhausted", "parked", "pending"] {
        let before = tasks.get(name).unwrap().unwrap().status;
        tasks.update(name, |job| job.host = "moved".to_owned()).unwrap();
        assert_eq!(tasks.get(name).unwrap().unwrap().status, before);
    }
    refused(tasks.update("leased", |job| job.result = None), ErrorKind::Leased);
    refused(tasks.update("nobody", |job| job.result = None), ErrorKind::NotFound);
    assert_eq!(tasks.query().index("host", "moved").total().unwrap(), 5);
    assert_eq!(tasks.query().index("host", "a").total().unwrap(), 3);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    tasks.update("pending", |job| job.result = Some(job.result.unwrap_or(0) + 1)).unwrap();
                }
            });
        }
    });
    assert_eq!(tasks.get("pending").unwrap().unwrap().task.result, Some(100), "no update is lost");
    sound(&tracker);
}

/// The error names the refused task; the others are stored.
#[test]
fn refused_task_does_not_stop_submit_all() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all([mail(7), mail(50)]).unwrap();
    // It has the id of the one and the key of the other.
    let rival = Mail { number: 50, ..mail(7) };
    let many = (0..100).map(|number| if number == 50 { rival.clone() } else { mail(number) });
    let error = refused(mails.submit_all(many), ErrorKind::Conflict);
    assert!(error.to_string().contains("50") && error.to_string().contains('7'), "{error}");
    assert_eq!(mails.counts().unwrap().total(), 100);
    sound(&tracker);
}

/// The holder of a unique key is found to have crashed, and the new task is refused for another reason.
#[test]
fn refusal_after_an_expired_key_does_not_stop_submit_all() {
    let (clock, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all([mail(7), mail(50)]).unwrap();
    mails.start(7).unwrap().detach().unwrap();
    clock.advance(MINUTE * 5);
    let rival = Mail { number: 50, ..mail(7) };
    let many = (10..100).map(|number| if number == 50 { rival.clone() } else { mail(number) });
    refused(mails.submit_all(many), ErrorKind::Conflict);
    assert_eq!(mails.counts().unwrap().total(), 91);
    assert_eq!(mails.get(7).unwrap().unwrap().status, Status::Failed, "its lease ran out");
    sound(&tracker);
}

/// Many at once, in batches, among some that are there: each is what a submit of its own would have made it.
#[test]
fn submit_all_equals_single_submits() {
    let (_, tracker) = tracker();
    let (many, alone) = (tracker.tasks_as::<Job>("many").unwrap(), tracker.tasks_as::<Job>("alone").unwrap());
    // Numbers in no order, some of them twice.
    let names = |from: u64, count: u64| (from..from + count).map(|number| (number * 7_919 % 9_973 / 2).to_string());
    for (from, count) in [(0, 3_000), (2_000, 7_000), (1, 1)] {
        let summary = many.submit_all(names(from, count).map(|name| job(&name))).unwrap();
        let mut new = 0;
        for chunk in names(from, count).collect::<Vec<_>>().chunks(100) {
            tracker
                .transaction(|tx| {
                    for name in chunk {
                        new += u64::from(tx.submit(&alone, &job(name))?.submission == Submission::New);
                    }
                    Ok::<_, Error>(())
                })
                .unwrap();
        }
        assert_eq!((summary.new, summary.existing), (new, count - new));
    }
    let order = |tasks: &Tasks<Job>| tasks.query().by_creation().ids().unwrap();
    assert_eq!(order(&many), order(&alone), "of two with one id it is the first");
    let found = |tasks: &Tasks<Job>| tasks.query().index("host", "a").total().unwrap();
    assert_eq!((found(&many), found(&alone)), (many.counts().unwrap().total(), alone.counts().unwrap().total()));
    sound(&tracker);
}

/// Most of many at once are alike. These are not.
#[test]
fn submit_all_keeps_each_priority() {
    #[derive(TrackedTask, Serialize, Deserialize)]
    #[task(name = "ride", status = Status)]
    struct Ride {
        #[task(id)]
        number: u32,
        #[task(priority)]
        priority: u8,
    }
    let (_, tracker) = tracker();
    let rides = tracker.tasks::<Ride>().unwrap();
    let priority = |number: u32| [0, 0, 9, 9, 9, 200, 0][number as usize % 7];
    rides.submit_all((0..700).map(|number| Ride { number, priority: priority(number) })).unwrap();
    for record in rides.query().fetch().unwrap() {
        assert_eq!((record.priority, record.task.priority), (record.task.priority, priority(record.task.number)));
    }
    sound(&tracker);
    let mut order: Vec<_> = (0..700).collect();
    order.sort_by_key(|number| u8::MAX - priority(*number));
    let mut claimed = Vec::new();
    while let Some(mut ride) = rides.claim().unwrap() {
        claimed.push(ride.number);
        ride.succeed().unwrap();
    }
    assert_eq!(claimed, order);
}
