//! Tests tasks with thousands of dependents: an end is propagated in parts, and other calls run between them.

use tracker_core::{Tasks, dependency::OnDependencyFailure, submit::SubmitOptions};

use crate::support::kinds::{Job, Status, fine, job, jobs, sound, tracker};

fn after(tasks: &Tasks<Job>, id: &str, on_failure: OnDependencyFailure) -> SubmitOptions {
    SubmitOptions::new().after(tasks, id, on_failure)
}

#[test]
fn end_reaches_over_1000_dependents_in_several_commits() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let many = |letter: char| (0..2_500).map(move |number| job(&format!("{letter}{number}")));
    tasks.submit_all_with(many('a'), &after(&tasks, "a", OnDependencyFailure::Skip)).unwrap();
    tasks.submit_all_with(many('b'), &after(&tasks, "b", OnDependencyFailure::Skip)).unwrap();
    assert_eq!(tasks.dependents("a", usize::MAX).unwrap().len(), 2_500);
    tasks.start("a").unwrap().succeed().unwrap();
    assert!(tasks.dependents("a", usize::MAX).unwrap().len() <= 1_500, "a thousand hear it in its own commit");
    tasks.start("b").unwrap().give_up("no use").unwrap();
    let counts = || tasks.counts().unwrap();
    // The calls of others come between.
    tasks.submit(&job("between")).unwrap();
    let waiting = || tasks.dependents("a", usize::MAX).unwrap().len();
    while waiting() > 0 || counts().get(Status::Ignored) < 2_500 {
        sound(&tracker);
        std::thread::yield_now();
    }
    let why = |name: &str| tasks.get(name).unwrap().unwrap().history[0].failure.as_ref().unwrap().error.clone();
    for name in ["b0", "b2499"] {
        assert_eq!(why(name), "it waited for job \"b\", which is exhausted", "whenever it was told");
    }
    let summary = tasks.worker().threads(2).run(|_| fine()).unwrap();
    assert_eq!((summary.succeeded, counts().get(Status::Ignored)), (2_501, 2_500));
    sound(&tracker);
}

/// A success satisfies every dependent, also those that it reaches after the task was requeued.
#[test]
fn late_propagation_reports_the_success() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let many = (0..1_500).map(|number| job(&number.to_string()));
    tasks.submit_all_with(many, &after(&tasks, "a", OnDependencyFailure::Skip)).unwrap();
    let mut held = tasks.start("a").unwrap();
    let told = tracker.transaction(|tx| {
        tx.succeed(&mut held)?;
        tx.requeue(&tasks, "a")?;
        tx.cancel(&tasks, "a")
    });
    told.unwrap();
    while !tasks.dependents("a", 1).unwrap().is_empty() {
        std::thread::yield_now();
    }
    let summary = tasks.worker().threads(2).run(|_| fine()).unwrap();
    assert_eq!((summary.succeeded, tasks.counts().unwrap().get(Status::Ignored)), (1_500, 0));
    sound(&tracker);
}

#[test]
fn propagation_to_5000_dependents_lets_claims_between() {
    let (_, tracker) = tracker();
    let (tasks, others) = (jobs(&tracker, &["a"]), tracker.tasks_as::<Job>("other").unwrap());
    others.submit_all((0..1_000).map(|number| job(&number.to_string()))).unwrap();
    let many = (0..5_000).map(|number| job(&format!("w{number}")));
    tasks.submit_all_with(many, &after(&tasks, "a", OnDependencyFailure::Skip)).unwrap();

    let before = tracker.change_number().unwrap();
    let mut end = tasks.start("a").unwrap();
    end.give_up("no use").unwrap();
    let told = || tasks.counts().unwrap().get(Status::Ignored);
    loop {
        // No claim waits for all of them.
        if let Some(mut other) = others.claim().unwrap() {
            other.succeed().unwrap();
        }
        let (told, change) = (told(), tracker.change_number().unwrap());
        assert!(told <= 1_000 * (change - before), "{told} have heard of it after {} commits", change - before);
        if told == 5_000 {
            break;
        }
    }
    assert!(tasks.claim().unwrap().is_none());
    sound(&tracker);
}

/// A dependent that is added during the propagation of an end waits for the next end.
#[test]
fn new_dependent_ignores_an_earlier_end() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let skip = || after(&tasks, "a", OnDependencyFailure::Skip);
    tasks.submit_all_with((0..1_500).map(|number| job(&number.to_string())), &skip()).unwrap();
    tracker
        .transaction(|tx| {
            tx.cancel(&tasks, "a")?;
            tx.requeue(&tasks, "a")?;
            tx.submit_with(&tasks, &job("late"), &skip())
        })
        .unwrap();
    while tasks.counts().unwrap().get(Status::Ignored) < 1_500 {
        std::thread::yield_now();
    }
    assert_eq!(tasks.get("late").unwrap().unwrap().waits_for, 1);
    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!(tasks.claim().unwrap().unwrap().name, "late");
    sound(&tracker);
}
