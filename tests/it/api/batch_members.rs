//! Tasks that join a batch, and tasks that leave it.

use tracker_core::{ErrorKind, dependency::OnDependencyFailure, status::Role, submit::SubmitOptions};

use super::batches::{add, counts, followed, into, is_there, open};
use crate::support::kinds::{DAY, Page, Status, job, jobs, page, refused, sound, status, tracker};

#[test]
fn existing_task_joins_unless_its_batch_is_not_over() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["done", "waiting", "running"]);
    tasks.start("done").unwrap().succeed().unwrap();
    let mut running = tasks.start("running").unwrap();
    let one = followed(&tracker, &tasks, "one");
    add(&tasks, &one, &["done", "waiting", "running"]);
    assert_eq!(counts(&one.info().unwrap()), [(Role::Pending, 1), (Role::InProgress, 1), (Role::Succeeded, 1)]);
    let two = open(&tracker, "two");
    let error = refused(tasks.submit_with(&job("waiting"), &into(&two)), ErrorKind::Conflict);
    assert!(error.to_string().contains("the batch \"one\", which is not over"), "{error}");
    one.seal().unwrap();
    running.succeed().unwrap();
    tasks.start("waiting").unwrap().give_up("no").unwrap();
    assert!(is_there(&tasks, "after one"));
    sound(&tracker);

    add(&tasks, &two, &["done", "waiting"]);
    assert_eq!(counts(&two.info().unwrap()), [(Role::Succeeded, 1), (Role::Exhausted, 1)]);
    let left = one.info().unwrap();
    assert_eq!((counts(&left), left.is_over()), (vec![(Role::Succeeded, 2), (Role::Exhausted, 1)], true), "it was so");
    sound(&tracker);
}

#[test]
fn existing_task_may_join_a_batch_with_dependents() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "late"]);
    let batch = open(&tracker, "b");
    add(&tasks, &batch, &["a"]);
    let waits = SubmitOptions::new().after_batch(&batch, OnDependencyFailure::Wait);
    tasks.submit_with(&job("report"), &waits).unwrap();
    add(&tasks, &batch, &["late"]);
    refused(tasks.submit_with(&job("report"), &into(&batch)), "Cycle");
    batch.seal().unwrap();
    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!(tasks.get("report").unwrap().unwrap().waits_for, 1, "the late one is in it");
    tasks.start("late").unwrap().succeed().unwrap();
    assert_eq!(tasks.claim().unwrap().unwrap().name, "report");
    sound(&tracker);
}

#[test]
fn members_are_listed_page_by_page_over_kinds() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["outside"]);
    let pages = tracker.tasks::<Page>().unwrap();
    let (one, other) = (open(&tracker, "one"), open(&tracker, "other"));
    add(&tasks, &one, &["a", "b", "c"]);
    add(&tasks, &other, &["d"]);
    for url in ["x", "y"] {
        pages.submit_with(&page(url, 1), &into(&one)).unwrap();
    }
    let all = one.tasks().unwrap();
    assert_eq!(all.iter().map(|task| task.id.to_string()).collect::<Vec<_>>(), ["a", "b", "c", "x", "y"]);
    for size in 1..=6 {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let part = one.tasks_after(after.as_ref(), size).unwrap();
            assert!(part.len() <= size);
            let Some(last) = part.last().cloned() else { break };
            listed.extend(part);
            after = Some(last);
        }
        assert_eq!(listed, all, "{size}");
    }
    tasks.remove("b").unwrap();
    refused(one.tasks_after(Some(&all[1]), 9), ErrorKind::NotFound);
    assert_eq!(one.tasks_after(Some(&all[0]), 1).unwrap(), [all[2].clone()]);
}

#[test]
fn changed_task_joins_a_batch_unless_the_call_is_refused() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let (one, two) = (open(&tracker, "one"), open(&tracker, "two"));
    pages.submit_with(&page("a", 1), &into(&one)).unwrap();
    pages.start("a").unwrap().succeed().unwrap();
    refused(pages.submit_with(&page("a", 2), &into(&two)), ErrorKind::Conflict);
    let record = pages.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.task.version, record.batch), (Status::Succeeded, 1, Some(one.number())));
    sound(&tracker);
    one.seal().unwrap();
    pages.submit_with(&page("a", 2), &into(&two)).unwrap();
    let record = pages.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.task.version, record.batch), (Status::Pending, 2, Some(two.number())));
    sound(&tracker);
}

#[test]
fn pruned_tasks_count_in_their_batch() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let batch = followed(&tracker, &tasks, "x");
    add(&tasks, &batch, &["a", "b", "c", "d"]);
    tasks.start("a").unwrap().succeed().unwrap();
    tasks.start("b").unwrap().give_up("no").unwrap();
    clock.advance(DAY * 2);
    assert_eq!(tasks.prune().unwrap(), 1);
    tasks.remove("c").unwrap();
    let info = batch.info().unwrap();
    assert_eq!(counts(&info), [(Role::Pending, 1), (Role::Succeeded, 1), (Role::Exhausted, 1)]);
    batch.seal().unwrap();
    tasks.submit_with(&job("patient"), &SubmitOptions::new().after_batch(&batch, OnDependencyFailure::Wait)).unwrap();
    tasks.remove("d").unwrap();
    assert!(batch.info().unwrap().is_over() && is_there(&tasks, "after x"), "the last one may end by deletion");
    assert_eq!(status(&tasks, "patient"), Status::Pending);
    tasks.remove("b").unwrap();
    assert_eq!(status(&tasks, "patient"), Status::Ignored, "the batch can succeed no more");
    sound(&tracker);
}
