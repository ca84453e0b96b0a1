//! `TaskRow` is the payload of a task with its keys: made by `model/codec`, `portable/payload`, `api/inspect/update` and `engine/action`.
//! `Progress` is the latest report of a handler: made by `api/execution`. Both are stored by `storage` and read by `engine`, `api` and
//! `maintenance/verify`; plain data.

use crate::model::{task::TaskKey, time::Micros};

/// The parts of a task besides its header: its id, its keys and its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskRow {
    pub id: TaskKey,
    /// The encoded value of each index.
    pub indexes: Vec<Vec<u8>>,
    /// The encoded value of each unique key.
    pub uniques: Vec<Vec<u8>>,
    /// MessagePack with field names.
    pub payload: Vec<u8>,
}

/// How far a running attempt is, in the words of its handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    pub message: String,
    pub at: Micros,
}

/// The encoded values of a task's indexes and unique keys.
pub(crate) type Values = (Vec<Vec<u8>>, Vec<Vec<u8>>);
