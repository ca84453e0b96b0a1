//! Checks that a task that was encoded can be decoded again, with the same id. Called by `model/codec`; runs the user's `Deserialize`, guarded.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::model::{
    error::{Error, ErrorKind, Result},
    task::TrackedTask,
};

/// Refuses a task whose bytes cannot be read as its type, or have another id.
#[cold]
pub(super) fn check<T: TrackedTask>(task: &T, bytes: &[u8]) -> Result<()> {
    let id = task.task_id();
    let read = catch_unwind(AssertUnwindSafe(|| match super::read::<T>(bytes) {
        Ok(back) if back.task_id() == id => Ok(()),
        Ok(_) => {
            Err("its id is not the same then: the field with #[task(id)] must be stored, without #[serde(skip)]"
                .to_owned())
        }
        Err(error) => Err(advice(&error)),
    }));
    let what = match read {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(what)) => what,
        Err(panic) => {
            let what = format!("its Deserialize panics: {}", message(&*panic));
            // The drop of a panic's value may panic, too.
            std::mem::forget(panic);
            what
        }
    };
    let named = id.map_or_else(String::new, |id| format!(" \"{id}\""));
    Err(Error::new(
        ErrorKind::Invalid,
        format!("cannot store {}{named}: what serde writes of it cannot be read back: {what}", T::KIND),
    ))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// The problem and its solution.
fn advice(error: &rmp_serde::decode::Error) -> String {
    if let Some(field) = missing_field(error) {
        return format!(
            "{error}; write #[serde(default)] above `{field}`, as its value is left out (skip_serializing_if, skip_serializing)"
        );
    }
    if let Some(field) = field_of(error, "duplicate field `") {
        return format!(
            "{error}; rename one of the fields called `{field}`, or remove it from what is flattened (#[serde(flatten)])"
        );
    }
    format!("{error}; its Deserialize must accept what its Serialize writes")
}

/// The field that serde does not find.
pub(super) fn missing_field(error: &impl fmt::Display) -> Option<String> {
    field_of(error, "missing field `")
}

fn field_of(error: &impl fmt::Display, before: &str) -> Option<String> {
    let text = error.to_string();
    let (_, rest) = text.split_once(before)?;
    rest.split_once('`').map(|(field, _)| field.to_owned())
}
