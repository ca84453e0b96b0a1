//! Tests dependencies: when a dependent starts, what happens if a dependency fails, and what is refused.

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker, dependency::OnDependencyFailure, error::Reason,
    execution::StartOptions, inspect::Explanation, record::AttemptStatus, submit::SubmitOptions,
};

use crate::support::{
    kinds::{DAY, Import, Job, MINUTE, Mail, Status, job, jobs, mail, refused, sound, status, tracker},
    place,
};

pub(super) fn after(tasks: &Tasks<Job>, ids: &[&str], on_failure: OnDependencyFailure) -> SubmitOptions {
    ids.iter().fold(SubmitOptions::new(), |options, id| options.after(tasks, *id, on_failure))
}

/// Submits a task that waits.
pub(super) fn waits(tasks: &Tasks<Job>, name: &str, on: &[&str], on_failure: OnDependencyFailure) {
    tasks.submit_with(&job(name), &after(tasks, on, on_failure)).unwrap();
}

pub(super) fn next(tasks: &Tasks<Job>) -> Option<String> {
    let mut claimed = tasks.claim().unwrap()?;
    claimed.succeed().unwrap();
    Some(claimed.name.clone())
}

#[test]
fn task_starts_when_its_last_dependency_succeeded() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    waits(&tasks, "last", &["a", "b"], OnDependencyFailure::Wait);
    waits(&tasks, "other", &["b"], OnDependencyFailure::Wait);
    jobs(&tracker, &["free"]);
    assert_eq!(tasks.get("last").unwrap().unwrap().waits_for, 2);
    refused(tasks.start("last"), "Waiting");
    let names = |id: &str| {
        tasks.dependencies(id).unwrap().iter().map(|dependency| dependency.on.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("last"), ["job \"a\"", "job \"b\""]);
    let waiting = tasks.dependents("b", 9).unwrap();
    assert_eq!(waiting.iter().map(ToString::to_string).collect::<Vec<_>>(), ["job \"last\"", "job \"other\""]);

    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!((names("last"), names("other")), (vec!["job \"b\"".to_owned()], vec!["job \"b\"".to_owned()]));
    let Explanation::Waiting { others: 1, dependencies } = tasks.explain("last").unwrap() else { panic!() };
    assert_eq!(dependencies[0].on_failure, OnDependencyFailure::Wait);
    assert_eq!(tasks.explain("last").unwrap().to_string(), "it waits for 1 other: job \"b\"");
    let mut b = tasks.start("b").unwrap();
    assert_eq!(next(&tasks), Some("free".to_owned()));
    assert_eq!(next(&tasks), None, "both wait");
    clock.advance(MINUTE / 2);
    b.fail("once").unwrap();
    assert_eq!(next(&tasks), None, "a failure is not the end");
    clock.advance(MINUTE / 6);
    tasks.start("b").unwrap().succeed().unwrap();
    assert_eq!([next(&tasks), next(&tasks), next(&tasks)], [Some("last".into()), Some("other".into()), None]);
    assert!(tasks.dependents("b", 9).unwrap().is_empty());
    sound(&tracker);
}

#[test]
fn dependency_on_a_succeeded_task_is_satisfied() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["done"]);
    tasks.start("done").unwrap().succeed().unwrap();
    waits(&tasks, "new", &["done", "done"], OnDependencyFailure::Wait);
    assert_eq!(tasks.get("new").unwrap().unwrap().waits_for, 0);
    assert_eq!(next(&tasks), Some("new".to_owned()));
    sound(&tracker);
}

/// A dependency that is requeued after its success blocks no dependent that it has satisfied.
#[test]
fn satisfied_dependency_stays_satisfied() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    waits(&tasks, "one", &["a"], OnDependencyFailure::Skip);
    waits(&tasks, "both", &["a", "b"], OnDependencyFailure::Skip);
    tasks.start("a").unwrap().succeed().unwrap();
    tasks.requeue("a").unwrap();
    tasks.start("a").unwrap().give_up("this time").unwrap();
    assert_eq!((status(&tasks, "one"), status(&tasks, "both")), (Status::Pending, Status::Pending));
    tasks.start("b").unwrap().succeed().unwrap();
    assert_eq!([next(&tasks), next(&tasks)], [Some("one".into()), Some("both".into())]);
    sound(&tracker);
}

