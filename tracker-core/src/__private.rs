//! Provides items that generated code of `tracker-derive` needs besides the public ones. Not part of the public interface.
//! `api/tasks/lookup` and `portable/value` use `join_encoded` too. Pure.

// Without a path to these through this crate, the compiler calls `TrackedTask` sealed if a `Serialize` is missing.
pub use serde::{Serialize, de::DeserializeOwned};
pub use uuid::Uuid;

pub use crate::model::task::{AmountField, ValueType};

use crate::model::status::{StatusGraph, TaskStatus};

/// The statuses of a type whose derive has reported a mistake.
pub const NO_STATUSES: StatusGraph = StatusGraph { name: "", steps: &[], statuses: &[] };

/// The status type of a task whose derive has reported a mistake.
#[derive(Clone, Copy, Debug)]
pub enum NoStatus {}

impl TaskStatus for NoStatus {
    const GRAPH: StatusGraph = NO_STATUSES;

    fn code(self) -> i32 {
        match self {}
    }

    fn from_code(_: i32) -> Option<Self> {
        None
    }
}

/// How a field without a value is encoded: `None::<T>`.
const NO_VALUE: &[u8] = &[0];

/// The value of a unique key of one field; empty, which binds no task, if the field has no value.
#[must_use]
pub fn unique_encoded(value: Vec<u8>) -> Vec<u8> {
    if value == NO_VALUE { Vec::new() } else { value }
}

/// The value of a unique key of several fields; empty, which binds no task, if one of them has no value. Otherwise each encoded value after its length (u32, little-endian), so that no
/// two lists of values share their bytes.
#[must_use]
pub fn join_encoded(values: &[Vec<u8>]) -> Vec<u8> {
    let mut joined = Vec::new();
    if values.iter().any(|value| value == NO_VALUE) {
        return joined;
    }
    for value in values {
        // No task holds a value of 4 GiB, so each length fits.
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        joined.extend_from_slice(&length.to_le_bytes());
        joined.extend_from_slice(value);
    }
    joined
}

/// Compiles if the type of a field can hold an amount of a need.
pub const fn check_amount<T: AmountField>() {}
