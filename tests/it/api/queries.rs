//! Tests queries: filters, orders, pages, and `explain`.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use tracker_core::{
    Error, ErrorKind, Execution, Record, Tasks, Tracker,
    batch::BatchOptions,
    file::Sharing,
    inspect::Explanation,
    query::{Cursor, Query},
    redb_store::OptionsExt,
    status::Role,
    submit::SubmitOptions,
};

use crate::support::{
    kinds::{
        DAY, Import, ImportStatus, Job, MINUTE, Mail, SECOND, Status, fine, job, jobs, mail, one_of_each, refused,
        sound, tracker,
    },
    test_disk::{Disk, Fault, Operation},
};

fn names(query: &Query<'_, Job>) -> Vec<String> {
    query.ids().unwrap().iter().map(ToString::to_string).collect()
}

/// Three hundred tasks in all states, some changed at the same instant.
pub(super) fn many(tracker: &Tracker, clock: &tracker_core::time::ManualClock) -> Tasks<Job> {
    let tasks = tracker.tasks::<Job>().unwrap();
    for number in 0..300_u32 {
        let host = ["x", "y", "z"][number as usize % 3].to_owned();
        tasks.submit(&Job { host, result: Some(number), ..job(&number.to_string()) }).unwrap();
        if number % 4 == 0 {
            clock.advance(SECOND);
        }
    }
    for number in (0..300_u32).rev() {
        let name = number.to_string();
        match number % 10 {
            0 => tasks.start(&name).unwrap().fail("no luck").unwrap(),
            1 | 2 => tasks.start(&name).unwrap().succeed().unwrap(),
            3 => tasks.start(&name).unwrap().give_up("no use").unwrap(),
            4 => tasks.ignore(&name, "").unwrap(),
            5 => tasks.cancel(&name).unwrap(),
            6 => tasks.move_to(&name, Status::OnHold).unwrap(),
            7 => drop(tasks.start(&name).unwrap().detach().unwrap()),
            _ => {}
        }
        if number % 7 == 0 {
            clock.advance(SECOND);
        }
    }
    tasks
}

#[test]
fn filters_and_orders_equal_a_scan_of_every_task() {
    let (clock, tracker) = tracker();
    let tasks = many(&tracker, &clock);
    let all = tasks.query().by_creation().fetch().unwrap();
    assert_eq!(all.len(), 300);
    assert!(all.iter().map(|record| record.task.result).eq((0..300).map(Some)));
    let sets: [&[Status]; 6] = [
        &[],
        &[Status::Failed],
        &[Status::Succeeded, Status::Ignored],
        &[Status::Pending, Status::InProgress, Status::OnHold],
        &[Status::Exhausted, Status::Cancelled, Status::Exhausted],
        &[Status::Failed, Status::Succeeded, Status::Pending, Status::Ignored, Status::OnHold, Status::Cancelled],
    ];
    for statuses in sets {
        for host in [None, Some("x"), Some("nowhere")] {
            for created in [false, true] {
                let mut expected: Vec<_> = all
                    .iter()
                    .filter(|record| statuses.contains(&record.status))
                    .filter(|record| host.is_none_or(|host| host == record.task.host))
                    .collect();
                expected.sort_by_key(|record| {
                    (if created { record.created_at } else { record.updated_at }, record.task.result)
                });
                let expected: Vec<_> = expected.iter().map(|record| record.id.to_string()).collect();
                let mut query = tasks.query().statuses(statuses.iter().copied());
                if let Some(host) = host {
                    query = query.index("host", host);
                }
                if created {
                    query = query.by_creation();
                }
                let what = format!("{statuses:?} {host:?} created: {created}");
                assert_eq!(names(&query), expected, "{what}");
                let backwards: Vec<_> = expected.iter().rev().cloned().collect();
                assert_eq!(names(&query.clone().newest_first()), backwards, "{what}");
                assert_eq!(query.total().unwrap(), expected.len() as u64, "{what}");
                for most in [0, 1, 7, 1_000] {
                    let some: Vec<_> = expected.iter().take(most).cloned().collect();
                    assert_eq!(names(&query.clone().limit(most)), some, "{what}");
                    let some: Vec<_> = backwards.iter().take(most).cloned().collect();
                    assert_eq!(names(&query.clone().newest_first().limit(most)), some, "{what}");
                }
                pages(&query, &expected, &what);
                pages(&query.newest_first(), &backwards, &what);
            }
        }
    }
    sound(&tracker);
}

