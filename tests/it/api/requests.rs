//! Tests requests as values: each has the effect of the calls that it stands for.

use std::time::Duration;

use tracker_core::{
    Error, ErrorKind, Tasks, Tracker,
    live::{Report, Request, SelectedId, Selection, TaskChange, TaskFilter},
    status::Role,
    task::TaskId as _,
    untyped::{Payload, Untyped},
};

use crate::support::kinds::{DAY, Job, MINUTE, Mail, SECOND, mail, one_of_each, refused, sound, tracker};

const STATES: [&str; 8] = ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending"];

type DirectCall = fn(&Tasks<Untyped>, &str) -> tracker_core::Result<()>;

fn changes() -> [(TaskChange, DirectCall); 12] {
    [
        (TaskChange::Retry, |tasks, id| tasks.retry(id)),
        (TaskChange::Requeue { from_start: false }, |tasks, id| tasks.requeue(id)),
        (TaskChange::Requeue { from_start: true }, |tasks, id| tasks.requeue_from_start(id)),
        (TaskChange::Cancel, |tasks, id| tasks.cancel(id)),
        (TaskChange::Ignore { reason: "why".into() }, |tasks, id| tasks.ignore(id, "why")),
        (TaskChange::Remove, |tasks, id| tasks.remove(id)),
        (TaskChange::Pause, |tasks, id| tasks.pause_task(id)),
        (TaskChange::Resume, |tasks, id| tasks.resume_task(id)),
        (TaskChange::SetPriority(9), |tasks, id| tasks.set_priority(id, 9)),
        (TaskChange::SetDue(due()), |tasks, id| tasks.set_due(id, due())),
        (TaskChange::MoveTo { status: "OnHold".into() }, |tasks, id| tasks.move_to(id, "OnHold")),
        (TaskChange::MoveTo { status: "10".into() }, |tasks, id| tasks.move_to(id, "Pending")),
    ]
}

fn due() -> tracker_core::chrono::DateTime<tracker_core::chrono::Utc> {
    "2999-01-01T00:00:00Z".parse().unwrap()
}

fn ids(kind: Option<&str>, ids: &[&str]) -> Selection {
    Selection::Ids { kind: kind.map(Into::into), ids: ids.iter().map(|id| SelectedId::from(*id)).collect() }
}

fn filter(change: impl FnOnce(&mut TaskFilter)) -> Selection {
    let mut filter = TaskFilter::default();
    change(&mut filter);
    Selection::Filter(filter)
}

fn perform(tracker: &Tracker, selection: Selection, change: TaskChange) -> tracker_core::Result<Report> {
    tracker.perform(&Request::Tasks { selection, change })
}

/// The visible state of a task, without times of the clock.
fn state(tracker: &Tracker, id: &str) -> Option<String> {
    let record = tracker.untyped("job").unwrap().get(id).unwrap()?;
    Some(format!("{:?} {} {:?} {}", record.status, record.priority, record.due_at.max(due()), record.cancel_requested))
}

#[test]
fn change_by_id_equals_the_direct_call_in_every_state() {
    for (change, call) in changes() {
        for id in STATES {
            let ((_, one), (_, other)) = (tracker(), tracker());
            one_of_each(&one);
            one_of_each(&other);
            let report = perform(&one, ids(None, &[id]), change.clone()).unwrap();
            let direct = call(&other.untyped("job").unwrap(), id);
            let found = report.refused.first().map(|task| (task.error, task.message.clone()));
            let expected = direct.as_ref().err().map(|error: &Error| (error.kind(), error.to_string()));
            assert_eq!(
                found.as_ref().map(|(kind, _)| kind),
                expected.as_ref().map(|(kind, _)| kind),
                "{change:?} {id}"
            );
            // Leases name workers and times, which differ.
            if id != "leased" {
                assert_eq!(found, expected, "{change:?} {id}");
            }
            assert_eq!(report.changed, u64::from(direct.is_ok()), "{change:?} {id}");
            assert_eq!(state(&one, id), state(&other, id), "{change:?} {id}");
            sound(&one);
        }
    }
}

