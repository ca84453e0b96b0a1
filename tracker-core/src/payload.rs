//! Payloads: what of a task is stored, and how it is read again. MessagePack with field names, so that structs can change
//! and tools can look inside.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    contain::contain,
    engine::{NewTask, Values},
    error::{Error, ErrorKind, Result},
    rules::Submit,
    store::{Body, Kind, check_id, check_payload, check_values},
    task::{TaskKey, TrackedTask},
    time::Micros,
};

pub(crate) fn encode<T: Serialize>(task: &T) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
    task.serialize(&mut writer).map_err(|error| {
        Error::caused(
            ErrorKind::Unwritable,
            format!("the task cannot be stored, its serialization failed: {error}"),
            error,
        )
    })?;
    check_payload(&bytes)?;
    Ok(bytes)
}

pub(crate) fn decode<T: TrackedTask>(kind: &str, id: &TaskKey, bytes: &[u8]) -> Result<T> {
    let named = || format!("{kind} \"{id}\" cannot be read as {}", std::any::type_name::<T>());
    match contain(|| read(bytes)) {
        Ok(read) => read.map_err(|error| Error::caused(ErrorKind::Unreadable, format!("{}: {error}", named()), error)),
        Err(panic) => {
            Err(Error::new(ErrorKind::Unreadable, format!("{}: its deserialization panicked: {panic}", named())))
        }
    }
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    T::deserialize(&mut rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable())
}

/// The values of the indexes and unique keys of a stored payload.
pub(crate) fn values<T: TrackedTask>(payload: &[u8]) -> Option<Values> {
    contain(|| {
        let task: T = read(payload).ok()?;
        Some((task.index_values(), task.unique_values()))
    })
    .ok()?
}

/// What a task says of itself.
#[cfg(feature = "json")]
pub(crate) struct Own {
    pub id: Option<TaskKey>,
    pub values: Values,
    pub fingerprint: Option<u64>,
}

/// What a stored payload says of itself as its type; `None` if it cannot be decoded.
#[cfg(feature = "json")]
pub(crate) fn own<T: TrackedTask>(payload: &[u8]) -> Option<Own> {
    contain(|| {
        let task: T = read(payload).ok()?;
        Some(Own {
            id: task.task_id(),
            values: (task.index_values(), task.unique_values()),
            fingerprint: task.fingerprint(),
        })
    })
    .ok()?
}

/// The body of a task whose id is known; refused if the task says another one.
pub(crate) fn body<T: TrackedTask>(id: &TaskKey, task: &T) -> Result<Body> {
    if let Some(own) = task.task_id()
        && own != *id
    {
        return Err(Error::invalid(format!(
            "the task's id was changed from \"{id}\" to \"{own}\": an id stays; submit another task instead"
        )));
    }
    let body =
        Body { id: id.clone(), indexes: task.index_values(), uniques: task.unique_values(), payload: encode(task)? };
    check_values(&body.indexes)?;
    check_values(&body.uniques)?;
    Ok(body)
}

/// A task as it is submitted.
pub(crate) fn new_task<T: TrackedTask>(
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
    let priority = priority.or(task.priority()).unwrap_or(kind.policy.priority);
    let submit = Submit { due, priority, fingerprint: task.fingerprint(), batch: None };
    Ok(NewTask { kind: kind.id, id, indexes, uniques, payload: encode(task)?, submit, needs: Vec::new() })
}
