//! Encodes a task as its stored payload, MessagePack with field names, and decodes it again, so that structs can change and tools can look inside.
//! Called by `api`, `portable/payload` and `model/payload`. Runs user code: payload codecs, and a task's `Deserialize` and migrations, guarded;
//! `Serialize`, ids and key values of a task that is encoded, and the `Deserialize` of `read`, unguarded. Touches no row.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod depth;
pub(crate) mod encoder;
mod field_sets;
mod migration;
mod payload_codec;
mod read_back;
mod stored;

pub(crate) use depth::{LEVELS, is_shallow};
pub use migration::OldPayload;
use migration::{ReadError, read_task};
pub use payload_codec::PayloadCodec;
pub(crate) use payload_codec::PayloadCodecs;
pub(crate) use stored::{StoredPayload, with_prefix, with_version};

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use crate::model::{
    bounds::{check_id, check_payload, check_values},
    error::{Error, ErrorKind, Result},
    kind::Kind,
    new_task::NewTask,
    panics::catch_panic,
    task::{TaskKey, TrackedTask},
    task_row::{TaskRow, Values},
    time::Micros,
    transition::Submit,
};
use encoder::EncodeError;
use field_sets::FieldSets;

/// The MessagePack bytes of a value without a version of its type: the payload that `Payload::of` makes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    encode_with(value, None)
}

/// The bytes of a task. It is decoded again if its structs have sets of field names that this process has not seen yet,
/// and refused if that fails.
fn encode_task<T: TrackedTask>(task: &T) -> Result<Vec<u8>> {
    let mut fields = FieldSets::of::<T>();
    let bytes = encode_with(task, Some(&mut fields))?;
    if fields.are_new() {
        read_back::check(task, &bytes)?;
        fields.remember();
    }
    Ok(with_version(bytes, T::VERSION))
}

fn encode_with<T: Serialize>(value: &T, fields: Option<&mut FieldSets>) -> Result<Vec<u8>> {
    let bytes = encoder::payload(value, fields).map_err(|error| match error {
        EncodeError::TooDeep => too_deep(),
        EncodeError::Failed(_) => Error::caused(
            ErrorKind::Invalid,
            format!("the task cannot be stored, its serialization failed: {error}"),
            error,
        ),
    })?;
    check_payload(&bytes)?;
    Ok(bytes)
}

fn too_deep() -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!(
            "the task's payload is nested deeper than {LEVELS} levels, which is the limit: store deep trees as a list of nodes with the numbers of their parents"
        ),
    )
}

/// Refuses bytes that the tracker has not encoded itself if they are too large or nested too deep.
pub(crate) fn check_bytes(payload: &[u8]) -> Result<()> {
    check_payload(payload)?;
    let Some(stored) = StoredPayload::read(payload) else {
        return Err(Error::invalid("the bytes before the task's payload are damaged: it is no stored payload"));
    };
    if stored.codec.is_some() || is_shallow(stored.bytes) { Ok(()) } else { Err(too_deep()) }
}

/// Decodes a stored payload as its type.
pub(crate) fn decode<T: TrackedTask>(codecs: &PayloadCodecs, kind: &str, id: &TaskKey, stored: &[u8]) -> Result<T> {
    let plain = codecs.open(stored).map_err(|error| unreadable::<T>(kind, id, error))?;
    decode_plain(kind, id, &plain)
}

/// Decodes a stored payload as its type. Also returns the plain bytes, unless a payload would be stored in another form now.
pub(crate) fn decode_claimed<T: TrackedTask>(
    codecs: &PayloadCodecs,
    kind: &str,
    id: &TaskKey,
    stored: Vec<u8>,
) -> Result<(T, Vec<u8>)> {
    let is_current = codecs.is_current(&stored);
    let opened = match codecs.open(&stored) {
        Ok(Cow::Borrowed(_)) => None,
        Ok(Cow::Owned(plain)) => Some(plain),
        Err(error) => return Err(unreadable::<T>(kind, id, error)),
    };
    let plain = opened.unwrap_or(stored);
    let task = decode_plain(kind, id, &plain)?;
    Ok((task, if is_current { plain } else { Vec::new() }))
}

fn named<T>(kind: &str, id: &TaskKey) -> String {
    format!("{kind} \"{id}\" cannot be read as {}", std::any::type_name::<T>())
}

fn unreadable<T>(kind: &str, id: &TaskKey, error: ReadError) -> Error {
    let mut what = format!("{}: {error}", named::<T>(kind, id));
    if let ReadError::Malformed(error) = &error
        && let Some(field) = read_back::missing_field(error)
    {
        let fix =
            format!("write #[serde(default)] above `{field}` if it is newer than the task, or store the task anew");
        what = format!("{what}; {fix}");
    }
    Error::caused(ErrorKind::Unreadable, what, error)
}

