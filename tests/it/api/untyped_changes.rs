//! Changes of tasks without their type.

use tracker_core::{
    ErrorKind, Tasks,
    record::AttemptStatus,
    redb_store::{TransactionExt, redb::TableDefinition},
    untyped::{Payload, Untyped},
};

use super::untyped::{ids, of};
use crate::support::{
    kinds::{
        DAY, Import, MINUTE, Mail, SECOND, Status, fine, job, jobs, mail, one_of_each, page, refused, sound, status,
        tracker,
    },
    place,
};

#[test]
fn admin_calls_work_without_the_type() {
    let (clock, tracker) = tracker();
    let typed = one_of_each(&tracker);
    let tasks = tracker.untyped("job").unwrap();
    tasks.requeue("exhausted").unwrap();
    assert_eq!(status(&typed, "exhausted"), Status::Pending);
    tasks.ignore("failed", "by the tool").unwrap();
    let history = tasks.get("failed").unwrap().unwrap().history;
    assert_eq!(history.last().unwrap().status, AttemptStatus::Ignored);
    tasks.move_to("pending", "OnHold").unwrap();
    tasks.move_to("pending", "10").unwrap();
    refused(tasks.move_to("pending", "Elsewhere"), ErrorKind::Invalid);
    refused(tasks.move_to("pending", "Succeeded"), ErrorKind::NotStartable);
    tasks.cancel("pending").unwrap();
    tasks.remove("succeeded").unwrap();
    refused(tasks.remove("leased"), ErrorKind::Leased);
    clock.advance(MINUTE);
    assert_eq!(tasks.rescue().unwrap()[0].to_string(), "leased");
    sound(&tracker);
}

#[test]
fn untyped_prune_selects_by_status_and_age() {
    let (clock, tracker) = tracker();
    let typed = one_of_each(&tracker);
    let tasks = tracker.untyped("job").unwrap();
    clock.advance(DAY);
    typed.submit(&job("new")).unwrap();
    typed.start("new").unwrap().succeed().unwrap();
    clock.advance(SECOND);
    assert_eq!(tasks.prune_older_than(&["Succeeded", "Exhausted"], DAY).unwrap(), 2);
    assert_eq!(status(&typed, "new"), Status::Succeeded);
    let error = refused(tasks.prune_older_than(&["Pending"], DAY), ErrorKind::Invalid);
    assert!(error.to_string().contains("only what has ended"), "{error}");
    assert_eq!(tasks.counts().unwrap().total(), 7);
    sound(&tracker);
}

#[test]
fn untyped_query_requeues_from_start_and_ignores() {
    let (_, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..1_500).map(|number| Import { number, rows: None })).unwrap();
    imports.step("fetch").unwrap().worker().run(|_| fine()).unwrap();
    for number in 0..3 {
        imports.step("load").unwrap().start(number).unwrap().give_up("bad rows").unwrap();
    }
    let untyped = tracker.untyped("import").unwrap();
    assert_eq!(untyped.query().status("LoadFailed").requeue().unwrap(), 3);
    assert_eq!(untyped.counts().unwrap().of_code(13), 1_500, "in its step");
    assert_eq!(untyped.query().status("FetchSucceeded").requeue_from_start().unwrap(), 1_500);
    assert_eq!(untyped.counts().unwrap().of_code(10), 1_500, "from the start");
    let tasks = jobs(&tracker, &["a", "b"]);
    assert_eq!(tasks.query().ignore("not this week").unwrap(), 2);
    let history = tasks.get("a").unwrap().unwrap().history;
    assert_eq!(history[0].failure.as_ref().unwrap().error, "not this week");
    sound(&tracker);
}

#[test]
fn replace_refuses_a_stale_revision() {
    let (_, tracker) = tracker();
    let typed = one_of_each(&tracker);
    let tasks = tracker.untyped("job").unwrap();
    let record = tasks.get("failed").unwrap().unwrap();
    let mut value = serde_json::to_value(&record.task).unwrap();
    value["result"] = 9.into();
    value["host"] = "b".into();
    tasks.replace("failed", record.revision, &of(&value)).unwrap();
    let now = typed.get("failed").unwrap().unwrap();
    assert_eq!((now.task.result, now.task.host.as_str()), (Some(9), "b"));
    assert_eq!(ids(&tasks.query().index("host", "b")), ["failed"], "the index follows its field");
    refused(tasks.replace("failed", record.revision, &of(&value)), ErrorKind::Stale);
    refused(tasks.replace("leased", 0, &of(&value)), ErrorKind::Invalid);
    refused(tasks.replace("nobody", 0, &of(&value)), ErrorKind::NotFound);
    value["name"] = "renamed".into();
    let error = refused(tasks.replace("failed", now.revision, &of(&value)), ErrorKind::Invalid);
    assert!(error.to_string().contains(r#"field "name" holds its id"#), "{error}");
    let leased = tasks.get("leased").unwrap().unwrap();
    refused(tasks.replace("leased", leased.revision, &leased.task), ErrorKind::Leased);
    value["name"] = "failed".into();
    value["host"] = 7.into();
    let error = refused(tasks.replace("failed", now.revision, &of(&value)), ErrorKind::Invalid);
    assert!(error.to_string().contains(r#"indexed field "host""#), "{error}");
    refused(tasks.replace("failed", now.revision, &Payload::of(&[1]).unwrap()), ErrorKind::Invalid);
    sound(&tracker);
}

#[test]
fn untyped_replace_refuses_fields_of_unique_keys() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    let first = Mail { request: 5, ..mail(1) };
    mails.submit(&first).unwrap();
    let tasks = tracker.untyped("mail").unwrap();
    let record = tasks.get(1).unwrap().unwrap();
    for (field, value) in [("client", "d".into()), ("request", 9.into()), ("reference", serde_json::Value::Null)] {
        let mut changed = serde_json::to_value(&record.task).unwrap();
        changed[field] = value;
        let error = refused(tasks.replace(1, record.revision, &of(&changed)), ErrorKind::Invalid);
        assert!(error.to_string().contains("belongs to the unique key"), "{error}");
    }
    let mut added = serde_json::to_value(&record.task).unwrap();
    added["note"] = "by hand".into();
    tasks.replace(1, record.revision, &of(&added)).unwrap();
    assert_eq!(mails.get(1).unwrap().unwrap().task, first);
    sound(&tracker);
}

#[test]
fn untyped_and_typed_calls_share_a_transaction() {
    const NAMES: TableDefinition<&str, u64> = TableDefinition::new("names");
    if place::is_only_for_files("redb tables") {
        return;
    }
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<crate::support::kinds::Page>().unwrap();
    pages.submit(&page("u", 1)).unwrap();
    tracker.transaction(|tx| tx.table(NAMES).map(drop)).unwrap();
    let untyped: Tasks<Untyped> = tracker.untyped("page").unwrap();
    assert_eq!(untyped.name(), "page");
    let first = untyped.get("u").unwrap().unwrap();
    assert!(first.fingerprint.is_some() && !first.has_successor);
    let held = pages.start("u").unwrap();
    pages.submit(&page("u", 2)).unwrap();
    assert!(untyped.get("u").unwrap().unwrap().has_successor);
    drop(held);
    sound(&tracker);
}
