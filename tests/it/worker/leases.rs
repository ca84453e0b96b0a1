//! Tests leases: when they end, and what a stale owner may do.

use std::time::Duration;

use chrono::TimeDelta;
use tracker_core::{
    ErrorKind, Execution, Tracker, error::Reason, execution::Ticket, inspect::Explanation, record::AttemptStatus,
};

use crate::{
    support::kinds::{
        DAY, Job, MINUTE, Mail, Page, SECOND, Status, job, jobs, mail, page, refused, sound, status, tracker,
    },
    support::place::{self, OpenInPlace as _},
};

const TINY: Duration = Duration::from_micros(1);

#[test]
fn lease_is_free_at_the_instant_of_expiry() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut held = tasks.worker_name("first").claim().unwrap().unwrap();
    clock.advance(MINUTE - TINY);
    let error = refused(tasks.start("a"), ErrorKind::Leased);
    let Reason::Leased { worker, until } = &error.refusal().unwrap().reason else { panic!("{error}") };
    assert_eq!((worker.as_str(), *until), ("first", tasks.get("a").unwrap().unwrap().lease.unwrap().until));
    assert!(tasks.rescue().unwrap().is_empty());
    clock.advance(TINY);
    assert!(matches!(tasks.explain("a").unwrap(), Explanation::LeaseExpired { .. }));
    let mut next = tasks.start("a").unwrap();
    assert_eq!((next.attempt(), next.crashes()), (2, 1));
    refused(held.succeed(), ErrorKind::LeaseLost);
    next.succeed().unwrap();
    let history = tasks.get("a").unwrap().unwrap().history;
    assert_eq!(
        history.iter().map(|one| one.status).collect::<Vec<_>>(),
        [AttemptStatus::Crashed, AttemptStatus::Succeeded]
    );
    assert!(history[0].failure.as_ref().unwrap().error.contains("first"));
    sound(&tracker);
}

#[test]
fn late_owner_may_finish_a_task_not_taken() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let (mut a, mut b) = (tasks.start("a").unwrap(), tasks.start("b").unwrap());
    clock.advance(DAY);
    for (execution, name) in [(&mut a, "a"), (&mut b, "b")] {
        if name == "a" {
            execution.renew().unwrap();
        }
        execution.succeed().unwrap();
        assert_eq!(status(&tasks, name), Status::Succeeded);
    }
    sound(&tracker);
}

#[test]
fn stale_owner_cannot_change_the_task() {
    type Call = fn(&mut Execution<Job>) -> tracker_core::Result<()>;
    let calls: [Call; 14] = [
        Execution::renew,
        Execution::checkpoint,
        Execution::succeed,
        |d| d.fail("late"),
        |d| d.fail_with_changes("late"),
        |d| d.fail_retry_in("late", SECOND),
        |d| d.give_up("late"),
        |d| d.ignore("late"),
        |d| d.snooze(SECOND),
        |d| d.park(Status::OnHold),
        Execution::release,
        |d| d.succeed_with(|_| Ok(())),
        |d| {
            d.progress(1, None, "late");
            d.renew()
        },
        |d| {
            let other = place::in_memory()?.tasks::<Job>()?;
            d.submit_next(&other, &job("next"))?;
            d.succeed()
        },
    ];
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for (number, call) in calls.into_iter().enumerate() {
        let name = number.to_string();
        tasks.submit(&job(&name)).unwrap();
        let mut old = tasks.start(&name).unwrap();
        old.result = Some(666);
        clock.advance(MINUTE);
        assert_eq!(tasks.rescue().unwrap().len(), 1);
        for again in [true, false] {
            let held = again.then(|| tasks.start(&name).unwrap());
            let before = format!("{:?}", tasks.get(&name).unwrap());
            refused(call(&mut old), ErrorKind::LeaseLost);
            tracker.flush().unwrap();
            assert_eq!(format!("{:?}", tasks.get(&name).unwrap()), before, "call {number}");
            if let Some(mut held) = held {
                held.fail("of its own").unwrap();
            }
        }
        let before = format!("{:?}", tasks.get(&name).unwrap());
        drop(old);
        tracker.flush().unwrap();
        assert_eq!(format!("{:?}", tasks.get(&name).unwrap()), before);
        tasks.remove(&name).unwrap();
    }
    assert_eq!(tasks.counts().unwrap().total(), 0);
    sound(&tracker);
}

