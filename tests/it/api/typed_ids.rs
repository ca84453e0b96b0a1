//! An id or an indexed value of the wrong type is an error that names both types, and not "not found".

use serde::{Deserialize, Serialize};
use tracker_core::{Error, ErrorKind, OnDependencyFailure, StartOptions, SubmitOptions, TrackedTask, Tracker};

use crate::support::kinds::{Mail, Status, job, jobs, sound};

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
    let tracker = Tracker::in_memory().unwrap();
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
    let tracker = Tracker::in_memory().unwrap();
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