/// Pages of any size cover everything exactly once.
#[track_caller]
fn pages(query: &Query<'_, Job>, expected: &[String], what: &str) {
    for size in if expected.len() < 50 { [1, 13] } else { [13, 100] } {
        let mut found = Vec::new();
        let mut next: Option<Cursor> = None;
        loop {
            // The program sends the cursor as text and parses it later.
            let cursor = next.map(|cursor| cursor.to_string().parse::<Cursor>().unwrap());
            let page = query.clone().limit(size).after(cursor).page().unwrap();
            assert!(page.items.len() <= size);
            found.extend(page.items.iter().map(|record| record.id.to_string()));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{what} by {size}");
    }
}

#[test]
fn changed_since_equals_a_scan_of_every_task() {
    let (clock, tracker) = tracker();
    let tasks = many(&tracker, &clock);
    let all = tasks.query().fetch().unwrap();
    let (first, last) = (all[0].updated_at, all[299].updated_at);
    let sets: [&[Status]; 3] = [&[], &[Status::InProgress], &[Status::Pending, Status::Succeeded, Status::Failed]];
    for since in [first, all[77].updated_at, all[200].updated_at, last, last + TimeDelta::microseconds(1)] {
        for (statuses, host) in sets.iter().flat_map(|set| [(set, None), (set, Some("y"))]) {
            let found = |record: &&Record<Job, Status>| {
                record.updated_at >= since
                    && statuses.contains(&record.status)
                    && host.is_none_or(|host| host == record.task.host)
            };
            let mut expected: Vec<_> = all.iter().filter(found).collect();
            let asked = || {
                let query = tasks.query().statuses(statuses.iter().copied()).changed_since(since);
                if let Some(host) = host { query.index("host", host) } else { query }
            };
            let ids = |expected: &[&Record<Job, Status>]| -> Vec<_> {
                expected.iter().map(|record| record.id.to_string()).collect()
            };
            let what = format!("{statuses:?} {host:?} since {since}");
            assert_eq!(names(&asked()), ids(&expected), "{what}");
            assert_eq!(asked().total().unwrap(), expected.len() as u64, "{what}");
            pages(&asked(), &ids(&expected), &what);
            expected.reverse();
            pages(&asked().newest_first(), &ids(&expected), &what);
            expected.sort_by_key(|record| record.task.result);
            assert_eq!(names(&asked().by_creation()), ids(&expected), "{what}");
        }
    }
    let ago = (tracker.now() - all[200].updated_at).to_std().unwrap();
    let (within, since) = (tasks.query().changed_within(ago), tasks.query().changed_since(all[200].updated_at));
    assert_eq!(names(&within), names(&since));
    clock.advance(DAY);
    assert_eq!(tasks.query().changed_within(DAY - SECOND).total().unwrap(), 0);
    sound(&tracker);
}

#[test]
fn page_and_total_are_of_one_instant() {
    let (clock, tracker) = tracker();
    let tasks = many(&tracker, &clock);
    let of_x = || tasks.query().statuses([Status::Failed, Status::Pending]).index("host", "x").newest_first();
    let page = of_x().by_creation().limit(5).page_with_total().unwrap();
    assert_eq!((page.items.len(), page.total), (5, Some(of_x().fetch().unwrap().len() as u64)));
    let second = of_x().by_creation().limit(5).after(page.next.unwrap()).page_with_total().unwrap();
    assert_eq!(second.total, page.total, "the total is that of the query, not of what is left");
    assert!(second.items[0].created_at <= page.items[4].created_at);
    assert_eq!(of_x().first().unwrap().unwrap().id, of_x().ids().unwrap()[0]);
    assert!(tasks.query().index("host", "nowhere").first().unwrap().is_none());
    let none = of_x().by_creation().limit(0).page_with_total().unwrap();
    assert_eq!(
        (none.items.len(), none.total, Some(of_x().limit(0).total().unwrap())),
        (0, page.total, page.total),
        "none are asked for"
    );
    sound(&tracker);
}

/// Each task must be looked at, and there are more than are taken from the tables at a time.
#[test]
fn text_search_equals_a_scan_of_every_task() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..3_456).map(mail)).unwrap();
    for text in ["45", "999", "3455", "nothing"] {
        let expected: Vec<_> =
            (0..3_456).map(|number: u64| number.to_string()).filter(|id| id.contains(text)).collect();
        let asked = || mails.query().containing(text).by_creation();
        let ids = |query: Query<'_, Mail>| -> Vec<_> { query.ids().unwrap().iter().map(ToString::to_string).collect() };
        assert_eq!(ids(asked()), expected);
        assert_eq!(ids(mails.query().containing(text)), expected);
        assert_eq!(asked().total().unwrap(), expected.len() as u64);
        let most = expected.len().min(2);
        assert_eq!(ids(asked().limit(2)), expected[..most]);
        assert_eq!(ids(asked().limit(0)), [""; 0]);
        let page = asked().limit(200).page().unwrap();
        assert_eq!(page.items.len(), expected.len().min(200), "a page ends early only after very many looks");
    }
    sound(&tracker);
}

