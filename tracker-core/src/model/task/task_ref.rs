//! `TaskRef`: the number of a task in a file: its kind and its sequence number. Plain data, used by all layers as the key of a task.

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