#[test]
fn each_failure_option_of_a_dependency_is_followed() {
    for how in ["exhausted", "ignored", "cancelled"] {
        let (_, tracker) = tracker();
        let tasks = jobs(&tracker, &["a"]);
        for on_failure in OnDependencyFailure::ALL {
            waits(&tasks, on_failure.name(), &["a"], on_failure);
        }
        waits(&tasks, "after skip", &["skip"], OnDependencyFailure::Cancel);
        waits(&tasks, "after that", &["after skip"], OnDependencyFailure::Run);
        match how {
            "exhausted" => tasks.start("a").unwrap().give_up("no use").unwrap(),
            "ignored" => tasks.ignore("a", "").unwrap(),
            _ => tasks.cancel("a").unwrap(),
        }
        let found = ["wait", "skip", "cancel", "run", "after skip", "after that"].map(|name| status(&tasks, name));
        let (pending, cancelled) = (Status::Pending, Status::Cancelled);
        assert_eq!(found, [pending, Status::Ignored, cancelled, pending, cancelled, pending], "{how}");
        let skipped = tasks.get("skip").unwrap().unwrap();
        let why = skipped.history[0].failure.as_ref().unwrap().error.clone();
        assert_eq!(
            (why.as_str(), skipped.history[0].status),
            (format!("it waited for job \"a\", which is {how}").as_str(), AttemptStatus::Ignored)
        );
        let chained = tasks.get("after skip").unwrap().unwrap();
        assert_eq!(chained.history[0].failure.as_ref().unwrap().error, "it waited for job \"skip\", which is ignored");
        sound(&tracker);

        // What comes too late for the news finds out by itself.
        for on_failure in OnDependencyFailure::ALL {
            waits(&tasks, &format!("late {}", on_failure.name()), &["a"], on_failure);
        }
        let found = ["late wait", "late skip", "late cancel", "late run"].map(|name| status(&tasks, name));
        assert_eq!(found, [pending, Status::Ignored, cancelled, pending], "{how}");
        assert_eq!(
            [next(&tasks), next(&tasks), next(&tasks), next(&tasks)].map(Option::unwrap_or_default),
            ["run", "after that", "late run", ""]
        );

        // It succeeds after all.
        tasks.requeue("a").unwrap();
        tasks.start("a").unwrap().succeed().unwrap();
        assert_eq!(
            [next(&tasks), next(&tasks), next(&tasks)].map(Option::unwrap_or_default),
            ["wait", "late wait", ""]
        );
        sound(&tracker);
    }
}

#[test]
fn requeued_chain_runs_in_dependency_order() {
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let (_, tracker) = tracker();
        let tasks = jobs(&tracker, &["a"]);
        waits(&tasks, "b", &["a"], OnDependencyFailure::Skip);
        waits(&tasks, "c", &["b"], OnDependencyFailure::Skip);
        tasks.start("a").unwrap().give_up("a bug").unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Ignored), 2);
        for name in order {
            tasks.requeue(name).unwrap();
        }
        assert_eq!(
            [next(&tasks), next(&tasks), next(&tasks)].map(Option::unwrap_or_default),
            ["a", "b", "c"],
            "{order:?}"
        );
        sound(&tracker);
    }
}

#[test]
fn dependencies_cross_kinds_pipelines_and_rescues() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let imports = tracker.tasks::<Import>().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    imports.submit(&Import { number: 1, rows: None }).unwrap();
    let options = SubmitOptions::new().after(&imports, 1, OnDependencyFailure::Wait).after(
        &tasks,
        "a",
        OnDependencyFailure::Cancel,
    );
    mails.submit_with(&mail(1), &options).unwrap();
    imports.step("fetch").unwrap().start(1).unwrap().succeed().unwrap();
    assert_eq!(mails.get(1).unwrap().unwrap().waits_for, 2, "one step is not the end");
    imports.step("load").unwrap().start(1).unwrap().succeed().unwrap();
    assert_eq!(mails.get(1).unwrap().unwrap().waits_for, 1);
    for _ in 0..4 {
        std::mem::forget(tasks.start("a").unwrap());
        clock.advance(MINUTE);
        tracker.rescue_foreign();
        clock.advance(MINUTE);
    }
    assert_eq!(status(&tasks, "a"), Status::Exhausted);
    assert_eq!(mails.get(1).unwrap().unwrap().status, Status::Cancelled);
    sound(&tracker);
}

