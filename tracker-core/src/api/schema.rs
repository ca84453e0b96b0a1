//! `Schema` gives a `Tasks` handle its kind: from the Rust type, or from the file (`Untyped`). Implemented for every tracked task; used by
//! all handles in `api`, and by `portable/export`. Decodes payloads, and touches no row.

use crate::model::{
    codec::{self, PayloadCodecs},
    error::Result,
    payload::Payload,
    status::{StatusInfo, TaskStatus},
    task::{TaskKey, TrackedTask},
};

/// The form in which tasks of a kind are read: values of their type, or [`Untyped`]. No other type implements it.
pub trait Schema: sealed::Sealed {}

/// In place of a type: the tasks of a kind as the file describes them. See [`Tracker::untyped`](crate::Tracker::untyped).
#[derive(Clone, Copy, Debug)]
pub enum Untyped {}

pub(crate) mod sealed {
    use super::{PayloadCodecs, Result, StatusInfo, TaskKey};

    /// The types in which a view shows stored tasks.
    pub trait Sealed: Sized + Send + 'static {
        /// The type of a payload.
        type Task;
        /// The type of a status.
        type Status;

        #[doc(hidden)]
        fn task(codecs: &PayloadCodecs, kind: &str, id: &TaskKey, payload: &[u8]) -> Result<Self::Task>;

        #[doc(hidden)]
        fn status(status: &StatusInfo) -> Option<Self::Status>;
    }
}

impl<T: sealed::Sealed> Schema for T {}

impl<T: TrackedTask> sealed::Sealed for T {
    type Task = T;
    type Status = T::Status;

    fn task(codecs: &PayloadCodecs, kind: &str, id: &TaskKey, payload: &[u8]) -> Result<T> {
        codec::decode(codecs, kind, id, payload)
    }

    fn status(status: &StatusInfo) -> Option<T::Status> {
        T::Status::from_code(status.code)
    }
}

impl sealed::Sealed for Untyped {
    type Task = Payload;
    type Status = StatusInfo;

    fn task(_: &PayloadCodecs, _: &str, _: &TaskKey, payload: &[u8]) -> Result<Payload> {
        Ok(Payload::from_bytes(payload.to_vec()))
    }

    fn status(status: &StatusInfo) -> Option<StatusInfo> {
        Some(status.clone())
    }
}
