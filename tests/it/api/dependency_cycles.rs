//! Dependencies that are refused: cycles, missing targets, too many.

use tracker_core::{
    ErrorKind, Submission, Tasks, Tracker,
    batch::BatchOptions,
    dependency::{DependencyTarget, OnDependencyFailure},
    status::Role,
    submit::SubmitOptions,
};

use super::dependencies::{after, next};
use crate::support::kinds::{Job, Page, Status, job, jobs, page, refused, sound, status, tracker};

#[test]
fn cycles_and_missing_targets_are_refused_by_name() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let error = refused(
        tasks.submit_with(&job("b"), &after(&tasks, &["a", "no"], OnDependencyFailure::Wait)),
        ErrorKind::NotFound,
    );
    assert!(
        error.to_string().contains("job \"b\" was refused: it should wait for job \"no\", which does not exist"),
        "{error}"
    );
    let error = refused(tasks.submit_with(&job("b"), &after(&tasks, &["b"], OnDependencyFailure::Wait)), "Cycle");
    assert!(error.to_string().contains("wait for job \"b\", which waits for it itself"), "{error}");
    assert!(tasks.get("b").unwrap().is_none(), "what is refused is not there");
    assert!(tasks.dependents("a", 9).unwrap().is_empty());

    let mut group = tracker.group();
    for (name, on) in [("x", "y"), ("y", "z"), ("z", "x")] {
        group.add(&tasks, &job(name), &after(&tasks, &["a", on], OnDependencyFailure::Wait)).unwrap();
    }
    refused(group.submit(), "Cycle");
    assert_eq!(tasks.counts().unwrap().total(), 1);
    sound(&tracker);

    let mut group = tracker.group();
    for (name, on) in [("x", "y"), ("y", "z"), ("z", "a")] {
        group.add(&tasks, &job(name), &after(&tasks, &[on], OnDependencyFailure::Wait)).unwrap();
    }
    assert!(group.submit().unwrap().iter().all(|receipt| receipt.submission == Submission::New));
    assert_eq!([(); 5].map(|()| next(&tasks)).map(Option::unwrap_or_default), ["a", "z", "y", "x", ""]);
    sound(&tracker);
}

#[test]
fn requeued_task_takes_new_dependencies_without_cycle() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let after = |url: &str| SubmitOptions::new().after(&pages, url, OnDependencyFailure::Wait);
    pages.submit(&page("a", 1)).unwrap();
    pages.submit_with(&page("b", 1), &after("a")).unwrap();
    pages.submit_with(&page("c", 1), &after("b")).unwrap();
    pages.submit(&page("free", 1)).unwrap();
    assert_eq!(pages.submit_with(&page("a", 1), &after("free")).unwrap().submission, Submission::Existing);
    assert!(pages.dependencies("a").unwrap().is_empty(), "it goes on as it was");
    pages.start("a").unwrap().give_up("gone").unwrap();
    let error = refused(pages.submit_with(&page("a", 2), &after("c")), "Cycle");
    assert!(error.to_string().contains("page \"c\""), "{error}");
    let record = pages.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.task.version, record.waits_for), (Status::Exhausted, 1, 0), "it is as it was");
    assert_eq!(record.history.len(), 1);
    sound(&tracker);
    assert_eq!(pages.submit_with(&page("a", 2), &after("free")).unwrap().submission, Submission::Requeued);
    let names = std::iter::from_fn(|| {
        let mut claimed = pages.claim().unwrap()?;
        claimed.succeed().unwrap();
        Some(claimed.url.clone())
    });
    assert_eq!(names.collect::<Vec<_>>(), ["free", "a", "b", "c"]);
    sound(&tracker);
}

#[test]
fn tasks_wait_for_a_batch_and_cycles_are_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["outside"]);
    let batch = tracker.open_batch("b", &BatchOptions::new()).unwrap();
    tasks.submit_all_with([job("one"), job("two")], &SubmitOptions::new().batch(&batch)).unwrap();
    for on_failure in OnDependencyFailure::ALL {
        tasks.submit_with(&job(on_failure.name()), &SubmitOptions::new().after_batch(&batch, on_failure)).unwrap();
    }
    let dependency = tasks.dependencies("skip").unwrap().remove(0);
    assert_eq!(
        (dependency.on, dependency.on_failure),
        (DependencyTarget::Batch { label: "b".into() }, OnDependencyFailure::Skip)
    );
    let own = SubmitOptions::new().batch(&batch).after_batch(&batch, OnDependencyFailure::Wait);
    refused(tasks.submit_with(&job("x"), &own), "Cycle");
    let through = after(&tasks, &["wait"], OnDependencyFailure::Wait).batch(&batch);
    refused(tasks.submit_with(&job("x"), &through), "Cycle");
    refused(tasks.submit_with(&job("run"), &SubmitOptions::new().batch(&batch)), "Cycle");
    assert!(tasks.get("x").unwrap().is_none());

    tasks.start("one").unwrap().succeed().unwrap();
    tasks.start("two").unwrap().give_up("no use").unwrap();
    assert_eq!(status(&tasks, "skip"), Status::Pending, "more may come");
    batch.seal().unwrap();
    let found = ["wait", "skip", "cancel", "run"].map(|name| status(&tasks, name));
    assert_eq!(found, [Status::Pending, Status::Ignored, Status::Cancelled, Status::Pending]);
    let why = tasks.get("skip").unwrap().unwrap().history[0].failure.as_ref().unwrap().error.clone();
    assert_eq!(why, "it waited for the batch \"b\", which is exhausted");
    assert_eq!([next(&tasks), next(&tasks), next(&tasks)].map(Option::unwrap_or_default), ["outside", "run", ""]);
    assert_eq!(batch.requeue(&[Role::Exhausted]).unwrap(), 1);
    assert_eq!([next(&tasks), next(&tasks), next(&tasks)].map(Option::unwrap_or_default), ["two", "wait", ""]);
    waits_for_what_is_over(&tracker, &tasks);
    sound(&tracker);
}

fn waits_for_what_is_over(tracker: &Tracker, tasks: &Tasks<Job>) {
    let batch = tracker.batch("b").unwrap().unwrap();
    tasks.submit_with(&job("late"), &SubmitOptions::new().after_batch(&batch, OnDependencyFailure::Skip)).unwrap();
    assert_eq!(next(tasks), Some("late".to_owned()));
}

#[test]
fn task_has_at_most_1000_dependencies() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let names: Vec<_> = (0..1_001).map(|number| number.to_string()).collect();
    tasks.submit_all(names.iter().map(|name| job(name))).unwrap();
    let many = |most: usize| {
        after(&tasks, &names[..most].iter().map(String::as_str).collect::<Vec<_>>(), OnDependencyFailure::Wait)
    };
    let error = refused(tasks.submit_with(&job("all"), &many(1_001)), ErrorKind::Invalid);
    assert!(error.to_string().contains("1000"), "{error}");
    tasks.submit_with(&job("all"), &many(1_000)).unwrap();
    assert_eq!(tasks.get("all").unwrap().unwrap().waits_for, 1_000);
    sound(&tracker);
}
