//! `TaskStatus` describes a status type to the tracker: data about codes, roles and steps. Implemented by the derive; read by `model/kind`
//! and `api`, which convert codes to statuses. Plain data.

mod graph;
mod role;

pub use graph::{Graph, GraphError, StatusInfo};
pub use role::Role;

/// An enum whose variants are the statuses of a task. Derive it.
///
/// ```
/// use tracker_core::TaskStatus;
///
/// #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// enum JobStatus {
///     Pending = 10,
///     InProgress = 20,
///     Failed = 30,
///     Succeeded = 40,
///     Ignored = 50,
/// }
///
/// assert_eq!(JobStatus::Failed.code(), 30);
/// assert_eq!(JobStatus::from_code(40), Some(JobStatus::Succeeded));
/// assert_eq!(JobStatus::from_code(41), None);
/// ```
pub trait TaskStatus: Copy + Send + Sync + 'static {
    /// Every status with its code, name, role and step, in the order of declaration.
    const GRAPH: StatusGraph;

    /// The integer that is stored for this status.
    fn code(self) -> i32;

    /// The status of a code, if the enum has it.
    fn from_code(code: i32) -> Option<Self>;
}

/// The statuses of an enum as constant data: what the derive emits.
#[derive(Clone, Copy, Debug)]
pub struct StatusGraph {
    /// The name of the enum, for messages.
    pub name: &'static str,
    /// The steps in their order. A type that declares none has the one step `""`.
    pub steps: &'static [&'static str],
    /// The statuses in their order of declaration.
    pub statuses: &'static [StatusDef],
}

/// One status as constant data.
#[derive(Clone, Copy, Debug)]
pub struct StatusDef {
    /// The integer on disk.
    pub code: i32,
    /// The variant's name.
    pub name: &'static str,
    /// Its meaning to the engine.
    pub role: Role,
    /// The position of its step in [`StatusGraph::steps`].
    pub step: u16,
}
