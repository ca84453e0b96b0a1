//! Tests kinds without their type: what a tool reads and changes.

use std::time::Duration;

use tracker_core::{
    ErrorKind, Tracker,
    inspect::Explanation,
    query::Query,
    status::Role,
    submit::SubmitOptions,
    untyped::{Payload, Untyped},
};

use crate::{
    support::kinds::{DAY, Import, Job, MINUTE, Mail, SECOND, job, jobs, mail, one_of_each, refused, sound, tracker},
    support::place::{self, OpenInPlace as _},
};

const STATES: [&str; 8] = ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending"];

pub(super) fn ids(query: &Query<'_, Untyped>) -> Vec<String> {
    query.ids().unwrap().iter().map(ToString::to_string).collect()
}

pub(super) fn of(value: &serde_json::Value) -> Payload {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn untyped_kind_shows_the_declared_schema() {
    let (_, tracker) = tracker();
    one_of_each(&tracker);
    tracker.tasks::<Mail>().unwrap();
    tracker.tasks::<Import>().unwrap();
    let info = tracker.untyped("job").unwrap().info().unwrap();
    assert_eq!((info.name.as_str(), info.steps.as_slice(), info.paused), ("job", &[String::new()][..], false));
    assert_eq!(info.indexes, ["host"]);
    assert_eq!((info.policy.max_attempts, info.policy.max_crashes), (Some(3), 4));
    let on_hold = info.status(80).unwrap();
    assert_eq!((on_hold.name.as_str(), on_hold.role), ("OnHold", Role::Parked));
    let uniques = tracker.untyped("mail").unwrap().info().unwrap().uniques;
    let uniques: Vec<_> = uniques.iter().map(|key| (key.name.as_str(), key.while_unfinished)).collect();
    assert_eq!(uniques, [("client_request", false), ("reference", true)]);
    let import = tracker.untyped("import").unwrap().info().unwrap();
    assert_eq!(import.steps, ["fetch", "load"]);
    assert_eq!(import.status(21).unwrap().step, 1);
    let error = refused(tracker.untyped("jobs"), ErrorKind::Invalid);
    assert!(error.to_string().contains(r#"it has ["job", "mail", "import"]"#), "{error}");
}

#[test]
fn untyped_record_equals_the_typed_one() {
    let (_, tracker) = tracker();
    let typed = one_of_each(&tracker);
    let untyped = tracker.untyped("job").unwrap();
    for name in STATES {
        let (one, other) = (typed.get(name).unwrap().unwrap(), untyped.get(name).unwrap().unwrap());
        assert_eq!((one.id, one.status as i32), (other.id, other.status.code), "{name}");
        assert_eq!(other.task.to::<Job>().unwrap(), one.task);
        assert_eq!(serde_json::to_value(&other.task).unwrap(), serde_json::to_value(&one.task).unwrap());
        assert_eq!((one.history, one.lease, one.due_at), (other.history, other.lease, other.due_at));
        assert_eq!((one.attempts, one.failures, one.revision), (other.attempts, other.failures, other.revision));
    }
    assert!(untyped.get("nobody").unwrap().is_none());
    assert_eq!(untyped.counts().unwrap(), typed.counts().unwrap());
    assert_eq!(untyped.counts().unwrap().of_code(30), 1);
}

#[test]
fn untyped_inspector_follows_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let writer = place::open(&path).unwrap();
    one_of_each(&writer);
    let looking = Tracker::options().inspect_at(&path).unwrap();
    let tasks = looking.untyped("job").unwrap();
    assert_eq!(tasks.counts().unwrap().total(), 8);
    assert_eq!(tasks.plan(10).unwrap().next.len(), 1);
    writer.tasks::<Job>().unwrap().pause().unwrap();
    assert!(tasks.info().unwrap().paused && tasks.plan(10).unwrap().paused, "it is read anew each time");
    writer.tasks::<Mail>().unwrap().submit(&mail(1)).unwrap();
    assert_eq!(looking.untyped("mail").unwrap().query().total().unwrap(), 1, "a kind that came later");
    refused(tasks.requeue("failed"), ErrorKind::ReadOnly);
    refused(tasks.query().requeue(), ErrorKind::ReadOnly);
    assert_eq!(tasks.query().status("succeeded").limit(0).cancel().unwrap(), 0);
}

#[test]
fn untyped_statuses_are_found_by_name_code_or_role() {
    let (_, tracker) = tracker();
    one_of_each(&tracker);
    tracker.tasks::<Import>().unwrap();
    let tasks = tracker.untyped("job").unwrap();
    for query in [
        tasks.query().status("OnHold"),
        tasks.query().status("onhold"),
        tasks.query().status("80"),
        tasks.query().code(80),
        tasks.query().role(Role::Parked),
    ] {
        assert_eq!(ids(&query), ["parked"]);
    }
    assert_eq!(ids(&tasks.query().status("Failed").role(Role::Cancelled).by_creation()), ["failed", "cancelled"]);
    assert_eq!(ids(&tasks.query().unfinished().by_creation()), ["failed", "parked", "pending"]);
    let error = refused(tasks.query().status("Done").fetch(), ErrorKind::Invalid);
    assert!(error.to_string().contains("Succeeded (40)"), "{error}");
    refused(tasks.query().status("Done").remove(), ErrorKind::Invalid);
}

#[test]
fn role_without_a_status_matches_no_task() {
    let (_, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..5).map(|number| Import { number, rows: None })).unwrap();
    assert_eq!(imports.query().role(Role::Cancelled).total().unwrap(), 0);
    assert_eq!(imports.query().role(Role::Cancelled).remove().unwrap(), 0);
    let untyped = tracker.untyped("import").unwrap();
    assert_eq!(untyped.query().role(Role::Exhausted).requeue().unwrap(), 0);
    assert_eq!(imports.counts().unwrap().total(), 5);
    sound(&tracker);
}

#[test]
fn untyped_ids_and_values_are_found_from_text() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "7"]);
    tasks.update("b", |job| job.host = "h".into()).unwrap();
    tracker.tasks::<Mail>().unwrap().submit_all([7, 8].map(mail)).unwrap();
    let untyped = tracker.untyped("job").unwrap();
    assert_eq!(ids(&untyped.query().index_text("host", "h")), ["b"]);
    assert_eq!(ids(&untyped.query().index("host", "a").by_creation()), ["a", "7"]);
    refused(untyped.query().index_text("name", "a").fetch(), ErrorKind::Invalid);
    assert_eq!(untyped.find_ids_by_text("7").unwrap()[0].as_str(), Some("7"));
    let mails = tracker.untyped("mail").unwrap();
    assert_eq!(mails.find_ids_by_text("7").unwrap()[0].as_int(), Some(7));
    assert!(mails.find_ids_by_text("9").unwrap().is_empty());
}

