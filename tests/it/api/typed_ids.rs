//! Tests that an id or an indexed value of the wrong type is an error that names both types, and what happens to stored
//! tasks when a type changes its id or an indexed field.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Submission, TrackedTask, Tracker, dependency::OnDependencyFailure, execution::StartOptions,
    submit::SubmitOptions,
};

use uuid::Uuid;

use crate::support::{
    kinds::{Job, Mail, Status, job, jobs, mail, refused as refused_as, sound},
    place::{self, OpenInPlace as _},
};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "parcel", status = Status, unique(label))]
struct Parcel {
    #[task(id)]
    number: u64,
    #[task(index)]
    host: Option<String>,
    #[task(index)]
    weight: u32,
    label: String,
}

fn parcel(number: u64) -> Parcel {
    Parcel { number, host: Some("a".to_owned()), weight: 5, label: format!("label {number}") }
}

#[track_caller]
fn refused<R: std::fmt::Debug>(result: Result<R, Error>, says: &[&str]) {
    let error = result.expect_err("it has another type");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let text = error.to_string();
    assert!(says.iter().all(|says| text.contains(says)), "{text}");
}

#[test]
fn id_of_another_type_is_refused_by_every_look_up() {
    let tracker = place::in_memory().unwrap();
    let jobs = jobs(&tracker, &["one", "two"]);
    let says = ["an integer", "texts", "\"job\""];
    refused(jobs.get(7u64), &says);
    refused(jobs.start(7u64).map(drop), &says);
    refused(jobs.start_with(7u64, &StartOptions::new().force()).map(drop), &says);
    refused(jobs.check_start(7u64, &StartOptions::new()), &says);
    refused(jobs.cancel(7u64), &says);
    refused(jobs.requeue(7u64), &says);
    refused(jobs.remove(7u64), &says);
    refused(jobs.ignore(7u64, "no reason"), &says);
    refused(jobs.update(7u64, |_| ()), &says);
    refused(jobs.explain(7u64), &says);
    refused(jobs.queue_position(7u64), &says);
    refused(jobs.dependencies(7u64), &says);
    let after = SubmitOptions::new().after(&jobs, 7u64, OnDependencyFailure::Wait);
    refused(jobs.submit_with(&job("three"), &after), &says);
    refused(tracker.transaction(|txn| txn.get(&jobs, 7u64)), &says);
    refused(tracker.transaction(|txn| txn.cancel(&jobs, 7u64)), &says);
    refused(tracker.transaction(|txn| txn.update(&jobs, 7u64, |_| ())), &says);
    refused(tracker.untyped("job").unwrap().get(7u64), &says);
    // A missing id of the right type is still not found, and so is any id while the kind is empty.
    assert!(jobs.get("nobody").unwrap().is_none());
    assert_eq!(jobs.cancel("nobody").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(tracker.tasks::<Mail>().unwrap().get("nobody").unwrap().is_none());
    sound(&tracker);
}

#[test]
fn value_of_another_type_is_refused_by_index_and_key() {
    let tracker = place::in_memory().unwrap();
    let parcels = tracker.tasks::<Parcel>().unwrap();
    assert!(parcels.query().index("weight", "5").fetch().unwrap().is_empty(), "an empty kind has no type yet");
    parcels.submit_all((0..20).map(parcel)).unwrap();
    refused(parcels.query().index("weight", "5").fetch(), &["a text", "integers", "\"weight\""]);
    refused(parcels.query().index("host", "a").fetch(), &["a text", "Some(value)", "\"host\""]);
    refused(parcels.query().index("host", "a").remove(), &["a text"]);
    refused(parcels.get_by_key("label", &[&7]), &["an integer", "texts", "\"label\""]);
    assert_eq!(parcels.query().index("host", Some("a")).fetch().unwrap().len(), 20);
    assert!(parcels.query().index("weight", 6).fetch().unwrap().is_empty());
    assert!(parcels.get_by_key("label", &[&"nobody"]).unwrap().is_none());
    assert_eq!(parcels.counts().unwrap().total(), 20);
}

#[test]
fn changed_type_of_ids_is_refused_when_the_kind_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    // A kind without tasks has no type of ids yet.
    drop(tracker.tasks_as::<Parcel>("job").unwrap());
    drop(jobs(&tracker, &["one"]));
    let says = |error: Error| {
        for says in ["texts", "integers", "\"job\""] {
            assert!(error.to_string().contains(says), "{error}");
        }
    };
    says(refused_as(tracker.tasks_as::<Parcel>("job"), ErrorKind::SchemaMismatch));
    // The refusal changed nothing: the kind still has the index of a job and not those of a parcel.
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(jobs.query().index("host", "a").total().unwrap(), 1);
    drop(jobs);
    tracker.close().unwrap();
    let tracker = Tracker::options().inspect_at(&path).unwrap();
    says(refused_as(tracker.tasks_as::<Parcel>("job"), ErrorKind::SchemaMismatch));
    assert!(tracker.tasks::<Job>().unwrap().get("one").unwrap().is_some());
}

