//! `Dependency` names a task or batch that another task waits for. Made by `api/dependencies`; read by users, `api/batch`, which names tasks
//! with `TaskName`, `model/transition/explain` and `portable/dependency`; plain data.

use std::fmt;

use crate::model::{task::TaskKey, transition::OnDependencyFailure};

/// A task by the name of its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct TaskName {
    /// The kind's name.
    pub kind: String,
    /// The task's id.
    pub id: TaskKey,
}

impl TaskName {
    /// Names a task by its kind and its id.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<TaskKey>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

/// The task or batch that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DependencyTarget {
    /// A task.
    Task(TaskName),
    /// A batch.
    Batch {
        /// Its label.
        label: String,
    },
}

/// A dependency of a task, and the effect of its end without success.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dependency {
    /// Which one.
    pub on: DependencyTarget,
    /// The chosen effect.
    pub on_failure: OnDependencyFailure,
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind, self.id)
    }
}

impl fmt::Display for DependencyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(name) => name.fmt(f),
            Self::Batch { label } => write!(f, "the batch {label:?}"),
        }
    }
}

/// The most dependencies that an explanation of a waiting task names.
pub(crate) const NAMED_MAX: usize = 10;
