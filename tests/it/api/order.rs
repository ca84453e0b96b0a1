//! Changes of the claim order by an operator: priority, due time, moves, and pauses of single tasks.

use chrono::TimeDelta;
use tracker_core::{ErrorKind, Tasks, Tracker, inspect::Explanation, submit::SubmitOptions, time::ManualClock};

use crate::support::{
    kinds::{DAY, Job, SECOND, job, one_of_each, tracker},
    place::{self, OpenInPlace as _},
    random::setting,
};

/// Claims every task that is due, in order, and puts them back.
fn claim_order(jobs: &Tasks<Job>) -> Vec<String> {
    let mut executions = Vec::new();
    while let Some(execution) = jobs.claim().unwrap() {
        executions.push(execution);
    }
    executions
        .into_iter()
        .map(|mut execution| {
            let id = execution.id().to_string();
            execution.release().unwrap();
            id
        })
        .collect()
}

fn on_other_host(id: &str) -> Job {
    Job { host: "b".to_owned(), ..job(id) }
}

fn submit(jobs: &Tasks<Job>, ids: &[&str]) {
    jobs.submit_all(ids.iter().map(|id| job(id))).unwrap();
}

#[test]
fn moved_task_is_claimed_first_and_the_others_keep_their_order() {
    let (clock, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    submit(&jobs, &["a", "b", "c", "d"]);
    clock.advance(SECOND);
    submit(&jobs, &["e"]);
    jobs.move_to_front("c").unwrap();
    assert_eq!(claim_order(&jobs), ["c", "a", "b", "d", "e"]);
    jobs.move_to_front("e").unwrap();
    assert_eq!(claim_order(&jobs), ["e", "c", "a", "b", "d"]);
    jobs.move_to_front("e").unwrap();
    assert_eq!(claim_order(&jobs), ["e", "c", "a", "b", "d"]);
    assert!(tracker.verify().unwrap().is_empty());
}

#[test]
fn task_moved_before_another_takes_its_due_time_and_place() {
    let (clock, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    submit(&jobs, &["a", "b", "c"]);
    clock.advance(SECOND);
    submit(&jobs, &["d", "e"]);
    jobs.move_before("e", "b").unwrap();
    jobs.move_before("d", "b").unwrap();
    jobs.move_before("c", "a").unwrap();
    assert_eq!(claim_order(&jobs), ["c", "a", "e", "d", "b"]);
    let due = |id: &str| jobs.get(id).unwrap().unwrap().due_at;
    assert_eq!(due("e"), due("b"));
    assert!(tracker.verify().unwrap().is_empty());
}

#[test]
fn many_moves_between_neighbours_keep_their_order() {
    let moves = usize::try_from(setting("TRACKER_MOVES").unwrap_or(2_000)).unwrap();
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    let ids: Vec<_> = (0..moves + 2).map(|number| format!("{number:05}")).collect();
    jobs.submit_all(ids.iter().map(|id| job(id))).unwrap();
    // All tasks between the first and the last one go before the last one, from the end to the start.
    let between = ids[1..=moves].iter().rev();
    let moved: Vec<_> = between.clone().collect();
    for id in between {
        jobs.move_before(id.as_str(), ids[moves + 1].as_str()).unwrap();
    }
    let expected: Vec<_> = std::iter::once(&ids[0]).chain(moved).chain([&ids[moves + 1]]).cloned().collect();
    assert_eq!(claim_order(&jobs), expected);
    assert!(tracker.verify().unwrap().is_empty());
}

#[test]
fn moves_of_a_query_keep_the_order_of_its_tasks() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    submit(&jobs, &["a", "b", "e"]);
    jobs.submit_all(["c", "d"].map(on_other_host)).unwrap();
    jobs.submit_with(&job("urgent"), &SubmitOptions::new().priority(200)).unwrap();
    jobs.cancel("e").unwrap();
    let late = jobs.query().index("host", "b");
    assert_eq!(late.move_to_front().unwrap(), 2);
    assert_eq!(claim_order(&jobs), ["urgent", "c", "d", "a", "b"]);
    assert_eq!(jobs.query().move_before("b").unwrap(), 3, "tasks of another priority and ended ones stay");
    assert_eq!(claim_order(&jobs), ["urgent", "a", "c", "d", "b"]);
    assert_eq!(jobs.query().move_before("missing").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(jobs.query().move_before("e").unwrap_err().kind(), ErrorKind::Ended);
}

#[test]
fn priority_and_due_time_change_the_claim_order() {
    let (clock, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all([on_other_host("a"), on_other_host("b"), job("c"), job("d")]).unwrap();
    jobs.set_priority("c", 7).unwrap();
    jobs.set_due("a", tracker.now() + TimeDelta::hours(1)).unwrap();
    assert_eq!(claim_order(&jobs), ["c", "b", "d"]);
    assert_eq!(jobs.query().index("host", "b").set_priority(9).unwrap(), 2);
    assert_eq!(claim_order(&jobs), ["b", "c", "d"]);
    assert_eq!(jobs.query().set_due(tracker.now() + TimeDelta::days(1)).unwrap(), 4);
    assert_eq!(claim_order(&jobs), [""; 0]);
    clock.advance(DAY);
    assert_eq!(claim_order(&jobs), ["a", "b", "c", "d"]);
    assert!(tracker.verify().unwrap().is_empty());
}

#[test]
fn moved_tasks_keep_their_order_in_an_export_and_a_recovery() {
    if place::is_only_for_files("recovery of a file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let clock = ManualClock::new();
    let open = |name: &str| Tracker::options().clock(clock.clone()).open_at(path(name)).unwrap();
    let tracker = open("moved.redb");
    let jobs = tracker.tasks::<Job>().unwrap();
    // Other sequence numbers in the copies: the removed tasks leave gaps.
    submit(&jobs, &["x", "y", "a", "z", "b", "c", "d"]);
    for id in ["x", "y", "z"] {
        jobs.remove(id).unwrap();
    }
    jobs.move_before("d", "b").unwrap();
    jobs.pause_task("c").unwrap();
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    let expected = claim_order(&jobs);
    assert_eq!(expected, ["a", "d", "b"]);
    drop(jobs);
    tracker.close().unwrap();

    let imported = open("imported.redb");
    imported.import(&lines[..]).unwrap();
    Tracker::recover(path("moved.redb"), path("recovered.redb")).unwrap();
    for copy in [imported, open("recovered.redb")] {
        let jobs = copy.tasks::<Job>().unwrap();
        assert_eq!(claim_order(&jobs), expected);
        jobs.resume_task("c").unwrap();
        assert_eq!(claim_order(&jobs), ["a", "d", "b", "c"]);
        assert!(copy.verify().unwrap().is_empty());
    }
}

#[test]
fn place_of_a_moved_task_ends_with_its_due_time() {
    let (clock, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    submit(&jobs, &["a", "b", "c"]);
    jobs.move_before("c", "a").unwrap();
    jobs.claim().unwrap().unwrap().fail("broken").unwrap();
    clock.advance(DAY);
    assert_eq!(claim_order(&jobs), ["a", "b", "c"]);
}

#[test]
fn paused_task_is_not_claimed_until_it_is_resumed() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all([job("a"), on_other_host("b"), on_other_host("c")]).unwrap();
    jobs.pause_task("a").unwrap();
    assert!(jobs.get("a").unwrap().unwrap().paused);
    assert!(matches!(jobs.explain("a").unwrap(), Explanation::TaskPaused));
    assert_eq!(claim_order(&jobs), ["b", "c"]);
    assert_eq!(jobs.query().index("host", "b").pause().unwrap(), 2);
    let plan = jobs.plan(10).unwrap();
    assert!(plan.next.is_empty());
    assert_eq!(
        plan.rest.iter().map(|group| (group.amount.count, group.why.to_string())).collect::<Vec<_>>(),
        [(3, "it is paused: resume it".to_owned())]
    );
    jobs.resume_task("b").unwrap();
    assert_eq!(claim_order(&jobs), ["b"]);
    assert_eq!(jobs.query().resume().unwrap(), 3);
    assert_eq!(claim_order(&jobs), ["a", "b", "c"]);
    assert!(tracker.verify().unwrap().is_empty());
}

#[test]
fn pause_holds_back_the_retry_and_a_requeue_ends_it() {
    let (clock, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    submit(&jobs, &["a"]);
    let mut execution = jobs.claim().unwrap().unwrap();
    jobs.pause_task("a").unwrap();
    execution.fail("broken").unwrap();
    clock.advance(DAY);
    assert_eq!(claim_order(&jobs), [""; 0]);
    // A start by id ignores the pause, and the pause outlasts it.
    jobs.start("a").unwrap().release().unwrap();
    assert_eq!(claim_order(&jobs), [""; 0]);
    jobs.requeue("a").unwrap();
    assert_eq!(claim_order(&jobs), ["a"]);
}

#[test]
fn changes_of_the_order_are_refused_with_the_reason() {
    let (_, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    jobs.submit_with(&job("urgent"), &SubmitOptions::new().priority(200)).unwrap();
    jobs.submit(&job("paused")).unwrap();
    jobs.pause_task("paused").unwrap();
    let kind = |result: Result<(), tracker_core::Error>| result.unwrap_err().kind();
    for (id, expected) in [
        ("missing", ErrorKind::NotFound),
        ("leased", ErrorKind::Leased),
        ("succeeded", ErrorKind::Ended),
        ("parked", ErrorKind::NotStartable),
        ("paused", ErrorKind::NotStartable),
    ] {
        assert_eq!(kind(jobs.move_to_front(id)), expected, "{id}");
        assert_eq!(kind(jobs.move_before(id, "pending")), expected, "{id}");
        assert_eq!(kind(jobs.move_before("pending", id)), expected, "before {id}");
    }
    assert_eq!(kind(jobs.move_before("pending", "urgent")), ErrorKind::Conflict);
    assert_eq!(kind(jobs.move_before("pending", "pending")), ErrorKind::Invalid);
    assert_eq!(kind(jobs.set_due("leased", tracker.now())), ErrorKind::Leased);
    for id in ["succeeded", "cancelled", "ignored", "exhausted"] {
        assert_eq!(kind(jobs.set_due(id, tracker.now())), ErrorKind::Ended, "{id}");
        assert_eq!(kind(jobs.set_priority(id, 1)), ErrorKind::Ended, "{id}");
        assert_eq!(kind(jobs.pause_task(id)), ErrorKind::Ended, "{id}");
    }
    let error = jobs.move_before("pending", "urgent").unwrap_err();
    assert_eq!(
        error.to_string(),
        "job \"pending\" was refused: it has another priority than \"urgent\": set the same priority first, then move it"
    );
}