#[test]
fn value_of_another_type_is_refused_by_key_of_two_fields() {
    let tracker = place::in_memory().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all([mail(7), mail(8)]).unwrap();
    assert!(mails.get_by_key("client_request", &[&"c", &8]).unwrap().is_some());
    assert!(mails.get_by_key("client_request", &[&"c", &9]).unwrap().is_none());
    assert!(mails.get_by_key("client_request", &[&"c", &None::<u32>]).unwrap().is_none(), "no key");
    refused(mails.get_by_key("client_request", &[&"c", &"8"]), &["a text", "integers", "\"client_request\""]);
    refused(mails.get_by_key("client_request", &[&1, &8]), &["an integer", "texts"]);
    refused(mails.get_by_key("client_request", &[&"c"]), &["1 value", "2 fields"]);
    refused(mails.get_by_key("client_request", &[&"c", &8, &1]), &["3 values", "2 fields"]);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "visit", status = Status, unique(name), unique(name, host))]
struct Visit {
    #[task(id)]
    id: Uuid,
    #[task(index)]
    host: String,
    name: String,
}

/// A later version of it: its id stays, one indexed field may be absent, and a field of both keys is a path.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "visit", status = Status, unique(name), unique(name, host))]
struct LaterVisit {
    #[task(id)]
    id: Uuid,
    #[task(index)]
    host: Option<String>,
    name: PathBuf,
}

#[test]
fn keys_of_a_field_with_another_type_are_rebuilt_at_open() {
    let tracker = place::in_memory().unwrap();
    let visits = tracker.tasks::<Visit>().unwrap();
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let id = Uuid::from_u128(number as u128);
        visits.submit(&Visit { id, host: "a".to_owned(), name: name.to_owned() }).unwrap();
    }
    drop(visits);
    let later = tracker.tasks::<LaterVisit>().unwrap();
    assert_eq!(later.query().index("host", Some("a")).fetch().unwrap().len(), 3);
    let two = later.get_by_key("name", &[&PathBuf::from("two")]).unwrap().expect("its key was rebuilt");
    assert_eq!(two.id.as_uuid(), Some(Uuid::from_u128(1)));
    let both = later.get_by_key("name_host", &[&PathBuf::from("three"), &Some("a")]).unwrap();
    assert_eq!(both.expect("its key was rebuilt").id.as_uuid(), Some(Uuid::from_u128(2)));
    let again = LaterVisit { id: Uuid::from_u128(9), host: None, name: PathBuf::from("two") };
    let receipt = later.submit(&again).unwrap();
    assert_eq!((receipt.submission, receipt.id.as_uuid()), (Submission::Existing, Some(Uuid::from_u128(1))));
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "call", status = Status, unique(line))]
struct Call {
    #[task(id)]
    id: u64,
    #[task(index)]
    host: Option<String>,
    line: Option<String>,
}

/// A later version of it, whose optional fields have another type.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "call", status = Status, unique(line))]
struct LaterCall {
    #[task(id)]
    id: u64,
    #[task(index)]
    host: Option<PathBuf>,
    line: Option<PathBuf>,
}

#[test]
fn keys_are_rebuilt_where_the_oldest_task_has_none() {
    for (host, line) in [(Some("a"), None), (None, Some("b"))] {
        let tracker = place::in_memory().unwrap();
        let calls = tracker.tasks::<Call>().unwrap();
        calls.submit(&Call { id: 1, host: None, line: None }).unwrap();
        calls.submit(&Call { id: 2, host: host.map(str::to_owned), line: line.map(str::to_owned) }).unwrap();
        drop(calls);
        let later = tracker.tasks::<LaterCall>().unwrap();
        if let Some(host) = host {
            assert_eq!(later.query().index("host", Some(PathBuf::from(host))).fetch().unwrap().len(), 1);
        }
        if let Some(line) = line {
            let found = later.get_by_key("line", &[&Some(PathBuf::from(line))]).unwrap();
            assert_eq!(found.expect("its key was rebuilt").task.id, 2);
            let again = LaterCall { id: 3, host: None, line: Some(PathBuf::from(line)) };
            assert_eq!(later.submit(&again).unwrap().submission, Submission::Existing);
        }
        sound(&tracker);
    }
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "pair", status = Status, unique(left))]
struct Pair {
    #[task(id)]
    id: u64,
    left: String,
    right: String,
}

/// A later version of it, in which another field is unique.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "pair", status = Status, unique(right))]
struct LaterPair {
    #[task(id)]
    id: u64,
    left: String,
    right: String,
}

#[test]
fn new_unique_key_does_not_conflict_with_the_one_it_replaces() {
    let tracker = place::in_memory().unwrap();
    let pairs = tracker.tasks::<Pair>().unwrap();
    for (id, left, right) in [(1, "a", "b"), (2, "b", "a")] {
        pairs.submit(&Pair { id, left: left.to_owned(), right: right.to_owned() }).unwrap();
    }
    drop(pairs);
    let later = tracker.tasks::<LaterPair>().unwrap();
    for (id, right) in [(1, "b"), (2, "a")] {
        assert_eq!(later.get_by_key("right", &[&right]).unwrap().expect("its key was rebuilt").task.id, id);
    }
    sound(&tracker);
    later.submit(&LaterPair { id: 3, left: "a".to_owned(), right: "c".to_owned() }).unwrap();
    drop(later);
    let error = refused_as(tracker.tasks::<Pair>(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("share its value"), "{error}");
}