#[test]
fn age_and_text_filters_equal_a_scan_of_every_task() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    for number in 0..60 {
        tasks.submit(&job(&format!("task {number:02}"))).unwrap();
    }
    for number in 0..60 {
        clock.advance(SECOND);
        let mut held = tasks.start(format!("task {number:02}")).unwrap();
        match number % 3 {
            0 => held.succeed().unwrap(),
            1 => held.fail(format!("Connection {number} reset")).unwrap(),
            _ => held.give_up("no use").unwrap(),
        }
    }
    let untyped = tracker.untyped("job").unwrap();
    let all = untyped.query().by_creation().fetch().unwrap();
    let (since, until) = (all[20].updated_at, all[40].updated_at);
    for created in [false, true] {
        for newest in [false, true] {
            for text in [None, Some("task 3"), Some("connection"), Some("NO USE"), Some("nothing")] {
                for aged in [false, true] {
                    let mut query = untyped.query();
                    if created {
                        query = query.by_creation();
                    }
                    if newest {
                        query = query.newest_first();
                    }
                    if aged {
                        query = query.changed_since(since).changed_before(until);
                    }
                    let wanted = |number: &usize| {
                        let said = match text {
                            None => true,
                            Some("task 3") => number / 10 == 3,
                            Some("connection") => number % 3 == 1,
                            Some("NO USE") => number % 3 == 2,
                            _ => false,
                        };
                        said && (!aged || (20..40).contains(number))
                    };
                    if let Some(text) = text {
                        query = query.containing(text);
                    }
                    let mut expected: Vec<_> = (0..60_usize).filter(wanted).map(|n| format!("task {n:02}")).collect();
                    if newest {
                        expected.reverse();
                    }
                    let what = format!("created {created} newest {newest} text {text:?} aged {aged}");
                    assert_eq!(ids(&query), expected, "{what}");
                    assert_eq!(query.total().unwrap(), expected.len() as u64, "{what}");
                    let mut paged = Vec::new();
                    let mut next = None;
                    loop {
                        let page = query.clone().limit(3).after(next).page().unwrap();
                        paged.extend(page.items.iter().map(|record| record.id.to_string()));
                        next = page.next;
                        if next.is_none() {
                            break;
                        }
                    }
                    assert_eq!(paged, expected, "{what}, in pages");
                }
            }
        }
    }
}