#[test]
fn page_of_an_index_ends_after_ten_thousand_tasks() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let of = |host: &str, number: u32| Job { host: host.to_owned(), ..job(&number.to_string()) };
    tasks.submit_all((0..10_500).map(|number| of("x", number))).unwrap();
    tasks.ignore("10400", "").unwrap();
    tasks.ignore("99", "").unwrap();
    let query = tasks.query().index("host", "x").status(Status::Ignored).by_creation();
    for (query, all) in [(query.clone(), ["99", "10400"]), (query.newest_first(), ["10400", "99"])] {
        let first = query.clone().limit(5).page().unwrap();
        assert_eq!(first.iter().map(|record| record.id.to_string()).collect::<Vec<_>>(), all[..1]);
        let second = query.clone().limit(5).after(first.next.unwrap()).page().unwrap();
        assert_eq!(second.iter().map(|record| record.id.to_string()).collect::<Vec<_>>(), all[1..]);
        assert!(second.next.is_none());
        assert_eq!(names(&query), all);
        assert_eq!(query.total().unwrap(), 2);
        assert_eq!(query.count_up_to(1).unwrap().to_string(), "1+");
    }
    sound(&tracker);
}

#[test]
fn impossible_queries_are_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let error = refused(tasks.query().index("name", "a").fetch(), ErrorKind::Invalid);
    assert!(error.to_string().contains("#[task(index)]"), "{error}");
    refused(tasks.query().index("name", "a").total(), ErrorKind::Invalid);
    for text in ["", ":", "1", "1:x", "1:2:3"] {
        refused(text.parse::<Cursor>(), ErrorKind::Invalid);
    }
    assert!(tasks.query().limit(0).page().unwrap().next.is_none());
    sound(&tracker);
}

#[test]
fn unfinished_tasks_include_every_step() {
    let (_, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    let waiting: BTreeSet<_> = names(&tasks.query().unfinished()).into_iter().collect();
    assert_eq!(waiting, ["failed", "parked", "pending"].map(str::to_owned).into());
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..4).map(|number| Import { number, rows: None })).unwrap();
    let (fetch, load) = (imports.step("fetch").unwrap(), imports.step("load").unwrap());
    for number in 0..3 {
        fetch.start(number).unwrap().succeed().unwrap();
    }
    load.start(0).unwrap().succeed().unwrap();
    load.start(1).unwrap().fail("no").unwrap();
    assert_eq!(imports.query().unfinished().total().unwrap(), 3, "between two steps a task is not finished");
    assert_eq!(imports.query().role(Role::Pending).total().unwrap(), 1);
    assert_eq!(imports.query().role(Role::Succeeded).total().unwrap(), 2);
    sound(&tracker);
}

#[test]
fn retention_deletes_ended_tasks_and_none_between_steps() {
    let (clock, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..3_000).map(|number| Import { number, rows: None })).unwrap();
    let (fetch, load) = (imports.step("fetch").unwrap(), imports.step("load").unwrap());
    fetch.worker().run(|_| fine()).unwrap();
    for number in 0..5 {
        load.start(number).unwrap().succeed().unwrap();
    }
    clock.advance(DAY);
    assert_eq!(tasks.prune().unwrap() + imports.prune().unwrap(), 0, "not before the time is over");
    clock.advance(SECOND);
    assert_eq!(tasks.prune().unwrap(), 1);
    assert!(tasks.get("succeeded").unwrap().is_none());
    assert_eq!(imports.prune().unwrap(), 5);
    assert_eq!(imports.counts().unwrap().get(ImportStatus::FetchSucceeded), 2_995);
    clock.advance(DAY);
    assert_eq!((tasks.prune().unwrap(), tasks.prune().unwrap()), (1, 0));
    assert_eq!(tasks.counts().unwrap().total(), 6, "what no rule names is kept");
    sound(&tracker);
}

