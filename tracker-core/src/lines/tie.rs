use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::value::Value;
use crate::{
    engine::Writer,
    error::{Error, Result},
    need::{Dependency, Need},
    rules::{Batch, Otherwise},
    store::{Kind, Tie, TieOn},
};

/// One that a task still waits for: a task by its kind and id, or a batch by its label.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum NeedLine {
    Task { kind: String, id: Value, otherwise: String },
    Batch { batch: String, otherwise: String },
}

impl From<Need> for NeedLine {
    fn from(need: Need) -> Self {
        let otherwise = need.otherwise.name().to_owned();
        match need.on {
            Dependency::Task(name) => Self::Task { kind: name.kind, id: Value::of_id(&name.id), otherwise },
            Dependency::Batch { label } => Self::Batch { batch: label, otherwise },
        }
    }
}

impl NeedLine {
    /// What it names in this file; refused where that is not there.
    pub(super) fn tie(&self, writer: &mut Writer<'_>) -> Result<Tie> {
        let absent = |what: String| {
            Error::invalid(format!(
                "it waits for {what}, which is not in the file: put that in first, or import the same lines again once it is"
            ))
        };
        let (on, otherwise) = match self {
            Self::Batch { batch, otherwise } => (TieOn::Batch(numbered(writer, batch)?), otherwise),
            Self::Task { kind, id, otherwise } => {
                let what = format!("{kind} {}", serde_json::to_string(id).unwrap_or_default());
                let known: Option<Arc<Kind>> = writer.kinds().find(|known| known.name == *kind);
                let (Some(kind), Some(id)) = (known, id.id()) else { return Err(absent(what)) };
                if writer.rows().with_id(kind.id, &id)?.is_none() {
                    return Err(absent(what));
                }
                (TieOn::Task { kind: kind.id, id }, otherwise)
            }
        };
        let otherwise = Otherwise::from_name(otherwise)
            .ok_or_else(|| Error::invalid(format!("{otherwise:?} is no choice: write wait, skip, cancel or run")))?;
        Ok(Tie { on, otherwise })
    }
}

/// The number of the batch with this label, which is made where there is none.
pub(super) fn numbered(writer: &mut Writer<'_>, label: &str) -> Result<u64> {
    if let Some(number) = writer.rows().with_label(label)? {
        return Ok(number);
    }
    let batch = Batch::new(label, writer.now());
    writer.add_batch(batch, None)
}
