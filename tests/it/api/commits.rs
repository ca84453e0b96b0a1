//! Tests what a commit stores together and rolls back together: outcomes with follow-ups, groups, user transactions.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize, Serializer};
use tracker_core::{
    Error, ErrorKind, Record, TrackedTask, Tracker,
    dependency::OnDependencyFailure,
    execution::StartOptions,
    record::AttemptStatus,
    redb_store::{
        TransactionExt,
        redb::{ReadableTable, TableDefinition},
    },
    submit::SubmitOptions,
    worker::RunError,
};

use crate::{
    support::kinds::{Job, MINUTE, Mail, Page, Status, fine, job, jobs, mail, page, refused, sound, status, tracker},
    support::place,
};

const SUMS: TableDefinition<&str, u64> = TableDefinition::new("sums");

fn add(tx: &tracker_core::file::Transaction<'_, '_>, number: u64) -> Result<(), Error> {
    let mut table = tx.table(SUMS)?;
    let sum = table.get("all")?.map_or(0, |sum| sum.value());
    table.insert("all", sum + number)?;
    Ok(())
}

fn sum(tracker: &Tracker) -> u64 {
    tracker.transaction(|tx| Ok::<_, Error>(tx.table(SUMS)?.get("all")?.map_or(0, |sum| sum.value()))).unwrap()
}

#[test]
fn follow_up_tasks_are_submitted_only_with_the_success() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    let mut held = tasks.start("a").unwrap();
    held.submit_next(&mails, &mail(1)).unwrap();
    held.fail("no").unwrap();
    assert_eq!(mails.counts().unwrap().total(), 0);
    let mut held = tasks.start("a").unwrap();
    held.submit_next(&mails, &mail(1)).unwrap();
    held.submit_next(&tasks, &job("b")).unwrap();
    assert_eq!(mails.counts().unwrap().total(), 0, "not before the success");
    held.succeed().unwrap();
    assert_eq!((mails.counts().unwrap().total(), status(&tasks, "b")), (1, Status::Pending));

    mails.submit(&mail(2)).unwrap();
    let mut held = tasks.start("b").unwrap();
    held.result = Some(1);
    held.submit_next(&mails, &mail(3)).unwrap();
    held.submit_next(&mails, &Mail { number: 2, ..mail(1) }).unwrap();
    refused(held.succeed(), ErrorKind::Conflict);
    assert_eq!(mails.counts().unwrap().total(), 2, "a conflict leaves nothing of the success");
    assert_eq!((status(&tasks, "b"), tasks.get("b").unwrap().unwrap().task.result), (Status::InProgress, None));
    held.fail("a conflict").unwrap();
    assert_eq!(status(&tasks, "b"), Status::Failed, "the lease stood");
    sound(&tracker);
}

/// The first of a group is submitted anew, its dependency fails and it is skipped, as its history says; the second waits for
/// nothing that exists, so that nothing of the group stands.
#[test]
fn refused_group_leaves_no_history_entry() {
    let (_, tracker) = tracker();
    let (tasks, pages) = (jobs(&tracker, &["lost"]), tracker.tasks::<Page>().unwrap());
    tasks.start("lost").unwrap().give_up("for good").unwrap();
    // As many attempts as are kept: the next one takes the place of the oldest.
    for version in 1..=10 {
        pages.submit(&page("p", version)).unwrap();
        pages.start("p").unwrap().succeed().unwrap();
    }
    let before = pages.get("p").unwrap().unwrap();
    let fences =
        |page: &Record<Page, Status>| -> Vec<u64> { page.history.iter().map(|attempt| attempt.fence).collect() };
    let group = |second: &SubmitOptions| {
        let mut group = tracker.group();
        let first = SubmitOptions::new().after(&tasks, "lost", OnDependencyFailure::Skip);
        group.add(&pages, &page("p", 11), &first).unwrap();
        group.add(&tasks, &job("other"), second).unwrap();
        group.submit()
    };
    refused(group(&SubmitOptions::new().after(&tasks, "nowhere", OnDependencyFailure::Wait)), ErrorKind::NotFound);
    assert_eq!(format!("{:?}", pages.get("p").unwrap().unwrap()), format!("{before:?}"));
    sound(&tracker);
    group(&SubmitOptions::new()).unwrap();
    let after = pages.get("p").unwrap().unwrap();
    assert_eq!(fences(&after)[..9], fences(&before)[1..]);
    assert_eq!((after.history.len(), after.history[9].status), (10, AttemptStatus::Ignored));
    sound(&tracker);
}

#[test]
fn delayed_follow_up_is_submitted_with_the_success() {
    let (clock, tracker) = tracker();
    let (tasks, mails) = (jobs(&tracker, &["a"]), tracker.tasks::<Mail>().unwrap());
    let later = SubmitOptions::new().delay(MINUTE);
    let mut first = tasks.start("a").unwrap();
    first.succeed_with(|tx| tx.submit_with(&mails, &mail(1), &later)).unwrap();
    assert!(mails.claim().unwrap().is_none());
    clock.advance(MINUTE);
    assert_eq!(mails.claim().unwrap().unwrap().number, 1);
    sound(&tracker);
}

