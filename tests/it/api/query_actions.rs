//! Tests changes of all tasks that a query finds.

use tracker_core::{dependency::OnDependencyFailure, submit::SubmitOptions};

use super::queries::many;
use crate::support::kinds::{Job, Mail, Status, job, jobs, mail, sound, tracker};

#[test]
fn query_requeues_cancels_and_removes_in_groups() {
    let (clock, tracker) = tracker();
    let tasks = many(&tracker, &clock);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..2_500).map(mail)).unwrap();
    assert_eq!(tasks.query().statuses([Status::Exhausted, Status::Ignored]).requeue().unwrap(), 60);
    assert_eq!(tasks.query().status(Status::Exhausted).total().unwrap(), 0);
    assert_eq!(tasks.query().unfinished().index("host", "x").limit(5).cancel().unwrap(), 5);
    assert_eq!(tasks.query().status(Status::Succeeded).cancel().unwrap(), 0, "what has ended is left");
    assert_eq!(tasks.query().status(Status::InProgress).remove().unwrap(), 0, "what is held is left");
    assert_eq!(tasks.query().remove().unwrap(), 270);
    assert_eq!(tasks.counts().unwrap().iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [(20, 30)]);
    assert_eq!(mails.query().cancel().unwrap(), 2_500);
    sound(&tracker);
}

#[test]
fn query_action_skips_tasks_that_changed_meanwhile() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all((0..1_000).map(|number| job(&number.to_string()))).unwrap();
    let after = SubmitOptions::new().after(&tasks, "7", OnDependencyFailure::Skip);
    tasks.submit_all_with(["one", "two"].map(job), &after).unwrap();
    jobs(&tracker, &["three"]);
    assert_eq!(tasks.query().status(Status::Pending).by_creation().remove().unwrap(), 1_001);
    let left = tasks.query().fetch().unwrap();
    let left: Vec<_> = left.iter().map(|record| (record.task.name.as_str(), record.status)).collect();
    assert_eq!(
        left,
        [("one", Status::Ignored), ("two", Status::Ignored)],
        "they were not asked for when their turn came"
    );
    sound(&tracker);
}