#[test]
fn page_with_a_rare_match_ends_and_continues() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all((0..25_000).map(|number| job(&number.to_string()))).unwrap();
    tasks.start("24990").unwrap().fail("needle").unwrap();
    let untyped = tracker.untyped("job").unwrap();
    let query = untyped.query().by_creation().containing("needle");
    let first = query.page().unwrap();
    assert!(first.items.is_empty() && first.next.is_some(), "it stops after some thousands");
    let second = query.clone().after(first.next.unwrap()).page().unwrap();
    let third = query.clone().after(second.next.unwrap()).page().unwrap();
    assert_eq!(third.items[0].id.to_string(), "24990");
    assert_eq!(ids(&query), ["24990"], "all of it goes on by itself");
}

#[test]
fn errors_are_grouped_by_text() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all((0..30).map(|number| job(&format!("n{number}")))).unwrap();
    for number in 0..30 {
        clock.advance(SECOND);
        let name = format!("n{number}");
        let mut held = tasks.start(&name).unwrap();
        match number % 5 {
            0 | 1 => held.fail(format!("{name}: timed out\nafter a while")).unwrap(),
            2 => held.give_up(format!("{name}: timed out\nat once")).unwrap(),
            3 => held.give_up("404 not found").unwrap(),
            _ => held.succeed().unwrap(),
        }
    }
    let errors = tracker.untyped("job").unwrap().errors(1_000).unwrap();
    assert!(errors.complete);
    assert_eq!(errors.looked_at, 24);
    let told: Vec<_> =
        errors.groups.iter().map(|group| (group.message.as_str(), group.count, group.retrying)).collect();
    assert_eq!(told, [("{id}: timed out", 18, 12), ("404 not found", 6, 0)]);
    let examples: Vec<_> = errors.groups[1].examples.iter().map(ToString::to_string).collect();
    assert_eq!(examples, ["n28", "n23", "n18", "n13", "n8"], "the latest first");
    let some = tasks.errors(10).unwrap();
    assert_eq!((some.complete, some.looked_at), (false, 10));
    assert!(tasks.errors(24).unwrap().complete);
}