#[test]
fn user_table_changes_exactly_once_with_the_success() {
    if place::is_only_for_files("redb tables") {
        return;
    }
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c", "d"]);
    let mut done = 0;
    for round in 0..20_u64 {
        clock.advance(crate::support::kinds::MINUTE);
        let Some(mut held) = tasks.claim().unwrap() else { continue };
        let result = held.succeed_with(|tx| {
            add(tx, 1)?;
            if round % 3 == 0 {
                Err(Error::from(tracker_core::redb_store::redb::StorageError::ValueTooLarge(1)))
            } else {
                Ok(())
            }
        });
        done += u64::from(result.is_ok());
        assert_eq!(sum(&tracker), done);
        if result.is_err() {
            assert_eq!(status(&tasks, &held.name), Status::InProgress, "the lease stands");
            if round % 2 == 0 {
                held.succeed_with(|tx| add(tx, 1)).unwrap();
                done += 1;
            }
        }
    }
    assert_eq!((done, sum(&tracker)), (4, 4));
    assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 4);
    sound(&tracker);
}

#[test]
fn late_success_rolls_its_table_back() {
    if place::is_only_for_files("redb tables") {
        return;
    }
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut old = tasks.claim().unwrap().unwrap();
    clock.advance(crate::support::kinds::MINUTE);
    let mut new = tasks.start("a").unwrap();
    refused(old.succeed_with(|tx| add(tx, 1)), ErrorKind::LeaseLost);
    refused(tracker.transaction(|tx| add(tx, 1).and_then(|()| tx.succeed(&mut old))), ErrorKind::LeaseLost);
    new.succeed_with(|tx| add(tx, 1)).unwrap();
    assert_eq!(sum(&tracker), 1);
    sound(&tracker);
}

#[test]
fn error_or_panic_rolls_a_transaction_back() {
    if place::is_only_for_files("redb tables") {
        return;
    }
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let mut held = tasks.start("b").unwrap();
    let mut work = |tx: &mut tracker_core::file::Transaction<'_, '_>| {
        tx.submit(&tasks, &job("new"))?;
        tx.update(&tasks, "a", |job| job.result = Some(1))?;
        tx.cancel(&tasks, "a")?;
        tx.succeed(&mut held)?;
        assert_eq!(tx.get(&tasks, "a")?.unwrap().result, Some(1), "it sees what it has done");
        assert!(tx.get(&tasks, "nobody")?.is_none());
        add(tx, 1)
    };
    let error = tracker.transaction(|tx| {
        work(tx)?;
        Err::<(), anyhow::Error>(anyhow::anyhow!("on second thoughts"))
    });
    assert_eq!(error.unwrap_err().to_string(), "on second thoughts");
    let panic = catch_unwind(AssertUnwindSafe(|| {
        tracker.transaction(|tx| {
            work(tx)?;
            assert!(tasks.name().is_empty(), "ouch");
            Ok::<_, Error>(())
        })
    }));
    assert!(panic.is_err());
    assert_eq!((status(&tasks, "a"), status(&tasks, "b")), (Status::Pending, Status::InProgress));
    assert_eq!((tasks.counts().unwrap().total(), sum(&tracker)), (2, 0));
    tracker.transaction(work).unwrap();
    assert_eq!((status(&tasks, "a"), status(&tasks, "b")), (Status::Cancelled, Status::Succeeded));
    assert_eq!((tasks.counts().unwrap().total(), sum(&tracker)), (3, 1));
    let change = tracker.transaction(|tx| tx.requeue(&tasks, "a").and_then(|()| tx.remove(&tasks, "b")));
    change.unwrap();
    assert_eq!((status(&tasks, "a"), tasks.get("b").unwrap().is_none()), (Status::Pending, true));
    sound(&tracker);
}

#[test]
fn other_calls_inside_a_transaction_are_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let other = place::in_memory().unwrap();
    let elsewhere = jobs(&other, &["x"]);
    tracker
        .transaction(|tx| {
            refused(tasks.submit(&job("new")), "on this thread");
            refused(tasks.claim(), "on this thread");
            refused(tasks.start("a"), "on this thread");
            refused(tracker.flush(), "on this thread");
            refused(tracker.compact(), "on this thread");
            refused(tracker.clone().close(), "on this thread");
            refused(tasks.counts(), "on this thread");
            refused(tracker.transaction(|_| Ok::<_, Error>(())), "on this thread");
            refused(tasks.worker().run(|_| fine()), "on this thread");
            elsewhere.cancel("x")?;
            tx.submit(&tasks, &job("b"))
        })
        .unwrap();
    assert_eq!(tasks.counts().unwrap().total(), 2);
    assert_eq!(status(&elsewhere, "x"), Status::Cancelled, "another tracker is none of its business");
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    sound(&tracker);
}

