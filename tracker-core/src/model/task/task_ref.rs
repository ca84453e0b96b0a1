//! `TaskRef` identifies a task in a file by its kind and its sequence number. Used by all other folders except `dispatch` and `portable`;
//! plain data.

/// A task by the number of its kind and its sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskRef {
    pub kind: u32,
    pub seq: u64,
}

impl std::fmt::Display for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "task {} of kind {}", self.seq, self.kind)
    }
}
