//! `TaskPage`: one task: its record, why it is not running, its dependencies, and its payload as JSON up to a limit. Called by `routes`; reads
//! the tracker.

use std::io::{self, Write};

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    dependency::{Dependency, TaskName},
    inspect::{Explanation, KindInfo},
    task::TaskKey,
    untyped::Payload,
};

use super::UntypedRecord;
use crate::{
    failure::Failure,
    params::{Params, id_param, link, parse_id_param},
};

pub struct TaskPage {
    pub kind: KindInfo,
    pub record: UntypedRecord,
    pub why: Explanation,
    /// The first ones that it waits for.
    pub dependencies: Vec<Dependency>,
    /// The first ones that wait for it.
    pub dependents: Vec<TaskName>,
    pub batch: Option<String>,
    pub payload: PayloadText,
    pub now: DateTime<Utc>,
}

/// A payload as JSON.
pub struct PayloadText {
    pub text: String,
    /// Whether the text is only the beginning.
    pub is_cut: bool,
    /// The size of the stored payload in bytes.
    pub stored: usize,
}

/// The longest payload that is shown, in bytes of JSON.
const SHOWN: usize = 64 << 10;
/// The number of dependencies and dependents that are shown.
pub const NEIGHBOURS: usize = 20;

/// The task that a request names.
pub fn named(params: &Params) -> Result<(&str, TaskKey), Failure> {
    let kind = params.get("kind").ok_or_else(|| Failure::invalid("name a kind, as in task?kind=NAME&id=text:ID"))?;
    let id = params.get("id").and_then(parse_id_param);
    Ok((kind, id.ok_or_else(|| Failure::invalid("name a task by its id, as in task?kind=NAME&id=text:ID"))?))
}

/// Reads a task, or says that it is gone.
fn record(tracker: &Tracker, kind: &str, id: &TaskKey) -> Result<UntypedRecord, Failure> {
    let gone = || Failure::not_found(format!("there is no {kind} \"{id}\": it was deleted, or never submitted"));
    tracker.untyped(kind)?.get(id)?.ok_or_else(gone)
}

/// The page of the task that has an id as people write it, in the named kind or in any.
pub fn found(tracker: &Tracker, params: &Params) -> Result<String, Failure> {
    let id = params.get("id").ok_or_else(|| Failure::invalid("write the id of a task"))?;
    let (tasks, id) = tracker.find_by_id_text(params.get("kind"), id.trim())?;
    Ok(link("task", [("kind", tasks.name()), ("id", &id_param(&id))]))
}

impl TaskPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let (name, id) = named(params)?;
        let record = record(tracker, name, &id)?;
        let tasks = tracker.untyped(name)?;
        let mut dependencies = if record.waits_for > 0 { tasks.dependencies(&id)? } else { Vec::new() };
        dependencies.truncate(NEIGHBOURS);
        let batch = record.batch.map(|number| tracker.batch_numbered(number)).transpose()?.flatten();
        Ok(Self {
            kind: tasks.info()?,
            why: tasks.explain(&id)?,
            dependencies,
            dependents: tasks.dependents(&id, NEIGHBOURS)?,
            batch: batch.map(|batch| batch.label().to_owned()),
            payload: PayloadText::of(&record.task),
            record,
            now: tracker.now(),
        })
    }
}

/// The whole payload of a task as JSON.
pub fn whole_payload(tracker: &Tracker, params: &Params) -> Result<String, Failure> {
    let (kind, id) = named(params)?;
    let record = record(tracker, kind, &id)?;
    serde_json::to_string(&record.task)
        .map_err(|error| Failure::unavailable(format!("the payload is no JSON: {error}")))
}

impl PayloadText {
    fn of(payload: &Payload) -> Self {
        let mut text = Beginning { bytes: Vec::new(), is_cut: false };
        // A payload that is cut ends its writing with an error; no other error can happen.
        let _ = serde_json::to_writer_pretty(&mut text, payload);
        let Beginning { bytes, is_cut } = text;
        Self { text: String::from_utf8_lossy(&bytes).into_owned(), is_cut, stored: payload.as_bytes().len() }
    }
}

/// Keeps the beginning of what is written, and refuses the rest.
struct Beginning {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = SHOWN.saturating_sub(self.bytes.len());
        if bytes.len() > room {
            self.is_cut = true;
            self.bytes.extend(&bytes[..room]);
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
