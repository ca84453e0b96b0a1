//! The log of an attack: each request, written before the call, and its answer, written after it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::Mutex,
};

use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::kinds::{Kind, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    Submit,
    /// A submit that does not wait for the disk.
    SubmitRelaxed,
    Claim,
    Start,
    /// A start that ignores the lease of another owner, and the end of the task.
    Steal,
    Renew,
    Checkpoint,
    Succeed,
    Fail,
    GiveUp,
    Release,
    Cancel,
    Requeue,
    Get,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub verb: Verb,
    pub kind: Kind,
    /// `None` for a claim.
    pub task: Option<u32>,
    /// The fence of the attempt that the call is about.
    pub fence: u64,
    /// The value that the call stores.
    pub value: u64,
    /// The length of the lease in microseconds.
    pub lease: i64,
}

impl Call {
    pub fn new(verb: Verb, kind: Kind) -> Self {
        Self { verb, kind, task: None, fence: 0, value: 0, lease: 0 }
    }

    pub fn on(verb: Verb, kind: Kind, task: u32) -> Self {
        Self { task: Some(task), ..Self::new(verb, kind) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    NotFound,
    Leased,
    AlreadySucceeded,
    Exhausted,
    Cancelled,
    LeaseLost,
}

/// A task as a call has read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub status: Status,
    pub value: u64,
    pub attempts: u32,
    pub failures: u32,
    pub crashes: u32,
    pub cancel: bool,
    /// The fence of the owner.
    pub fence: Option<u64>,
    /// How many attempts have ended.
    pub ended: u32,
    /// The fences of the last attempts that ended, and how they ended.
    pub history: Vec<(u64, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    New,
    Existing,
    /// Accepted, not durable yet.
    Queued,
    Owned {
        task: u32,
        fence: u64,
        attempt: u32,
        value: u64,
    },
    /// No task was due.
    Nothing,
    Done,
    Record(Option<Seen>),
    Refused(Refusal),
    /// The storage refused, and the call had no effect.
    Failed,
    /// The call found damage in the file and had no effect.
    Damaged,
    /// An error that no sound file gives.
    Other(String),
    /// The storage failed, and the effect of the call is not known.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    Called {
        client: String,
        call: Call,
    },
    Answered {
        client: String,
        answer: Answer,
    },
    /// The future of the call was dropped after so many polls.
    Dropped {
        client: String,
        polls: u32,
    },
    /// The process is about to be killed.
    Dying {
        process: String,
    },
    /// The process is gone. Clients are named `process.thread`.
    Dead {
        process: String,
    },
    /// Nothing of the calls that were dropped is under way any more.
    Settled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since 1970, by the clock that the tracker has.
    pub time: i64,
    pub event: Event,
}

enum Sink {
    File(File),
    Memory(Mutex<Vec<Entry>>),
}

/// Where clients write their entries.
pub struct Log {
    sink: Sink,
    now: Box<dyn Fn() -> i64 + Send + Sync>,
}

impl Log {
    /// A file that several processes may append to.
    pub fn file(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        Self { sink: Sink::File(file), now: Box::new(|| Utc::now().timestamp_micros()) }
    }

    pub fn memory(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { sink: Sink::Memory(Mutex::default()), now: Box::new(now) }
    }

    pub fn write(&self, event: Event) {
        let entry = Entry { time: (self.now)(), event };
        match &self.sink {
            Sink::File(file) => {
                // One write, so that entries of several processes do not mix. The line break before it keeps the entry
                // apart from one that a kill has cut off.
                let line = format!("\n{}\n", serde_json::to_string(&entry).unwrap());
                let mut file = file;
                file.write_all(line.as_bytes()).unwrap();
            }
            Sink::Memory(entries) => entries.lock().unwrap().push(entry),
        }
    }

    /// The entries of a log in memory.
    pub fn entries(self) -> Vec<Entry> {
        match self.sink {
            Sink::Memory(entries) => entries.into_inner().unwrap(),
            Sink::File(_) => unreachable!("a log in a file is read by its path"),
        }
    }
}

/// The entries of a log in a file. A kill may cut off one entry of each thread.
pub fn read(path: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// How many bytes the log has.
pub fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Keeps a rejected log and prints its path.
pub fn kept(entries: &[Entry]) -> String {
    let lines: Vec<_> = entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    let path = std::env::temp_dir().join(format!("tracker-oracle-{}.log", std::process::id()));
    match fs::write(&path, lines.join("\n")) {
        Ok(()) => format!("\nthe log is in {}", path.display()),
        Err(error) => format!("\nthe log could not be kept: {error}"),
    }
}
