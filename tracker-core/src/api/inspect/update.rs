//! Replaces a payload without its type: index values and the priority follow their fields, and a change that needs the type is refused. Called by
//! users and `api/live/perform`; reads the task, and writes it through `Engine`. If another payload waits for the end of an expired lease,
//! first ends the expired leases of the kind.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::not_found;
use crate::{
    api::{schema::Untyped, tasks::Tasks},
    engine::{Rescue, Scope, Target, TaskCommand},
    model::{
        bounds::check_values,
        codec::check_bytes,
        error::{Error, Reason, Result},
        kind::Kind,
        payload::{Node, Payload},
        task::{IndexValue, TaskId},
        task_row::TaskRow,
        transition::Command,
    },
};

impl Tasks<Untyped> {
    /// Replaces the stored task if it has no lease and still has this revision (see [`Record::revision`]).
    ///
    /// The values of indexes follow their fields, and the priority follows the field marked with `#[task(priority)]`, as the file's definition of
    /// the kind names them. Changes that need the task's type are refused: a change of
    /// the id, of a field of a unique key, or of an indexed field whose form is not known. A type that computes its id or
    /// its keys by hand from several fields should be changed by a program that knows it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// let jobs = tracker.untyped("job")?;
    /// let record = jobs.get("one")?.expect("it was submitted");
    /// let mut value = serde_json::to_value(&record.task)?;
    /// value["host"] = "b".into();
    /// jobs.replace("one", record.revision, &serde_json::from_value(value)?)?;
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`Record::revision`]: crate::Record::revision
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Stale`](crate::ErrorKind::Stale) if it was changed since `revision`.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has one of its unique keys.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the payload is too large, or if only a program with
    ///   the Rust type can make the change.
    pub fn replace(&self, id: impl TaskId, revision: u32, payload: &Payload) -> Result<()> {
        let id = id.to_key();
        check_bytes(payload.as_bytes())?;
        let engine = &self.shared.engine;
        let now = engine.now();
        let (kind, found) = engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let Some(task) = rows.look_up(&kind, &id)? else { return Ok((kind, None)) };
            let Some(header) = rows.header(task)? else { return Ok((kind, None)) };
            Ok((kind, Some((task, header.revision, rows.changeable(task, &header, now)?))))
        })?;
        let Some((task, stored_revision, (row, revision_without_lease))) = found else {
            return Err(not_found(&kind, &id));
        };
        if revision_without_lease != stored_revision {
            // A successor waits for the end of an expired lease. End the expired leases of the kind, so that the next read returns the successor.
            engine.call(Rescue { kind: Some(kind.id), scope: Scope::Expired })?;
        }
        if revision_without_lease != revision {
            return Err(kind.refuse(id, Reason::Stale));
        }
        let priority = followed_priority(&kind, &row, payload)?;
        let row = replaced(&kind, &row, payload)?;
        let update = Command::Update { revision, priority };
        let command = TaskCommand::new(kind.id, Target::Known(task, id.clone()), update);
        engine.call(TaskCommand { row: Some(row), ..command }).map(drop)
    }
}

/// The new priority, if the field that holds the priority by the kind's definition is changed.
fn followed_priority(kind: &Kind, old: &TaskRow, payload: &Payload) -> Result<Option<u8>> {
    let Some(field) = &kind.priority_field else { return Ok(None) };
    let (Some(before), Some(after)) = (Node::of_stored(&old.payload), payload.node()) else { return Ok(None) };
    let fields = Fields { before: &before, after: &after };
    if !fields.differs(field) {
        return Ok(None);
    }
    match after.field(field) {
        Some(Node::Unsigned(number)) if let Ok(priority) = u8::try_from(*number) => Ok(Some(priority)),
        None | Some(Node::Nil) => Ok(Some(kind.policy.priority)),
        Some(_) => Err(Error::invalid(format!(
            "cannot replace {} \"{}\": its field {field:?} holds the priority, which is a number from 0 to 255",
            kind.name, old.id
        ))),
    }
}

/// The stored bytes of a payload in the version of the one that it replaces. A payload that names another version is refused.
fn keeping_version(old: &TaskRow, payload: &Payload) -> Result<Vec<u8>> {
    let version = Payload::from_bytes(old.payload.clone()).version();
    match payload.version() {
        own if own == version => Ok(payload.as_bytes().to_vec()),
        // Made without a version.
        1 => payload.clone().with_version(version).map(|payload| payload.as_bytes().to_vec()),
        own => Err(Error::invalid(format!(
            "cannot replace the payload of \"{}\", which has version {version}, by one of version {own}: give it the stored version",
            old.id
        ))),
    }
}

/// The row with another payload, with its keys changed to match; refused if they cannot be.
fn replaced(kind: &Kind, old: &TaskRow, payload: &Payload) -> Result<TaskRow> {
    let refuse = |what: String| {
        Error::invalid(format!(
            "{} \"{}\" cannot be changed so without its type: {what}; change it in a program that knows the type (Tasks::update)",
            kind.name, old.id
        ))
    };
    if let Some(name) = Payload::from_bytes(old.payload.clone()).codec_name() {
        return Err(refuse(format!("its payload is encoded with {name:?}")));
    }
    let (before, after) = (Node::of_stored(&old.payload), payload.node());
    let (Some(before @ Node::Map(_)), Some(after @ Node::Map(_))) = (before, after) else {
        return Err(refuse("it is not a map of fields".to_owned()));
    };
    let fields = Fields { before: &before, after: &after };
    if let Some(field) = fields.changed().find(|field| {
        fields.was(field).and_then(|node| like(old.id.as_bytes(), node)).as_deref() == Some(old.id.as_bytes())
    }) {
        return Err(refuse(format!("its field {field:?} holds its id, and an id stays")));
    }
    let mut indexes = Vec::with_capacity(old.indexes.len());
    for (name, value) in kind.indexes.iter().zip(&old.indexes) {
        indexes.push(fields.followed(name, value).map_err(refuse)?);
    }
    for (name, _) in &kind.uniques {
        let mut fields_of = fields.names().filter(|field| part_of(name, field)).peekable();
        if fields_of.peek().is_none() {
            return Err(refuse(format!("the fields of its unique key {name:?} cannot be told")));
        }
        if let Some(field) = fields_of.find(|field| fields.differs(field)) {
            return Err(refuse(format!("its field {field:?} belongs to the unique key {name:?}")));
        }
    }
    check_values(&indexes)?;
    Ok(TaskRow { id: old.id.clone(), indexes, uniques: old.uniques.clone(), payload: keeping_version(old, payload)? })
}

/// Whether a field may belong to a unique key: the key's name is the fields' names joined with `_`.
fn part_of(key: &str, field: &str) -> bool {
    format!("_{key}_").contains(&format!("_{field}_"))
}

/// The fields of a task before and after.
struct Fields<'n> {
    before: &'n Node,
    after: &'n Node,
}

impl<'n> Fields<'n> {
    fn was(&self, field: &str) -> Option<&'n Node> {
        self.before.field(field)
    }

    fn differs(&self, field: &str) -> bool {
        self.was(field) != self.after.field(field)
    }

    fn names(&self) -> impl Iterator<Item = &'n str> + use<'n> {
        let of = |node: &'n Node| if let Node::Map(entries) = node { entries.as_slice() } else { &[] };
        of(self.before).iter().chain(of(self.after)).filter_map(|(key, _)| match key {
            Node::Text(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn changed(&self) -> impl Iterator<Item = &'n str> {
        self.names().filter(|name| self.differs(name))
    }

    /// The encoded value of an index afterwards. Its form is proved by the value that it had before.
    fn followed(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, String> {
        if self.names().any(|field| field == name) {
            if !self.differs(name) {
                return Ok(value.to_vec());
            }
            let encoded = |node: Option<&Node>| like(value, node.unwrap_or(&Node::Nil));
            let proved = encoded(self.was(name)).as_deref() == Some(value);
            let after = if proved { encoded(self.after.field(name)) } else { None };
            return after.ok_or_else(|| format!("the form of its indexed field {name:?} cannot be told"));
        }
        // The field has another name in the payload, so every field that may be it must stay.
        let mut holders = self.names().filter(|field| {
            self.was(field).or(self.after.field(field)).and_then(|node| like(value, node)).as_deref() == Some(value)
                || (value == NONE && self.was(field).is_none_or(|node| *node == Node::Nil))
        });
        match holders.find(|field| self.differs(field)) {
            Some(field) => Err(format!("its field {field:?} may hold the value of the index {name:?}")),
            None => Ok(value.to_vec()),
        }
    }
}

/// How a field without a value is encoded.
const NONE: &[u8] = &[0];

/// The encoded value of a field, in the form in which another value of it is encoded; `None` if it has not this form.
fn like(form: &[u8], node: &Node) -> Option<Vec<u8>> {
    match (form.split_first()?, node) {
        ((1, _) | (0, []), Node::Nil) => Some(NONE.to_vec()),
        ((1, inner), node) => Some([&[1], like(inner, node)?.as_slice()].concat()),
        ((b's', _), Node::Text(text)) => Some(text.encoded()),
        ((b'i', _), Node::Unsigned(number)) => Some(number.encoded()),
        ((b'i', _), Node::Signed(number)) => Some(number.encoded()),
        ((b'i', _), Node::Bool(value)) => Some(value.encoded()),
        ((b'i', _), Node::Text(text)) => Some(text.parse::<DateTime<Utc>>().ok()?.encoded()),
        ((b'u', _), Node::Text(text)) => Some(text.parse::<Uuid>().ok()?.encoded()),
        ((b'b', _), Node::Bytes(bytes)) => Some(bytes.encoded()),
        // A path.
        ((b'b', _), Node::Text(text)) => Some(text.as_bytes().encoded()),
        ((b'b', _), Node::List(items)) => {
            let byte = |item: &Node| if let Node::Unsigned(byte) = item { u8::try_from(*byte).ok() } else { None };
            Some(items.iter().map(byte).collect::<Option<Vec<u8>>>()?.encoded())
        }
        _ => None,
    }
}
