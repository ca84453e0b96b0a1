//! Many kinds of one struct in one file.

use std::io;

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, Tasks, TrackedTask, Tracker, error::Reason, execution::StartOptions, query::Query, worker::RunError,
};

use crate::kinds::{MINUTE, SECOND, fine, refused, sound, tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "task", status = Status, max_attempts = 3, lease = "1m", startable(Ignored))]
struct Task {
    #[task(id)]
    id: String,
    data: u32,
}

fn use_case(tracker: &Tracker, name: &str, ids: &[&str]) -> Tasks<Task> {
    let tasks = tracker.tasks_as::<Task>(name).unwrap();
    tasks.submit_all(ids.iter().map(|id| Task { id: (*id).to_owned(), data: 0 })).unwrap();
    tasks
}

fn unlucky() -> io::Result<()> {
    Err(io::Error::other("no luck"))
}

fn ids(query: &Query<'_, Task>) -> Vec<String> {
    query.ids().unwrap().iter().map(ToString::to_string).collect()
}

fn errors(tasks: &Tasks<Task>, id: &str) -> Vec<String> {
    let record = tasks.get(id).unwrap().unwrap();
    record.history.into_iter().filter_map(|attempt| attempt.failure).map(|failure| failure.error).collect()
}

#[test]
fn same_id_in_two_kinds_is_two_tasks() {
    let (_, tracker) = tracker();
    let [test, test1] = ["test", "test1"].map(|name| use_case(&tracker, name, &["a", "b"]));
    test.run("a", |_| fine()).unwrap();
    assert_eq!(test.get("a").unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(test1.get("a").unwrap().unwrap().status, Status::Pending);
    assert_eq!(test1.claim().unwrap().unwrap().id, "a");
    assert_eq!(tracker.kinds().unwrap(), ["test", "test1"]);
    sound(&tracker);
}

#[test]
fn startable_of_a_call_replaces_that_of_the_kind() {
    let (_, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["ignored", "succeeded"]);
    tasks.ignore("ignored", "not wanted").unwrap();
    tasks.run("succeeded", |_| fine()).unwrap();
    let only_succeeded = StartOptions::new().startable([Status::Succeeded]);
    refused(tasks.start_with("ignored", &only_succeeded), "Ignored");
    tasks.start_with("succeeded", &only_succeeded).unwrap().succeed().unwrap();
    tasks.start("ignored").unwrap().succeed().unwrap();
    refused(tasks.start("succeeded"), "AlreadySucceeded");
    sound(&tracker);
}

#[test]
fn refusal_is_one_kind_of_error_with_a_reason() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks_as::<Task>("test").unwrap();
    let strict = StartOptions::new().startable([]);
    for id in ["locked", "succeeded", "ignored"] {
        tasks.submit(&Task { id: id.to_owned(), data: 0 }).unwrap();
    }
    let held = tasks.start("locked").unwrap();
    tasks.run("succeeded", |_| fine()).unwrap();
    tasks.ignore("ignored", "not wanted").unwrap();
    for id in ["locked", "succeeded", "ignored", "not initialised"] {
        let error = tasks.start_with(id, &strict).unwrap_err();
        assert!(error.is_refusal(), "{error}");
        let fits = match error.refusal().unwrap().reason {
            Reason::Leased { .. } => "locked",
            Reason::AlreadySucceeded => "succeeded",
            Reason::Ignored => "ignored",
            Reason::NotFound => "not initialised",
            _ => "another",
        };
        assert_eq!(fits, id);
    }
    drop(held);
    sound(&tracker);
}

#[test]
fn checkpoint_stores_before_the_success() {
    let (_, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["a", "b"]);
    let stored = || tasks.get("a").unwrap().unwrap().task.data;
    let failed = tasks.run("a", |task| {
        task.data = 1;
        task.checkpoint().unwrap();
        assert_eq!(stored(), 1, "written now");
        task.data = 2;
        assert_eq!(stored(), 1, "staged");
        unlucky()
    });
    assert!(matches!(failed, Err(RunError::Handler(_))));
    assert_eq!(stored(), 1, "what was written survives the failure");
    tasks
        .run("a", |task| {
            task.data += 10;
            fine()
        })
        .unwrap();
    assert_eq!((stored(), tasks.get("b").unwrap().unwrap().task.data), (11, 0));
    sound(&tracker);
}

