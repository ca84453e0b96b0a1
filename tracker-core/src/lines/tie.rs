use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::{
    batch::check_label,
    engine::Writer,
    error::{Error, Result},
    need::Dependency,
    rules::{Batch, Otherwise},
    store::{Kind, Tie, TieOn},
    task::TaskKey,
};

/// One that a task still waits for: a task by its kind and id, or a batch by its label; or one that is deleted, of which the
/// task has not heard yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum NeedLine {
    Task { kind: String, id: Value, otherwise: String },
    Batch { batch: String, otherwise: String },
    Deleted { deleted: (), otherwise: String },
}

impl NeedLine {
    pub(super) fn of((on, otherwise): (Option<Dependency>, Otherwise)) -> Self {
        let otherwise = otherwise.name().to_owned();
        match on {
            Some(Dependency::Task(name)) => Self::Task { kind: name.kind, id: Value::of_id(&name.id), otherwise },
            Some(Dependency::Batch { label }) => Self::Batch { batch: label, otherwise },
            None => Self::Deleted { deleted: (), otherwise },
        }
    }

    /// What is waited for; `None` if it comes no more.
    pub(super) fn awaited(&self) -> Result<Option<Awaited>> {
        match self {
            Self::Batch { batch, .. } => Ok(Some(Awaited::Batch(batch.clone()))),
            Self::Task { kind, id, .. } => match id.id() {
                Some(id) => Ok(Some(Awaited::Task(kind.clone(), id))),
                None => Err(Error::invalid("it waits for a task whose id is none")),
            },
            Self::Deleted { .. } => Ok(None),
        }
    }

    pub(super) fn otherwise(&self) -> Result<Otherwise> {
        let (Self::Task { otherwise, .. } | Self::Batch { otherwise, .. } | Self::Deleted { otherwise, .. }) = self;
        Otherwise::from_name(otherwise)
            .ok_or_else(|| Error::invalid(format!("{otherwise:?} is no choice: write wait, skip, cancel or run")))
    }
}

/// What a task waits for, by the name that it has in every file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Awaited {
    Task(String, TaskKey),
    Batch(String),
}

impl Awaited {
    /// The tie to it; `None` where it is not in the file.
    pub(super) fn tie(&self, writer: &mut Writer<'_>, otherwise: Otherwise) -> Result<Option<Tie>> {
        let on = match self {
            Self::Batch(label) => writer.rows().with_label(label)?.map(TieOn::Batch),
            Self::Task(kind, id) => {
                let kind: Option<Arc<Kind>> = writer.kinds().find(|known| known.name == *kind);
                match kind {
                    Some(kind) if writer.rows().with_id(kind.id, id)?.is_some() => {
                        Some(TieOn::Task { kind: kind.id, id: id.clone() })
                    }
                    _ => None,
                }
            }
        };
        Ok(on.map(|on| Tie { on, otherwise }))
    }

    /// Why a line is refused that waits for it.
    pub(super) fn is_absent(&self) -> Error {
        Error::invalid(format!("it waits for {self}, which is neither in the file nor in the lines: put that in first"))
    }
}

impl fmt::Display for Awaited {
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