#[test]
fn removed_task_is_a_lost_lease() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut old = tasks.claim().unwrap().unwrap();
    refused(tasks.remove("a"), ErrorKind::Leased);
    clock.advance(MINUTE);
    tasks.rescue().unwrap();
    tasks.remove("a").unwrap();
    refused(old.renew(), ErrorKind::LeaseLost);
    refused(old.checkpoint(), ErrorKind::LeaseLost);
    refused(old.succeed_with(|_| Ok(())), ErrorKind::LeaseLost);
    refused(old.fail("late"), ErrorKind::LeaseLost);
    refused(old.succeed(), ErrorKind::LeaseLost);
    sound(&tracker);
}

#[test]
fn crashes_are_counted_apart_and_bounded() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["poison", "other"]);
    for crash in 1..=4_u32 {
        let mut held = tasks.start("poison").unwrap();
        assert_eq!(held.crashes(), crash - 1);
        if crash == 2 {
            held.renew().unwrap();
        }
        clock.advance(MINUTE);
        assert_eq!(tracker.rescue().unwrap(), [held.id().clone()]);
        let record = tasks.get("poison").unwrap().unwrap();
        assert_eq!((record.crashes, record.failures), (crash, 0));
        assert_eq!(tasks.claim().unwrap().unwrap().name, "other", "it goes to the back of the line");
        tracker.flush().unwrap();
        tasks.requeue("other").unwrap();
    }
    let record = tasks.get("poison").unwrap().unwrap();
    assert_eq!(record.status, Status::Exhausted);
    assert!(record.history.last().unwrap().failure.as_ref().unwrap().error.contains("4 crashes"));
    sound(&tracker);
}

#[test]
fn rescue_ends_attempts_that_run_too_long() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["old", "new"]);
    let mut old = tasks.start("old").unwrap();
    for _ in 0..4 {
        clock.advance(MINUTE / 2);
        old.renew().unwrap();
    }
    let mut new = tasks.start("new").unwrap();
    assert!(tasks.rescue_running_longer_than(MINUTE * 2).unwrap().is_empty());
    assert_eq!(tasks.rescue_running_longer_than(MINUTE).unwrap(), [old.id().clone()]);
    refused(old.succeed(), ErrorKind::LeaseLost);
    new.succeed().unwrap();
    sound(&tracker);
}

#[test]
fn ticket_outlives_the_tracker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = tracker_core::time::ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open_at(&path).unwrap();
    let first = open();
    let tasks = jobs(&first, &["a", "b", "c"]);
    let texts: Vec<_> =
        ["a", "b", "c"].map(|name| tasks.start(name).unwrap().detach().unwrap().to_string()).into_iter().collect();
    assert!(tasks.get("a").unwrap().unwrap().lease.unwrap().detached);
    drop(tasks);
    first.close().unwrap();

    let second = open();
    let tasks = second.tasks::<Job>().unwrap();
    let [a, b, c]: [Ticket; 3] = [0, 1, 2].map(|at: usize| texts[at].parse().unwrap());
    assert_eq!((a.kind(), a.id().to_string(), a.to_string()), ("job", "a".to_owned(), texts[0].clone()));
    let json = serde_json::to_string(&b).unwrap();
    assert_eq!(serde_json::from_str::<Ticket>(&json).unwrap(), b);
    for wrong in ["", "1.2.3", "x", &texts[0][..texts[0].len() - 1], &format!("{}.00", texts[0]), "1.é.é.é"] {
        refused(wrong.parse::<Ticket>(), ErrorKind::Invalid);
    }
    refused(second.tasks::<Mail>().unwrap().resume_ticket(&a), ErrorKind::Invalid);
    let mut resumed = tasks.resume_ticket(&a).unwrap();
    resumed.result = Some(1);
    resumed.succeed().unwrap();
    refused(tasks.resume_ticket(&a), ErrorKind::LeaseLost);
    clock.advance(MINUTE);
    tasks.resume_ticket(&b).unwrap().succeed().unwrap();
    clock.advance(MINUTE);
    assert_eq!(tasks.rescue().unwrap(), [c.id().clone()], "a ticket's lease ends by its expiry");
    refused(tasks.resume_ticket(&c), ErrorKind::LeaseLost);
    tasks.remove("c").unwrap();
    refused(tasks.resume_ticket(&c), ErrorKind::NotFound);
    sound(&second);
}