#[test]
fn filter_without_statuses_selects_what_the_change_is_for() {
    for (change, expected) in [
        (TaskChange::Retry, vec!["failed", "exhausted"]),
        (TaskChange::Requeue { from_start: false }, STATES.to_vec()),
        (TaskChange::Remove, STATES.to_vec()),
        (TaskChange::Cancel, vec!["failed", "parked", "leased", "pending"]),
        (TaskChange::Ignore { reason: String::new() }, vec!["failed", "parked", "pending"]),
        (TaskChange::Pause, vec!["failed", "parked", "pending"]),
        (TaskChange::SetPriority(9), vec!["failed", "parked", "pending"]),
    ] {
        let (_, tracker) = tracker();
        let jobs = one_of_each(&tracker);
        tracker.tasks::<Mail>().unwrap();
        let request = Request::Tasks { selection: filter(|_| ()), change: change.clone() };
        let counts = tracker.count(&request).unwrap();
        let counted: Vec<_> = counts.iter().map(|count| (count.kind.as_str(), count.tasks)).collect();
        assert_eq!(counted, [("job", expected.len() as u64)], "{change:?}");
        // All but the leased one can be requeued and removed.
        let skipped = u64::from(matches!(change, TaskChange::Requeue { .. } | TaskChange::Remove));
        assert_eq!(tracker.perform(&request).unwrap().changed, expected.len() as u64 - skipped, "{change:?}");
        if change == TaskChange::Remove {
            assert_eq!(jobs.query().total().unwrap(), 1);
        }
        sound(&tracker);
    }
}

#[test]
fn filter_conditions_must_all_hold() {
    let (clock, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    let start = tracker.now();
    clock.advance(MINUTE);
    jobs.submit(&Job { host: "b".into(), ..crate::support::kinds::job("late") }).unwrap();
    jobs.submit(&crate::support::kinds::job("late too")).unwrap();
    let count = |selection| {
        let counts = tracker.count(&Request::Tasks { selection, change: TaskChange::Cancel }).unwrap();
        counts.iter().map(|count| count.tasks).sum::<u64>()
    };
    let since = start + SECOND;
    assert_eq!(count(filter(|filter| filter.changed_since = Some(since))), 2);
    assert_eq!(count(filter(|filter| filter.changed_before = Some(since))), 4);
    assert_eq!(count(filter(|filter| filter.index = Some(("host".into(), "b".into())))), 1);
    assert_eq!(count(filter(|filter| filter.containing = Some("LATE".into()))), 2);
    assert_eq!(count(filter(|filter| filter.roles = vec![Role::Pending])), 3);
    assert_eq!(count(filter(|filter| filter.statuses = vec!["pending".into(), "30".into()])), 4);
    assert_eq!(count(filter(|filter| (filter.kind, filter.roles) = (Some("job".into()), vec![Role::Succeeded]))), 1);
    let both = filter(|filter| {
        filter.changed_since = Some(since);
        filter.index = Some(("host".into(), "a".into()));
    });
    assert_eq!(perform(&tracker, both, TaskChange::Cancel).unwrap().changed, 1);
    assert_eq!(jobs.get("late too").unwrap().unwrap().status, crate::support::kinds::Status::Cancelled);
}

#[test]
fn wrong_request_is_an_error_before_any_change() {
    let (_, tracker) = tracker();
    one_of_each(&tracker);
    tracker.tasks::<Mail>().unwrap().submit(&mail(1)).unwrap();
    let before = tracker.change_number().unwrap();
    let cancel = |selection| perform(&tracker, selection, TaskChange::Cancel);
    let error = refused(cancel(ids(None, &["pending", "nowhere"])), ErrorKind::NotFound);
    assert_eq!(error.to_string(), "there is no task \"nowhere\"");
    refused(cancel(ids(Some("job"), &["1"])), ErrorKind::NotFound);
    refused(cancel(ids(Some("nothing"), &["1"])), ErrorKind::Invalid);
    refused(cancel(filter(|filter| filter.statuses = vec!["Nothing".into()])), ErrorKind::Invalid);
    // The second kind lacks the index.
    refused(cancel(filter(|filter| filter.index = Some(("host".into(), "a".into())))), ErrorKind::Invalid);
    let prune = |statuses: &[&str]| {
        let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
        tracker.perform(&Request::Prune { kind: None, statuses, older_than: Duration::ZERO })
    };
    refused(prune(&["OnHold"]), ErrorKind::Invalid);
    let error = refused(prune(&["Pending"]), ErrorKind::Invalid);
    assert!(error.to_string().contains("have not ended"), "{error}");
    refused(perform(&tracker, filter(|_| ()), TaskChange::MoveTo { status: "OnHold".into() }), "by their ids");
    let crossed = Request::Move { kind: None, ids: vec!["pending".into()], before: Some("1".into()) };
    refused(tracker.perform(&crossed), "their kinds differ");
    assert_eq!(tracker.change_number().unwrap(), before);
}

#[test]
fn exact_id_is_told_from_ids_that_look_alike() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit(&mail(7)).unwrap();
    crate::support::kinds::jobs(&tracker, &["7", "int:8"]);
    let cancel = |id: SelectedId| perform(&tracker, Selection::Ids { kind: None, ids: vec![id] }, TaskChange::Cancel);
    refused(cancel("7".into()), "choose one of the kinds mail, job");
    assert_eq!(cancel("int:8".into()).unwrap().changed, 1, "an id is searched as it is first");
    assert_eq!(cancel(7_u64.to_key().into()).unwrap().changed, 1);
    assert_eq!(mails.query().role(Role::Cancelled).total().unwrap(), 1);
    refused(cancel(8_u64.to_key().into()), ErrorKind::NotFound);
}

