//! Converts dependencies to JSON and back. Called by `task`, `export`, `import`, `imported_task` and `deferred`; looks up tasks and
//! batches, and opens a missing batch, through `Writer`.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::value::PortableId;
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

/// A dependency that a task still waits for: a task by its kind and id, or a batch by its label; or a deleted one, if the task
/// does not know yet that it was deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableDependency {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<PortableId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    pub on_failure: OnDependencyFailure,
}

impl PortableDependency {
    pub(super) fn of((on, on_failure): (Option<DependencyTarget>, OnDependencyFailure)) -> Self {
        let none = Self { kind: None, id: None, batch: None, deleted: false, on_failure };
        match on {
            Some(DependencyTarget::Task(name)) => Self { kind: Some(name.kind), id: Some(PortableId(name.id)), ..none },
            Some(DependencyTarget::Batch { label }) => Self { batch: Some(label), ..none },
            None => Self { deleted: true, ..none },
        }
    }

    /// The dependency; `None` if it was deleted.
    pub(super) fn awaited(&self) -> Result<Option<AwaitedDependency>> {
        match (&self.kind, &self.id, &self.batch, self.deleted) {
            (Some(kind), Some(id), None, false) => Ok(Some(AwaitedDependency::Task(kind.clone(), id.0.clone()))),
            (None, None, Some(batch), false) => Ok(Some(AwaitedDependency::Batch(batch.clone()))),
            (None, None, None, true) => Ok(None),
            _ => Err(Error::invalid(
                "a dependency has \"kind\" and \"id\", or \"batch\", or \"deleted\": true, and nothing more of these",
            )),
        }
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