#[test]
fn claim_order_is_priority_due_time_submission() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["first", "second"]);
    let with = |name: &str, options: SubmitOptions| drop(tasks.submit_with(&job(name), &options).unwrap());
    with("urgent", SubmitOptions::new().priority(255));
    with("later", SubmitOptions::new().delay(MINUTE));
    with("urgent later", SubmitOptions::new().priority(200).delay(MINUTE * 2));
    with("past", SubmitOptions::new().at(chrono::DateTime::UNIX_EPOCH));
    with("third", SubmitOptions::new());
    let line = ["urgent", "past", "first", "second", "third"];
    for (ahead, name) in (0..).zip(line) {
        assert_eq!(tasks.queue_position(name).unwrap().unwrap().ahead, ahead, "{name}");
    }
    assert_eq!(tasks.queue_position("later").unwrap(), None);
    let held = [tasks.start("past").unwrap(), tasks.start("first").unwrap()];
    let place = tasks.queue_position("third").unwrap().unwrap();
    assert_eq!((place.ahead, place.running), (2, 2));
    for mut held in held {
        held.release().unwrap();
    }
    let mut done = Vec::new();
    let mut drain = || {
        while let Some(mut held) = tasks.claim().unwrap() {
            held.succeed().unwrap();
            done.push(held.name.clone());
        }
    };
    drain();
    clock.advance(MINUTE * 2);
    drain();
    assert_eq!(done, [&line[..], &["urgent later", "later"]].concat());
    sound(&tracker);
}

#[test]
fn explain_covers_every_status() {
    let (clock, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    let said = |name: &str| tasks.explain(name).unwrap();
    assert!(matches!(said("leased"), Explanation::Running { .. }));
    assert!(matches!(said("failed"), Explanation::NotDue { wait, .. } if wait == SECOND * 10));
    assert_eq!(said("pending"), Explanation::Queued { ahead: 0 });
    assert_eq!(said("succeeded"), Explanation::Succeeded);
    assert_eq!(said("exhausted"), Explanation::Exhausted { failures: 1, crashes: 0 });
    assert_eq!(said("ignored"), Explanation::Ignored);
    assert_eq!(said("cancelled"), Explanation::Cancelled);
    assert_eq!(said("parked"), Explanation::Parked { status: "OnHold".to_owned() });
    refused(tasks.explain("nobody"), ErrorKind::NotFound);
    clock.advance(MINUTE);
    assert!(matches!(said("leased"), Explanation::LeaseExpired { .. }));
    assert_eq!(said("failed"), Explanation::Queued { ahead: 1 }, "pending was due before");
    for record in tasks.query().fetch().unwrap() {
        assert!(tasks.explain(&record.id).unwrap().to_string().len() > 10);
    }
    tasks.pause().unwrap();
    assert_eq!((said("pending"), said("succeeded")), (Explanation::Paused, Explanation::Succeeded));
    assert!(tasks.claim().unwrap().is_none());
    tasks.start("pending").unwrap().release().unwrap();
    tasks.resume().unwrap();
    assert_eq!(tasks.claim().unwrap().map(|held: Execution<Job>| held.name.clone()).unwrap(), "pending");
    sound(&tracker);
}

#[test]
fn disk_fault_is_not_a_refusal() {
    type Call = fn(&Tracker, &Tasks<Job>) -> Result<u64, Error>;
    let calls: [(&str, Call); 4] = [
        ("a query's cancel", |_, tasks| tasks.query().cancel()),
        ("a query's removal", |_, tasks| tasks.query().remove()),
        ("a batch's cancel", |tracker, _| tracker.batch("night").unwrap().unwrap().cancel()),
        ("a batch's removal", |tracker, _| tracker.batch("night").unwrap().unwrap().remove().map(u64::from)),
    ];
    for (what, call) in calls {
        let disk = Disk::default();
        let opened = disk.clone();
        let options = Tracker::options().sharing(Sharing::Exclusive);
        let tracker = options.open_backend(move || opened.open()).unwrap();
        let tasks = tracker.tasks::<Job>().unwrap();
        let night = tracker.open_batch("night", &BatchOptions::new()).unwrap();
        tasks.submit_all_with(["a", "b"].map(job), &SubmitOptions::new().batch(&night)).unwrap();
        disk.fail(Fault { operation: Operation::Write, nth: 1, error: 5, done: false, lasting: true });
        let error = call(&tracker, &tasks).expect_err(what);
        assert!(!error.is_refusal(), "{what}: {error}");
    }
}