trait RescueForeign {
    fn rescue_foreign(&self);
}

impl RescueForeign for Tracker {
    /// Frees what ran out, as another program would that opens the file.
    fn rescue_foreign(&self) {
        let tasks = self.tasks::<Job>().unwrap();
        tasks.rescue_running_longer_than(MINUTE / 2).unwrap();
    }
}

#[test]
fn dependencies_work_without_an_exhausted_status() {
    #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    enum Bare {
        Pending = 1,
        InProgress = 2,
        Failed = 3,
        Succeeded = 4,
    }

    #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    #[task(name = "bare", status = Bare, max_attempts = 1)]
    struct Plain {
        #[task(id)]
        id: u32,
    }

    let (_, tracker) = tracker();
    let (tasks, bares) = (jobs(&tracker, &["a"]), tracker.tasks::<Plain>().unwrap());
    bares.submit(&Plain { id: 1 }).unwrap();
    tasks.submit_with(&job("b"), &SubmitOptions::new().after(&bares, 1, OnDependencyFailure::Skip)).unwrap();
    for on_failure in [OnDependencyFailure::Skip, OnDependencyFailure::Cancel] {
        let options = SubmitOptions::new().after(&tasks, "a", on_failure);
        refused(bares.submit_with(&Plain { id: 2 }, &options), "MissingRole");
        assert!(bares.get(2).unwrap().is_none());
    }
    bares.submit_with(&Plain { id: 3 }, &SubmitOptions::new().after(&tasks, "a", OnDependencyFailure::Wait)).unwrap();
    bares.start(1).unwrap().fail("once is enough").unwrap();
    assert_eq!((status(&tasks, "b"), bares.get(1).unwrap().unwrap().status), (Status::Ignored, Bare::Failed));
    tasks.remove("a").unwrap();
    assert_eq!(bares.get(3).unwrap().unwrap().status, Bare::Failed, "it can never come, and there is no better place");
    assert!(bares.claim().unwrap().is_none());
    bares.requeue(3).unwrap();
    bares.start(3).unwrap().succeed().unwrap();
    sound(&tracker);
}

#[test]
fn deleted_dependency_fails_its_dependents() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "given up"]);
    for on_failure in OnDependencyFailure::ALL {
        waits(&tasks, on_failure.name(), &["a"], on_failure);
    }
    waits(&tasks, "patient", &["given up"], OnDependencyFailure::Wait);
    tasks.remove("a").unwrap();
    let found = ["wait", "skip", "cancel", "run"].map(|name| status(&tasks, name));
    assert_eq!(found, [Status::Ignored, Status::Ignored, Status::Cancelled, Status::Pending]);
    let record = tasks.get("wait").unwrap().unwrap();
    let why = &record.history[0].failure.as_ref().unwrap().error;
    assert_eq!(why, "it waited for job \"a\", which can succeed no more: it was deleted");
    tasks.requeue("wait").unwrap();
    let mut held = tasks.start("wait").unwrap();
    for name in ["wait", "skip", "cancel"] {
        let booked = tasks.get(name).unwrap().unwrap().history[0].fence;
        assert!(held.fence() > booked, "fences rise over what a dependency books, too");
    }
    held.succeed().unwrap();
    assert_eq!(record.waits_for, 0, "there is nothing to wait for");

    tasks.cancel("given up").unwrap();
    clock.advance(DAY * 3);
    tasks.prune().unwrap();
    assert!(tasks.get("given up").unwrap().is_none());
    assert_eq!(status(&tasks, "patient"), Status::Ignored, "retention deletes as a hand does");

    waits(&tasks, "x", &["run"], OnDependencyFailure::Wait);
    tasks.remove("x").unwrap();
    assert!(tasks.dependents("run", 9).unwrap().is_empty());
    tasks.query().remove().unwrap();
    assert_eq!(tasks.counts().unwrap().total(), 0);
    sound(&tracker);
}

