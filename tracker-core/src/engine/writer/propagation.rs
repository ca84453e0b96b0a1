//! `Propagation`: a task or batch that has ended, whose dependents do not know it yet. Made by `batches` and `dependencies`, gathered by
//! `Writer`, consumed by `dependencies` within one commit; the rest that a commit leaves is stored as a `PendingPropagation`. Plain data.

use crate::model::{task::TaskRef, transition::DependencyEnd};

/// The end of a task or a batch, and its name in messages.
pub(super) struct Propagation {
    pub target: TaskRef,
    pub name: String,
    pub end: DependencyEnd,
}

impl Propagation {
    pub(super) fn of_batch(number: u64, label: &str, end: DependencyEnd) -> Self {
        Self { target: TaskRef::of_batch(number), name: batch_name(label), end }
    }

    /// The reason stored with a dependent that is ignored or cancelled.
    pub(super) fn reason(&self) -> String {
        let name = &self.name;
        match self.end {
            DependencyEnd::Deleted => format!("it waited for {name}, which can succeed no more: it was deleted"),
            DependencyEnd::Failed(role) => format!("it waited for {name}, which is {role}"),
            DependencyEnd::Satisfied => format!("it waited for {name}"),
        }
    }
}

/// The name of a batch in messages.
pub(super) fn batch_name(label: &str) -> String {
    format!("the batch {label:?}")
}