#[test]
fn transaction_cannot_open_tables_of_the_tracker() {
    if place::is_only_for_files("redb tables") {
        return;
    }
    let (_, tracker) = tracker();
    for name in ["tracker.meta", "tracker.", "tracker.mine"] {
        let table = TableDefinition::<&str, &[u8]>::new(name);
        refused(tracker.transaction(|tx| tx.table(table).map(drop)), ErrorKind::Invalid);
    }
    let mine = TableDefinition::<&str, &[u8]>::new("tracker");
    tracker.transaction(|tx| tx.table(mine).map(drop)).unwrap();
    sound(&tracker);
}

#[test]
fn refused_submit_and_start_leaves_no_task() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["done"]);
    tasks.start("done").unwrap().succeed().unwrap();
    refused(tasks.submit_and_start(&job("done")), "AlreadySucceeded");
    let mut held = tasks.submit_and_start(&job("new")).unwrap();
    refused(tasks.submit_and_start(&job("new")), ErrorKind::Leased);
    held.succeed().unwrap();
    sound(&tracker);
}

#[test]
fn task_cannot_change_its_id() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut held = tasks.start("a").unwrap();
    held.name = "b".to_owned();
    let error = refused(held.succeed(), ErrorKind::Invalid);
    assert!(error.to_string().contains("\"a\"") && error.to_string().contains("\"b\""), "{error}");
    refused(held.checkpoint(), ErrorKind::Invalid);
    held.name = "a".to_owned();
    held.succeed().unwrap();
    tasks.requeue("a").unwrap();
    refused(tasks.update("a", |job| job.name.push('x')), ErrorKind::Invalid);
    refused(tracker.transaction(|tx| tx.update(&tasks, "a", |job| job.name.push('x'))), ErrorKind::Invalid);
    let error = tasks.run("a", |job| {
        job.name.clear();
        fine()
    });
    assert!(matches!(&error, Err(RunError::Handler(_))), "{error:?}");
    assert_eq!(status(&tasks, "a"), Status::Failed);
    assert!(tasks.get("").unwrap().is_none());
    sound(&tracker);
}

static BROKEN: AtomicBool = AtomicBool::new(false);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn fragile<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    if BROKEN.load(Ordering::SeqCst) && *value == 13 {
        return Err(serde::ser::Error::custom("no thirteen"));
    }
    serializer.serialize_u32(*value)
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "fragile", status = Status, max_attempts = 1)]
struct Fragile {
    #[task(id)]
    id: u32,
    #[serde(serialize_with = "fragile")]
    value: u32,
}

#[test]
fn unserializable_task_keeps_its_lease_and_fails_when_dropped() {
    BROKEN.store(true, Ordering::SeqCst);
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Fragile>().unwrap();
    refused(tasks.submit(&Fragile { id: 0, value: 13 }), "cannot");
    tasks.submit_all((1..=5).map(|id| Fragile { id, value: 0 })).unwrap();
    let mut held = tasks.claim().unwrap().unwrap();
    held.value = 13;
    refused(held.checkpoint(), "cannot");
    let error = refused(held.succeed(), "cannot");
    assert!(error.to_string().contains("no thirteen"), "{error}");
    held.value = 7;
    held.succeed().unwrap();
    let failed = |id: u32| {
        tracker.flush().unwrap();
        let record = tasks.get(id).unwrap().unwrap();
        assert_eq!((record.status, record.attempts, record.failures), (Status::Exhausted, 1, 1));
    };
    let mut held = tasks.start(2).unwrap();
    held.value = 13;
    refused(held.succeed_with(|tx| add(tx, 1)), "cannot");
    drop(held);
    failed(2);
    let mut held = tasks.start(3).unwrap();
    held.value = 13;
    refused(tracker.transaction(|tx| add(tx, 1).and_then(|()| tx.succeed(&mut held))), "cannot");
    drop(held);
    failed(3);
    let mut lost = tasks.start(4).unwrap();
    let mut taken = tasks.start_with(4, &StartOptions::new().steal_lease()).unwrap();
    lost.value = 13;
    refused(lost.succeed(), "cannot");
    drop(lost);
    tracker.flush().unwrap();
    taken.succeed().unwrap();
    let summary = tasks.worker().run(|task| {
        task.value = 13;
        fine()
    });
    assert_eq!(summary.unwrap().failed, 1);
    failed(5);
    sound(&tracker);
}

#[test]
fn calls_on_a_closed_tracker_return_closed() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut held: tracker_core::Execution<Job> = tasks.claim().unwrap().unwrap();
    tracker.close().unwrap();
    refused(held.succeed(), ErrorKind::Closed);
    refused(tasks.claim(), ErrorKind::Closed);
    refused(tasks.counts(), ErrorKind::Closed);
}
