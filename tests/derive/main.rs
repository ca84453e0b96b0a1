//! Tests what the derives generate: statuses, roles, keys, fingerprints and policies; one file per form of the input.
#![allow(clippy::float_cmp, reason = "the jitter is the literal that was written")]

mod deprecated;
mod generics;
mod inside_macro;
mod nothing_imported;
mod pipeline;
mod raw_identifiers;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, TrackedTask,
    status::{Graph, Role},
    task::{Backoff, Fingerprint, IndexValue, Policy, Retention, TaskId, UniqueDef},
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
enum JobStatus {
    #[status(parked)]
    InReview = -1,
    Pending = 0x0A,
    #[status(in_progress)]
    Running = 20,
    Failed = 30,
    Succeeded = 40,
    #[status(parked)]
    OnHold = 41,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum ImportStatus {
    #[status(step = "fetch_meta")]
    FetchMetaPending = 10,
    InProgressFetchMeta = 11,
    Failed = 12,
    #[status(succeeded)]
    Fetched = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    #[status(step = "load", ignored)]
    Skipped = 21,
    LoadSucceeded = 22,
}

fn roles_of<S: TaskStatus>() -> Vec<(i32, &'static str, Role, u16)> {
    S::GRAPH.statuses.iter().map(|status| (status.code, status.name, status.role, status.step)).collect()
}

#[test]
fn codes_and_roles_come_from_the_variants() {
    let expected = [
        (-1, "InReview", Role::Parked, 0),
        (10, "Pending", Role::Pending, 0),
        (20, "Running", Role::InProgress, 0),
        (30, "Failed", Role::Failed, 0),
        (40, "Succeeded", Role::Succeeded, 0),
        (41, "OnHold", Role::Parked, 0),
        (50, "Exhausted", Role::Exhausted, 0),
        (60, "Ignored", Role::Ignored, 0),
        (70, "Cancelled", Role::Cancelled, 0),
    ];
    assert_eq!(roles_of::<JobStatus>(), expected);
    assert_eq!(JobStatus::GRAPH.name, "JobStatus");
    assert_eq!(JobStatus::GRAPH.steps, [""]);
    for (code, ..) in expected {
        assert_eq!(JobStatus::from_code(code).map(TaskStatus::code), Some(code));
    }
    assert_eq!(JobStatus::from_code(11), None);
    assert_eq!(JobStatus::InReview.code(), -1);
}

#[test]
fn step_attribute_holds_until_the_next_step() {
    let expected = [
        (10, "FetchMetaPending", Role::Pending, 0),
        (11, "InProgressFetchMeta", Role::InProgress, 0),
        (12, "Failed", Role::Failed, 0),
        (13, "Fetched", Role::Succeeded, 0),
        (20, "LoadInProgress", Role::InProgress, 1),
        (21, "Skipped", Role::Ignored, 1),
        (22, "LoadSucceeded", Role::Succeeded, 1),
    ];
    assert_eq!(roles_of::<ImportStatus>(), expected);
    assert_eq!(ImportStatus::GRAPH.steps, ["fetch_meta", "load"]);
}

#[test]
fn engine_accepts_every_derived_graph() {
    assert!(Graph::of(&JobStatus::GRAPH).is_ok());
    assert!(Graph::of(&ImportStatus::GRAPH).is_ok());
}

#[derive(TrackedTask, Serialize, Deserialize, Clone)]
#[task(
    name = "télécharger",
    status = JobStatus,
    max_attempts = "unlimited",
    max_crashes = 2,
    lease = "1m30s",
    timeout = "1.5h",
    backoff = "exponential(500ms, 5m)",
    jitter = 0.25,
    priority = 255,
    history = 65535
)]
#[task(startable(Ignored, InReview), retention(succeeded = "30d", exhausted = "13w"))]
#[task(unique(host, path), unique(reference, while = unfinished))]
struct Download {
    #[task(id)]
    url: String,
    #[task(index)]
    host: String,
    #[task(unique)]
    path: Vec<u8>,
    #[task(index, fingerprint)]
    size: Option<u64>,
    #[task(fingerprint)]
    parts: Vec<u32>,
    #[task(priority)]
    urgency: u8,
    reference: u16,
}

fn download() -> Download {
    Download {
        url: "https://a.example/b".to_owned(),
        host: "a.example".to_owned(),
        path: b"b".to_vec(),
        size: Some(7),
        parts: vec![1, 2],
        urgency: 9,
        reference: 5,
    }
}

