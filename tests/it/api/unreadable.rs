//! Tests tasks that their type cannot decode, among others that it can.

use serde::{Deserialize, Serialize};
use tracker_core::{ErrorKind, TrackedTask, Tracker, inspect::Explanation};

use crate::support::kinds::{Job, Mail, Status, fine, job, jobs, mail, refused, sound, tracker};

/// A job of a later version.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Grown {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    size: u32,
}

/// Two old jobs between three new ones.
fn mixed(tracker: &Tracker) -> tracker_core::Tasks<Grown> {
    let submit = |name: &str| {
        let grown = tracker.tasks::<Grown>().unwrap();
        grown.submit(&Grown { name: name.to_owned(), host: "a".to_owned(), size: 1 }).unwrap();
    };
    submit("new 1");
    drop(jobs(tracker, &["old 1"]));
    submit("new 2");
    tracker.tasks::<Job>().unwrap().submit(&job("old 2")).unwrap();
    submit("new 3");
    tracker.tasks::<Grown>().unwrap()
}

#[test]
fn fetch_returns_what_it_can_and_lists_the_unreadable() {
    let (_, tracker) = tracker();
    let tasks = mixed(&tracker);
    let page = tasks.query().by_creation().fetch().unwrap();
    assert_eq!(page.iter().map(|record| record.task.name.as_str()).collect::<Vec<_>>(), ["new 1", "new 2", "new 3"]);
    let ids: Vec<_> = page.unreadable.iter().map(|task| task.id.to_string()).collect();
    assert_eq!(ids, ["old 1", "old 2"]);
    for task in &page.unreadable {
        assert_eq!(task.error.kind(), ErrorKind::Unreadable);
        let error = task.error.to_string();
        assert!(error.contains("missing field `size`") && error.contains("#[serde(default)] above `size`"), "{error}");
    }
    let page = tasks.query().index("host", "a").page_with_total().unwrap();
    assert_eq!((page.items.len(), page.unreadable.len(), page.total), (3, 2, Some(5)));
    let error = refused(tasks.get("old 1"), ErrorKind::Unreadable);
    assert!(error.to_string().contains("#[serde(default)]"), "{error}");
}

#[test]
fn unreadable_tasks_count_towards_the_limit_of_a_page() {
    let (_, tracker) = tracker();
    let tasks = mixed(&tracker);
    let (mut next, mut names, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = tasks.query().by_creation().limit(2).after(next).page().unwrap();
        assert!(page.len() + page.unreadable.len() <= 2);
        names.extend(page.iter().map(|record| record.id.to_string()));
        names.extend(page.unreadable.iter().map(|task| task.id.to_string()));
        pages += 1;
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    names.sort();
    assert_eq!((names.join(", ").as_str(), pages), ("new 1, new 2, new 3, old 1, old 2", 3));
    let limited = tasks.query().by_creation().limit(2).fetch().unwrap();
    assert_eq!((limited.len(), limited.unreadable.len()), (1, 1));
}

#[test]
fn first_reports_that_the_first_task_is_unreadable() {
    let (_, tracker) = tracker();
    let tasks = mixed(&tracker);
    assert_eq!(tasks.query().by_creation().first().unwrap().unwrap().task.name, "new 1");
    tasks.remove("new 1").unwrap();
    refused(tasks.query().by_creation().first(), ErrorKind::Unreadable);
}

/// A job with a new field, and without one that jobs have.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Hostless {
    #[task(id)]
    name: String,
    needed: u32,
}

#[test]
fn unreadable_task_waits_for_a_matching_type() {
    let (_, tracker) = tracker();
    drop(jobs(&tracker, &["old 1", "old 2"]));
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit(&mail(1)).unwrap();
    let hostless = tracker.tasks::<Hostless>().unwrap();
    hostless.submit(&Hostless { name: "new".to_owned(), needed: 1 }).unwrap();
    let error = refused(hostless.claim(), ErrorKind::Unreadable);
    assert!(error.to_string().contains("old 1") && error.to_string().contains("needed"), "{error}");
    refused(hostless.get("old 2"), ErrorKind::Unreadable);
    let page = hostless.query().by_creation().fetch().unwrap();
    assert_eq!((page.len(), page[0].task.needed, page.unreadable.len()), (1, 1, 2));
    assert_eq!(hostless.query().ids().unwrap().len(), 3);
    assert_eq!(hostless.query().by_creation().ids().unwrap().len(), 3);
    assert_eq!(hostless.explain("old 1").unwrap(), Explanation::Unreadable);
    let summary = hostless.worker().run(|_| fine()).unwrap();
    assert_eq!((summary.succeeded, summary.unreadable), (1, 1), "the others go on");
    assert!(hostless.claim().unwrap().is_none());
    sound(&tracker);
    drop(hostless);
    let tasks = tracker.tasks::<Job>();
    // The task that succeeded has no `host`; that does not matter to the others.
    let tasks = tasks.unwrap();
    let mut first = tasks.claim().unwrap().unwrap();
    assert_eq!((first.name.as_str(), first.attempt()), ("old 1", 1), "it cost nothing");
    first.succeed().unwrap();
    assert_eq!(tasks.claim().unwrap().unwrap().name, "old 2");
    assert!(mails.claim().unwrap().is_some());
    sound(&tracker);
}

#[test]
fn requeue_makes_an_unreadable_task_claimable() {
    let (_, tracker) = tracker();
    drop(jobs(&tracker, &["old"]));
    let hostless = tracker.tasks::<Hostless>().unwrap();
    for _ in 0..2 {
        refused(hostless.claim(), ErrorKind::Unreadable);
        assert!(hostless.claim().unwrap().is_none());
        hostless.requeue("old").unwrap();
    }
    refused(hostless.start("old"), ErrorKind::Unreadable);
    hostless.cancel("old").unwrap();
    sound(&tracker);
}