fn decode_plain<T: TrackedTask>(kind: &str, id: &TaskKey, plain: &[u8]) -> Result<T> {
    let old = StoredPayload::read(plain).map(|stored| stored.version).filter(|version| *version < T::VERSION);
    let read = catch_panic(|| read_task::<T>(plain)).map_err(|panic| {
        let code = old.map_or_else(
            || "its deserialization".to_owned(),
            |version| format!("the migration of its payload from version {version} to {}", T::VERSION),
        );
        Error::new(ErrorKind::Unreadable, format!("{}: {code} panicked: {panic}", named::<T>(kind, id)))
    })?;
    let task = read.map_err(|error| unreadable::<T>(kind, id, error))?;
    // No outcome of a task with another id could be stored.
    match old.and_then(|_| task.task_id()) {
        Some(own) if own != *id => Err(Error::new(
            ErrorKind::Unreadable,
            format!(
                "{}: the migration of its payload changed its id to \"{own}\", and an id stays",
                named::<T>(kind, id)
            ),
        )),
        _ => Ok(task),
    }
}

/// Decodes a value. Bytes that are nested deeper than the limit are refused before the type's own code sees them.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    if !is_shallow(bytes) {
        return Err(serde::de::Error::custom(format!("it is nested deeper than {LEVELS} levels, which is the limit")));
    }
    T::deserialize(&mut rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable())
}

/// The values of the indexes and unique keys of a stored payload.
pub(crate) fn values<T: TrackedTask>(codecs: &PayloadCodecs, payload: &[u8]) -> Option<Values> {
    let plain = codecs.open(payload).ok()?;
    catch_panic(|| {
        let task: T = read_task(&plain).ok()?;
        Some((task.index_values(), task.unique_values()))
    })
    .ok()?
}

/// Decodes a payload as the type that is open under a kind's name.
#[cfg(feature = "json")]
pub(crate) type Typed = fn(&[u8]) -> Option<TypedParts>;

/// The parts of a task that its payload determines.
#[cfg(feature = "json")]
pub(crate) struct TypedParts {
    pub id: Option<TaskKey>,
    pub values: Values,
    pub fingerprint: Option<u64>,
    pub priority: Option<u8>,
}

/// The parts that a payload determines as its type; `None` if it cannot be decoded, or a codec has encoded it.
#[cfg(feature = "json")]
pub(crate) fn typed_parts<T: TrackedTask>(payload: &[u8]) -> Option<TypedParts> {
    catch_panic(|| {
        let task: T = read_task(payload).ok()?;
        Some(TypedParts {
            id: task.task_id(),
            values: (task.index_values(), task.unique_values()),
            fingerprint: task.fingerprint(),
            priority: task.priority(),
        })
    })
    .ok()?
}

/// The stored row of a task whose id is known. Refused if the task has another id.
pub(crate) fn task_row<T: TrackedTask>(codecs: &PayloadCodecs, id: &TaskKey, task: &T) -> Result<TaskRow> {
    encoded_row(codecs, plain_row(id, task)?)
}

/// Returns a plain row with its payload encoded by the payload codec of the tracker, if it has one.
pub(crate) fn encoded_row(codecs: &PayloadCodecs, row: TaskRow) -> Result<TaskRow> {
    Ok(TaskRow { payload: codecs.seal(row.payload)?, ..row })
}

/// The row of a task whose id is known, with its plain payload. Refused if the task has another id.
pub(crate) fn plain_row<T: TrackedTask>(id: &TaskKey, task: &T) -> Result<TaskRow> {
    if let Some(own) = task.task_id()
        && own != *id
    {
        return Err(Error::invalid(format!(
            "the task's id was changed from \"{id}\" to \"{own}\": an id stays; submit another task instead"
        )));
    }
    let row = TaskRow {
        id: id.clone(),
        indexes: task.index_values(),
        uniques: task.unique_values(),
        payload: encode_task(task)?,
    };
    check_values(&row.indexes)?;
    check_values(&row.uniques)?;
    Ok(row)
}

/// The new priority of a task whose value named another one before; `None` if the priority is unchanged.
pub(crate) fn changed_priority<T: TrackedTask>(kind: &Kind, before: Option<u8>, task: &T) -> Option<u8> {
    let after = task.priority();
    (after != before).then(|| after.unwrap_or(kind.policy.priority))
}

/// A task as it is submitted.
pub(crate) fn new_task<T: TrackedTask>(
    codecs: &PayloadCodecs,
    kind: &Kind,
    task: &T,
    due: Option<Micros>,
    priority: Option<u8>,
) -> Result<NewTask> {
    let id = task.task_id();
    if let Some(id) = &id {
        check_id(id)?;
    }
    let (indexes, uniques) = (task.index_values(), task.unique_values());
    check_values(&indexes)?;
    check_values(&uniques)?;
    // First, since it refuses a payload that is nested too deep.
    let payload = codecs.seal(encode_task(task)?)?;
    let named = priority.or(task.priority());
    let (priority, sets_priority) = (named.unwrap_or(kind.policy.priority), named.is_some());
    let submit = Submit {
        due,
        priority,
        sets_priority,
        fingerprint: task.fingerprint(),
        batch: None,
        scheduled_at: None,
        max_wait: None,
        trace: None,
    };
    Ok(NewTask { kind: kind.id, id, indexes, uniques, payload, submit, throttle: None, dependencies: Vec::new() })
}