#[test]
fn policy_has_the_declared_values() {
    let mut expected = Policy::DEFAULT;
    expected.max_attempts = None;
    expected.max_crashes = 2;
    expected.lease = 90 * SECOND;
    expected.timeout = Some(5400 * SECOND);
    expected.backoff = Backoff::Exponential { first: SECOND / 2, max: 300 * SECOND };
    expected.jitter = 0.25;
    expected.priority = 255;
    expected.history = 65535;
    expected.startable = vec![60, -1].into();
    let succeeded = Retention { role: Role::Succeeded, keep: 30 * DAY };
    let exhausted = Retention { role: Role::Exhausted, keep: 91 * DAY };
    expected.retention = vec![succeeded, exhausted].into();
    assert_eq!(Download::policy(), expected);
}

#[test]
fn key_values_follow_the_order_of_declaration() {
    let task = download();
    assert_eq!(Download::KIND, "télécharger");
    assert_eq!(task.task_id(), Some("https://a.example/b".to_key()));
    assert_eq!(Download::INDEXES, ["host", "size"]);
    assert_eq!(task.index_values(), ["a.example".encoded(), Some(7_u64).encoded()]);
    let names = [("host_path", false), ("reference", true), ("path", false)];
    assert_eq!(Download::UNIQUES, names.map(|(name, while_unfinished)| UniqueDef { name, while_unfinished }));
    let host_and_path = [&b"\x0a\0\0\0"[..], &"a.example".encoded(), b"\x02\0\0\0", b"bb"].concat();
    assert_eq!(task.unique_values(), [host_and_path, 5_u16.encoded(), b"b"[..].encoded()]);
    assert_eq!(task.priority(), Some(9));
}

#[test]
fn key_values_do_not_run_together() {
    let with = |host: &str, path: &str| {
        Download { host: host.to_owned(), path: path.as_bytes().to_vec(), ..download() }.unique_values().swap_remove(0)
    };
    let keys = [with("ab", "c"), with("a", "bc"), with("abc", ""), with("", "abc"), with("a\0", "bc")];
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{key:?}");
    }
}

#[test]
fn fingerprint_depends_on_its_fields_only() {
    let print = download().fingerprint();
    let expected = Fingerprint::new().field("size", &Some(7_u64)).field("parts", &[1, 2]).finish();
    assert_eq!(print, Some(expected));
    assert_eq!(Download { urgency: 1, url: String::new(), ..download() }.fingerprint(), print);
    assert_ne!(Download { size: None, ..download() }.fingerprint(), print);
    assert_ne!(Download { parts: vec![2, 1], ..download() }.fingerprint(), print);
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = ImportStatus, id = uuid)]
struct HTTPImport {}

#[test]
fn undeclared_attributes_have_defaults() {
    assert_eq!(HTTPImport::KIND, "http_import");
    assert_eq!(HTTPImport::policy(), Policy::DEFAULT);
    assert_eq!((HTTPImport::INDEXES.len(), HTTPImport::UNIQUES.len()), (0, 0));
    let task = HTTPImport {};
    assert_eq!((task.task_id(), task.fingerprint(), task.priority()), (None, None, None));
    assert!(task.index_values().is_empty() && task.unique_values().is_empty());
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, backoff = "fixed(5s)", jitter = 1)]
struct Keyed<K, P>
where
    P: Default,
{
    #[task(id, index)]
    key: K,
    #[task(fingerprint)]
    payload: P,
}

#[test]
fn generic_task_derives_for_each_type() {
    let number = Keyed { key: 5_u32, payload: 'x' };
    let path = Keyed { key: std::path::PathBuf::from("a/b"), payload: vec![1, 2] };
    assert_eq!(number.task_id(), Some(5.to_key()));
    assert_eq!(path.task_id(), Some(std::path::Path::new("a/b").to_key()));
    assert_eq!(number.index_values(), [5.encoded()]);
    assert_eq!(path.fingerprint(), Some(Fingerprint::new().field("payload", &[1, 2]).finish()));
    assert_eq!(Keyed::<u8, u8>::policy().backoff, Backoff::Fixed(5 * SECOND));
    assert_eq!(Keyed::<u8, u8>::policy().jitter, 1.0);
}