#[test]
fn admin_calls_act_on_a_waiting_task() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    for name in ["forced", "moved", "cancelled", "ignored"] {
        waits(&tasks, name, &["a"], OnDependencyFailure::Skip);
    }
    let error = refused(tasks.start("forced"), "Waiting");
    assert!(matches!(error.refusal().unwrap().reason, Reason::Waiting { others: 1 }), "{error}");
    let mut forced = tasks.start_with("forced", &StartOptions::new().force()).unwrap();
    assert!(tasks.dependencies("forced").unwrap().is_empty(), "who is forced waits no more");
    forced.release().unwrap();
    assert_eq!(next(&tasks), Some("a".to_owned()), "it was submitted first");
    tasks.requeue("a").unwrap();

    for name in ["moved", "cancelled", "ignored"] {
        tasks.requeue(name).unwrap();
    }
    let (_, tracker) = crate::support::kinds::tracker();
    let tasks = jobs(&tracker, &["a"]);
    for name in ["moved", "cancelled", "ignored", "requeued"] {
        waits(&tasks, name, &["a"], OnDependencyFailure::Skip);
    }
    tasks.move_to("moved", Status::OnHold).unwrap();
    tasks.cancel("cancelled").unwrap();
    tasks.ignore("ignored", "by hand").unwrap();
    tasks.requeue("requeued").unwrap();
    refused(tasks.start_with("moved", &StartOptions::new().startable([Status::OnHold])), "Waiting");
    let claimed = tasks.claim_with(&StartOptions::new().startable([Status::OnHold, Status::Failed])).unwrap().unwrap();
    assert_eq!(claimed.name, "a");
    drop(claimed);
    tracker.flush().unwrap();
    tasks.start("a").unwrap().give_up("no use").unwrap();
    assert_eq!(status(&tasks, "moved"), Status::Ignored, "a parked task is skipped like any other");
    assert_eq!(tasks.get("cancelled").unwrap().unwrap().ended, 0, "what has ended hears nothing");
    assert_eq!(status(&tasks, "requeued"), Status::Ignored);
    tasks.requeue("cancelled").unwrap();
    refused(tasks.start("cancelled"), "Waiting");
    tasks.requeue("a").unwrap();
    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!([next(&tasks), next(&tasks)].map(Option::unwrap_or_default), ["cancelled", ""]);
    sound(&tracker);
}

/// A kind may declare ended statuses startable; such a task starts regardless of its dependencies.
#[test]
fn claim_of_ended_statuses_takes_a_skipped_task() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    waits(&tasks, "b", &["a"], OnDependencyFailure::Skip);
    tasks.cancel("a").unwrap();
    let mut again = tasks.claim_with(&StartOptions::new().startable([Status::Ignored])).unwrap().unwrap();
    again.succeed().unwrap();
    assert_eq!((again.name.as_str(), tasks.dependencies("b").unwrap().len()), ("b", 0));
    sound(&tracker);
}

#[test]
fn dependencies_in_a_transaction_roll_back() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let result = tracker.transaction(|tx| {
        tx.submit_with(&tasks, &job("c"), &after(&tasks, &["a"], OnDependencyFailure::Skip))?;
        let circle = tx.submit_with(&tasks, &job("d"), &after(&tasks, &["c", "d"], OnDependencyFailure::Skip));
        refused(circle, "Cycle");
        tx.cancel(&tasks, "a")?;
        tx.submit_with(&tasks, &job("e"), &after(&tasks, &["c", "b"], OnDependencyFailure::Wait))
    });
    result.unwrap();
    assert!(tasks.get("d").unwrap().is_none());
    assert_eq!((status(&tasks, "c"), tasks.get("e").unwrap().unwrap().waits_for), (Status::Ignored, 2));
    sound(&tracker);
    let rolled_back: Result<(), Error> = tracker.transaction(|tx| {
        tx.requeue(&tasks, "c")?;
        tx.submit_with(&tasks, &job("f"), &after(&tasks, &["b"], OnDependencyFailure::Skip))?;
        tx.cancel(&tasks, "b")?;
        tx.cancel(&tasks, "nobody")
    });
    refused(rolled_back, ErrorKind::NotFound);
    assert_eq!((status(&tasks, "b"), status(&tasks, "c")), (Status::Pending, Status::Ignored));
    assert_eq!(tasks.dependents("b", 9).unwrap().len(), 1);
    sound(&tracker);
}

#[test]
fn dependencies_survive_reopening_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.redb");
    let tracker = place::open(&path).unwrap();
    let tasks = jobs(&tracker, &["a"]);
    waits(&tasks, "b", &["a"], OnDependencyFailure::Skip);
    drop(tasks);
    tracker.close().unwrap();
    let tracker = place::open(&path).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    assert_eq!((next(&tasks), next(&tasks)), (Some("a".into()), Some("b".into())));
    sound(&tracker);
}