#[test]
fn kinds_are_paused_and_tasks_moved_rescued_and_pruned() {
    let (clock, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    jobs.submit_all(["x", "y"].map(crate::support::kinds::job)).unwrap();
    let kinds = |paused| Request::Kinds { kind: None, paused };
    assert_eq!(tracker.count(&kinds(true)).unwrap()[0].tasks, 10);
    assert_eq!(tracker.perform(&kinds(true)).unwrap().changed, 1);
    assert!(jobs.claim().unwrap().is_none());
    assert_eq!(tracker.perform(&kinds(false)).unwrap().changed, 1);
    let front = Request::Move { kind: None, ids: vec!["y".into(), "x".into(), "leased".into()], before: None };
    let report = tracker.perform(&front).unwrap();
    assert_eq!((report.changed, report.refused[0].error), (2, ErrorKind::Leased));
    let before = Request::Move { kind: None, ids: vec!["pending".into()], before: Some("x".into()) };
    assert_eq!(tracker.perform(&before).unwrap().changed, 1);
    let claimed: Vec<_> = (0..3).map(|_| jobs.claim().unwrap().unwrap().id().to_string()).collect();
    assert_eq!(claimed, ["y", "pending", "x"]);
    // The claims were dropped, which releases the tasks.
    tracker.flush().unwrap();

    let rescue = |running_longer_than| Request::Rescue { kind: None, running_longer_than };
    assert_eq!(tracker.count(&rescue(None)).unwrap(), []);
    clock.advance(SECOND);
    assert_eq!(tracker.count(&rescue(Some(Duration::ZERO))).unwrap()[0].tasks, 1);
    assert_eq!(tracker.perform(&rescue(Some(Duration::ZERO))).unwrap().changed, 1);
    jobs.start("x").unwrap().detach().unwrap();
    clock.advance(MINUTE * 2);
    assert_eq!(tracker.count(&rescue(None)).unwrap()[0].tasks, 1);
    assert_eq!(tracker.perform(&rescue(None)).unwrap().changed, 1);

    clock.advance(DAY);
    let prune = |statuses: &[&str], older_than| {
        let statuses = statuses.iter().map(|status| (*status).to_owned()).collect();
        Request::Prune { kind: Some("job".into()), statuses, older_than }
    };
    assert_eq!(tracker.count(&prune(&[], 2 * DAY)).unwrap(), []);
    assert_eq!(tracker.perform(&prune(&["Succeeded"], DAY)).unwrap().changed, 1);
    assert_eq!(tracker.count(&prune(&[], DAY)).unwrap()[0].tasks, 3);
    assert_eq!(tracker.perform(&prune(&[], DAY)).unwrap().changed, 3);
    sound(&tracker);
}

#[test]
fn replace_stores_a_payload_of_the_same_revision_only() {
    let (_, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    let record = jobs.get("pending").unwrap().unwrap();
    let payload = Payload::of(&Job { host: "b".into(), ..record.task }).unwrap().as_bytes().to_vec();
    let replace = Request::Replace { kind: "job".into(), id: record.id, revision: record.revision, payload };
    assert_eq!(tracker.perform(&replace).unwrap().changed, 1);
    assert_eq!(jobs.query().index("host", "b").total().unwrap(), 1);
    refused(tracker.perform(&replace), ErrorKind::Stale);
}