#[test]
fn error_of_a_failure_stays_after_a_success() {
    let (_, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["a", "b"]);
    tasks.run("a", |_| unlucky()).unwrap_err();
    assert_eq!((tasks.get("a").unwrap().unwrap().failures, errors(&tasks, "a").len()), (1, 1));
    tasks.run("a", |_| fine()).unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.failures), (Status::Succeeded, 0));
    assert_eq!(errors(&tasks, "a"), ["no luck"]);
    assert_eq!(errors(&tasks, "b"), [""; 0]);
    sound(&tracker);
}

#[test]
fn queries_accept_statuses_by_name_and_code() {
    let (clock, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["a", "b", "c", "d"]);
    for id in ["d", "b", "a"] {
        tasks.run(id, |_| if id == "b" { unlucky() } else { fine() }).or_else(RunError::skip_handler_error).unwrap();
        clock.advance(SECOND);
    }
    assert_eq!(ids(&tasks.query().status(Status::Succeeded)), ["d", "a"]);
    assert_eq!(ids(&tasks.query().status(Status::Succeeded).newest_first()), ["a", "d"]);
    assert_eq!(ids(&tasks.query().statuses([Status::Failed, Status::Succeeded])), ["d", "b", "a"]);
    assert_eq!(ids(&tasks.query().statuses([30, 40].map(|code| Status::from_code(code).unwrap()))), ["d", "b", "a"]);
    let newest = tasks.query().statuses([Status::Failed, Status::Succeeded]).newest_first().limit(2);
    assert_eq!(ids(&newest), ["a", "b"], "a limit is one over all of them");
    sound(&tracker);
}

#[test]
fn unfinished_tasks_are_ordered_across_statuses() {
    let (clock, tracker) = tracker();
    let [tasks, other] = ["test", "test1"].map(|name| use_case(&tracker, name, &["a", "b", "c", "d", "e"]));
    for id in ["c", "a", "e"] {
        clock.advance(SECOND);
        tasks.run(id, |_| if id == "e" { fine() } else { unlucky() }).or_else(RunError::skip_handler_error).unwrap();
    }
    clock.advance(SECOND);
    tasks.submit(&Task { id: "f".to_owned(), data: 0 }).unwrap();
    assert_eq!(ids(&tasks.query().unfinished()), ["b", "d", "c", "a", "f"], "pending and failed mixed, by last change");
    assert_eq!(ids(&tasks.query().unfinished().newest_first().limit(3)), ["f", "a", "c"]);
    assert_eq!(other.query().unfinished().total().unwrap(), 5);
    sound(&tracker);
}

#[test]
fn counts_and_removals_of_a_kind_are_exact() {
    let (_, tracker) = tracker();
    let [test, test1] = ["test", "test1"].map(|name| use_case(&tracker, name, &["a", "b", "c"]));
    test.run("a", |_| fine()).unwrap();
    assert_eq!((test.counts().unwrap().total(), test1.counts().unwrap().total()), (3, 3));
    assert_eq!((test.query().status(Status::Pending).total().unwrap(), test1.counts().unwrap().total()), (2, 3));
    let held = test.start("b").unwrap();
    assert_eq!(test.query().remove().unwrap(), 2, "not what somebody holds");
    drop(held);
    tracker.flush().unwrap();
    assert_eq!(test.query().remove().unwrap(), 1);
    assert_eq!((test.counts().unwrap().total(), test1.counts().unwrap().total()), (0, 3));
    sound(&tracker);
}

#[test]
fn lease_locks_others_until_expiry_and_not_its_owner() {
    let (clock, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["a"]);
    let locked = |options: &StartOptions<Status>| tasks.check_start("a", options).is_err();
    assert!(!locked(&StartOptions::new()));
    let mine = tasks.start("a").unwrap();
    let my_token = StartOptions::new().reenter(mine.token());
    assert!(locked(&StartOptions::new()) && locked(&StartOptions::new().reenter(uuid::Uuid::new_v4())));
    assert!(!locked(&my_token));
    let lease = tasks.get("a").unwrap().unwrap().lease.unwrap();
    assert!(lease.is_live(lease.until - SECOND) && !lease.is_live(lease.until), "as of a time of one's own");
    clock.advance(MINUTE);
    assert!(!locked(&StartOptions::new()));
    drop(mine);
    sound(&tracker);
}

#[test]
fn outcome_after_a_stolen_lease_is_refused() {
    let (clock, tracker) = tracker();
    let tasks = use_case(&tracker, "test", &["a"]);
    let late = tasks.run("a", |task| {
        task.data = 1;
        clock.advance(MINUTE);
        tasks.run("a", |task| {
            task.data = 2;
            fine()
        })
    });
    assert!(matches!(late, Err(RunError::LeaseLost(_))), "{late:?}");
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.task.data, record.failures), (Status::Succeeded, 2, 0));
    sound(&tracker);
}
