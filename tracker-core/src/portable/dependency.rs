//! Dependencies as JSON. Called by `task` and `deferred`; pure.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::{
    api::batch::check_label,
    engine::Writer,
    model::{
        dependency::DependencyTarget,
        error::{Error, Result},
        kind::Kind,
        new_task::{DependencyRef, NewDependency},
        task::TaskKey,
        transition::{Batch, OnDependencyFailure},
    },
};

/// One that a task still waits for: a task by its kind and id, or a batch by its label; or one that is deleted, of which the
/// task has not heard yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum PortableDependency {
    Task { kind: String, id: Value, on_failure: String },
    Batch { batch: String, on_failure: String },
    Deleted { deleted: (), on_failure: String },
}

impl PortableDependency {
    pub(super) fn of((on, on_failure): (Option<DependencyTarget>, OnDependencyFailure)) -> Self {
        let on_failure = on_failure.name().to_owned();
        match on {
            Some(DependencyTarget::Task(name)) => {
                Self::Task { kind: name.kind, id: Value::of_id(&name.id), on_failure }
            }
            Some(DependencyTarget::Batch { label }) => Self::Batch { batch: label, on_failure },
            None => Self::Deleted { deleted: (), on_failure },
        }
    }

    /// The dependency; `None` if it was deleted.
    pub(super) fn awaited(&self) -> Result<Option<AwaitedDependency>> {
        match self {
            Self::Batch { batch, .. } => Ok(Some(AwaitedDependency::Batch(batch.clone()))),
            Self::Task { kind, id, .. } => match id.id() {
                Some(id) => Ok(Some(AwaitedDependency::Task(kind.clone(), id))),
                None => Err(Error::invalid("it waits for a task whose id is none")),
            },
            Self::Deleted { .. } => Ok(None),
        }
    }

    pub(super) fn on_failure(&self) -> Result<OnDependencyFailure> {
        let (Self::Task { on_failure, .. } | Self::Batch { on_failure, .. } | Self::Deleted { on_failure, .. }) = self;
        OnDependencyFailure::from_name(on_failure)
            .ok_or_else(|| Error::invalid(format!("{on_failure:?} is no choice: write wait, skip, cancel or run")))
    }
}

/// A dependency by the name that it has in every file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum AwaitedDependency {
    Task(String, TaskKey),
    Batch(String),
}

impl AwaitedDependency {
    /// The dependency on it; `None` if the file does not contain it.
    pub(super) fn new_dependency(
        &self,
        writer: &mut Writer<'_>,
        on_failure: OnDependencyFailure,
    ) -> Result<Option<NewDependency>> {
        let on = match self {
            Self::Batch(label) => writer.rows().with_label(label)?.map(DependencyRef::Batch),
            Self::Task(kind, id) => {
                let kind: Option<Arc<Kind>> = writer.kinds().find(|known| known.name == *kind);
                match kind {
                    Some(kind) if writer.rows().with_id(kind.id, id)?.is_some() => {
                        Some(DependencyRef::Task { kind: kind.id, id: id.clone() })
                    }
                    _ => None,
                }
            }
        };
        Ok(on.map(|on| NewDependency { on, on_failure }))
    }

    /// Why a line is refused that waits for it.
    pub(super) fn is_absent(&self) -> Error {
        Error::invalid(format!("it waits for {self}, which is neither in the file nor in the lines: put that in first"))
    }
}

impl fmt::Display for AwaitedDependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(label) => write!(f, "the batch {label:?}"),
            Self::Task(kind, id) => write!(f, "{kind} \"{id}\""),
        }
    }
}

/// The number of the batch with this label, and whether it was made because there was none.
pub(super) fn numbered(writer: &mut Writer<'_>, label: &str) -> Result<(u64, bool)> {
    if let Some(number) = writer.rows().with_label(label)? {
        return Ok((number, false));
    }
    check_label(label)?;
    let batch = Batch::new(label, writer.now());
    Ok((writer.add_batch(batch, None)?, true))
}
