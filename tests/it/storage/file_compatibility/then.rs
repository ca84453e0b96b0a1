//! The types of the program that has written the files.

use super::*;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
    #[status(parked)]
    Shelf = 80,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Source {
    Web(String),
    Disk { path: String },
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 2, history = 3, lease = "1h", backoff = "fixed(1m)")]
pub struct Job {
    #[task(id)]
    pub name: String,
    #[task(index)]
    pub host: String,
    #[task(unique)]
    pub key: u32,
    #[task(fingerprint)]
    pub etag: u32,
    pub source: Source,
    pub size: u64,
    pub mood: String,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    FetchSucceeded = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "line", status = Line)]
pub struct Part {
    #[task(id)]
    pub number: u64,
    pub rows: Vec<i32>,
}

/// A payload of a version above 1.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "note", status = Status, version = 2, migrate = from_old)]
pub struct Note {
    #[task(id)]
    pub number: u64,
    pub text: String,
}

/// A task of a kind with two limits.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "fetch", status = Status, lease = "1h")]
pub struct Fetch {
    #[task(id)]
    pub number: u32,
    #[task(index, limit = 1)]
    pub host: String,
    #[task(index, limit = 2)]
    pub customer: u32,
}

fn from_old(old: OldPayload<'_>) -> Result<Note, String> {
    Err(format!("{old:?}"))
}