#[test]
fn plan_has_claim_order_and_names_blocked_groups() {
    let (clock, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    for (name, priority) in [("urgent", 9), ("normal", 0), ("high", 5)] {
        tasks.submit_with(&job(name), &SubmitOptions::new().priority(priority)).unwrap();
    }
    tasks.submit_with(&job("later"), &SubmitOptions::new().delay(MINUTE)).unwrap();
    let untyped = tracker.untyped("job").unwrap();
    let plan = untyped.plan(3).unwrap();
    let next: Vec<_> = plan.next.iter().map(|planned| planned.id.to_string()).collect();
    assert_eq!(next, ["urgent", "high", "pending"]);
    assert_eq!(plan.queued.to_string(), "4");
    let rest: Vec<_> = plan.rest.iter().map(|rest| (rest.example.to_string(), rest.amount.count)).collect();
    let expected = [("later", 1), ("leased", 1), ("failed", 1), ("succeeded", 1), ("exhausted", 1), ("ignored", 1)];
    assert_eq!(rest[..6], expected.map(|(name, count)| (name.to_owned(), count)));
    for rest in &plan.rest {
        assert_eq!(rest.why, tasks.explain(&rest.example).unwrap());
    }
    let mut claimed = Vec::new();
    while let Some(held) = tasks.claim().unwrap() {
        claimed.push(held.name.clone());
        held.detach().unwrap();
    }
    assert_eq!(claimed[..3], next);
    clock.advance(MINUTE);
    let plan = untyped.plan(10).unwrap();
    assert!(
        plan.rest.iter().any(|rest| matches!(rest.why, Explanation::LeaseExpired { .. }) && rest.amount.count == 5)
    );
    untyped.pause().unwrap();
    let plan = untyped.plan(10).unwrap();
    assert!(plan.paused && plan.next.is_empty());
    assert!(plan.rest.iter().any(|rest| rest.why == Explanation::Paused));
    untyped.resume().unwrap();
    assert_eq!(tasks.claim().unwrap().unwrap().name, "failed", "it was due before the later one");
}

#[test]
fn leases_name_owners_and_the_oldest_pending_task() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    clock.advance(SECOND);
    let mut first = tasks.worker_name("north").start("b").unwrap();
    first.progress(3, Some(10), "going");
    tracker.flush().unwrap();
    clock.advance(SECOND * 30);
    let _second = tasks.worker_name("south").start("c").unwrap();
    clock.advance(SECOND * 30);
    tracker.flush().unwrap();
    let untyped = tracker.untyped("job").unwrap();
    let leases = untyped.leases(10).unwrap();
    let told: Vec<_> =
        leases.iter().map(|one| (one.id.to_string(), one.lease.worker.as_str(), one.has_expired)).collect();
    assert_eq!(told, [("b".to_owned(), "north", true), ("c".to_owned(), "south", false)]);
    assert_eq!(leases[0].progress.as_ref().unwrap().done, 3);
    assert_eq!(untyped.leases(1).unwrap().len(), 1);
    let oldest = untyped.oldest_waiting().unwrap().unwrap();
    assert_eq!(oldest.id.to_string(), "a");
    assert_eq!(oldest.since, tasks.get("a").unwrap().unwrap().created_at);
    tasks.cancel("a").unwrap();
    assert_eq!(untyped.oldest_waiting().unwrap(), None);
}

#[test]
fn throughput_counts_ended_attempts_by_minute() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit_all((0..40).map(|number| job(&number.to_string()))).unwrap();
    for number in 0..40_u32 {
        let mut held = tasks.start(number.to_string()).unwrap();
        clock.advance(SECOND * (1 + number % 4));
        if number % 4 == 3 {
            held.fail("no luck").unwrap();
        } else {
            held.succeed().unwrap();
        }
        clock.advance(SECOND * 10);
    }
    let untyped = tracker.untyped("job").unwrap();
    let all = untyped.throughput(DAY, 10_000).unwrap();
    assert_eq!((all.succeeded, all.failed, all.other), (30, 10, 0));
    assert_eq!(all.minutes.iter().map(|minute| minute.succeeded).sum::<u64>(), 30);
    assert!(all.minutes.is_sorted_by_key(|minute| minute.start));
    let seconds = |percent| all.percentile(percent).unwrap().as_secs();
    assert_eq!((seconds(0), seconds(50), seconds(95), seconds(100)), (1, 2, 3, 3));
    let lately = untyped.throughput(MINUTE * 2, 10_000).unwrap();
    assert!(lately.succeeded < 10 && lately.succeeded + lately.failed >= 8, "{lately:?}");
    assert!(lately.succeeded_per_second() > 0.0 && lately.succeeded_per_second() < 0.1);
    let few = untyped.throughput(DAY, 10).unwrap();
    assert_eq!(few.succeeded + few.failed, 10);
    assert!(few.since > all.since, "it tells of the time that it has seen");
    assert_eq!(untyped.throughput(Duration::ZERO, 10).unwrap().percentile(50), None);
}