#[test]
fn clock_step_back_ends_no_lease_and_keeps_order() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let mut held = tasks.start("a").unwrap();
    clock.jump(TimeDelta::days(-1));
    tasks.submit(&job("c")).unwrap();
    assert!(tasks.rescue().unwrap().is_empty());
    clock.advance(MINUTE - TINY);
    assert!(tasks.rescue().unwrap().is_empty());
    held.succeed().unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    assert!(record.updated_at > record.created_at);
    assert_eq!(record.history[0].duration, MINUTE - TINY);
    let order: Vec<_> = tasks.query().by_creation().ids().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["a", "b", "c"]);
    let _b = tasks.start("b").unwrap();
    clock.advance(MINUTE);
    assert_eq!(tasks.rescue().unwrap().len(), 1, "the monotonic clock ends it all the same");
    sound(&tracker);
}

#[test]
fn clock_jump_ends_only_leases_without_heartbeat() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["by hand"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit(&mail(1)).unwrap();
    let _held = tasks.start("by hand").unwrap();
    let summary = mails
        .worker()
        .run(|mail| {
            clock.jump(TimeDelta::hours(1));
            assert!(mails.rescue()?.is_empty());
            assert_eq!(tracker.rescue()?.len(), 1);
            refused(mails.start(mail.number), ErrorKind::Leased);
            Ok::<_, tracker_core::Error>(())
        })
        .unwrap();
    assert_eq!(summary.succeeded, 1, "{summary:?}");
    assert_eq!(tasks.get("by hand").unwrap().unwrap().crashes, 1);
    sound(&tracker);
}

/// A payload that was submitted while the task ran waits for the end of the run. The lease ran out, and no claim has come yet
/// to end it: the change by hand does, and starts from the payload that waited.
#[test]
fn update_of_an_expired_task_uses_the_staged_payload() {
    let (clock, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let ids = ["by hand", "in a transaction", "without its type"];
    pages.submit_all(ids.map(|id| page(id, 1))).unwrap();
    let held: Vec<_> = ids.iter().map(|id| pages.start(*id).unwrap()).collect();
    pages.submit_all(ids.map(|id| page(id, 2))).unwrap();
    clock.advance(DAY);
    let mut seen = Vec::new();
    pages
        .update("by hand", |page| {
            seen.push(page.version);
            assert!(seen.len() < 9, "it is read again and again: {seen:?}");
            page.bytes = Some(7);
        })
        .unwrap();
    assert_eq!(seen, [2]);
    tracker.transaction(|tx| tx.update(&pages, "in a transaction", |page| page.bytes = Some(7))).unwrap();
    let untyped = tracker.untyped("page").unwrap();
    for expected in [Some(ErrorKind::Stale), None] {
        let record = untyped.get("without its type").unwrap().unwrap();
        let mut value = serde_json::to_value(&record.task).unwrap();
        value["bytes"] = 7.into();
        let payload = serde_json::from_value(value).unwrap();
        let replaced = untyped.replace("without its type", record.revision, &payload);
        assert_eq!(replaced.err().map(|error| error.kind()), expected);
    }
    for id in ids {
        let record = pages.get(id).unwrap().unwrap();
        assert_eq!((record.task, record.has_successor), (Page { bytes: Some(7), ..page(id, 2) }, false));
        assert_eq!(record.history[0].status, AttemptStatus::Crashed);
    }
    drop(held);
    sound(&tracker);
}

#[test]
fn update_of_a_running_task_is_refused() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all(["alone", "followed"].map(|id| page(id, 1))).unwrap();
    let mut held = ["alone", "followed"].map(|id| pages.start(id).unwrap());
    pages.submit(&page("followed", 2)).unwrap();
    let untyped = tracker.untyped("page").unwrap();
    for id in ["alone", "followed"] {
        let record = untyped.get(id).unwrap().unwrap();
        refused(untyped.replace(id, record.revision, &record.task), ErrorKind::Leased);
        refused(pages.update(id, |page| page.bytes = Some(7)), ErrorKind::Leased);
    }
    for held in &mut held {
        held.succeed().unwrap();
    }
    assert_eq!(pages.get("followed").unwrap().unwrap().task, page("followed", 2));
    sound(&tracker);
}
