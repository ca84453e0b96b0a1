//! Converts attempts to JSON and back. Called by `task` and `imported_task`; pure, except that `cut_texts` runs the user's function of
//! `Options::redact`.

use serde::{Deserialize, Serialize};

use super::timestamp::{Recorded, Timestamp};
use crate::{
    api::shared::Shared,
    model::{
        bounds::{MANY, NAME, TEXT, cut, shorten},
        kind::Kind,
        payload::{Node, Payload},
        transition::{Annotations, AttemptStatus, Failure, StoredAttempt},
    },
};

/// An attempt that has ended, or just what went wrong in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum History {
    Error(String),
    Attempt(Box<PortableAttempt>),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PortableAttempt {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    worker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    /// How long the handler ran by a monotonic clock, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<AttemptStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<(String, Payload)>,
}

impl History {
    pub(super) fn attempt(self) -> PortableAttempt {
        match self {
            Self::Error(error) => PortableAttempt { failure: Some(Failure::new(error)), ..PortableAttempt::default() },
            Self::Attempt(attempt) => *attempt,
        }
    }
}

impl PortableAttempt {
    pub(super) fn of(kind: &Kind, ended: &StoredAttempt) -> Self {
        let step = kind.graph.steps().nth(usize::from(ended.step)).filter(|name| !name.is_empty());
        Self {
            fence: Some(ended.fence),
            attempt: Some(ended.attempt),
            step: step.map(str::to_owned),
            worker: ended.worker.clone(),
            started: Some(Timestamp(ended.started)),
            ended: Some(Timestamp(ended.ended)),
            run_us: ended.run,
            status: Some(ended.status),
            failure: ended.failure.clone(),
            notes: ended.annotations.notes.clone(),
            metrics: ended
                .annotations
                .metrics
                .iter()
                .map(|(name, value)| (name.clone(), Payload::from_bytes(Node::F64(*value).bytes())))
                .collect(),
        }
    }

    /// The stored attempt. Fields that the line lacks come from the task. Times in the future are refused.
    pub(super) fn ended(
        self,
        kind: &Kind,
        number: u32,
        fence: u64,
        (updated, times): (i64, Recorded),
    ) -> Result<StoredAttempt, String> {
        let default = if self.failure.is_some() { AttemptStatus::Failed } else { AttemptStatus::Succeeded };
        let step = match &self.step {
            None => 0,
            Some(name) => kind.graph.step_named(name).ok_or_else(|| format!("there is no step {name:?}"))?,
        };
        let metric = |(name, value): (String, Payload)| match value.node() {
            Some(Node::F64(value)) => Ok((name, value)),
            _ => value.to().map(|value| (name.clone(), value)).map_err(|_| format!("the metric {name:?} is no number")),
        };
        let end = self.ended.map_or(Ok(updated), |stamp| stamp.recorded("ended", times))?;
        Ok(StoredAttempt {
            fence: self.fence.unwrap_or(fence),
            attempt: self.attempt.unwrap_or(number),
            step,
            worker: self.worker,
            started: self.started.map_or(Ok(end), |stamp| stamp.recorded("started", times))?,
            ended: end,
            run: self.run_us,
            status: self.status.unwrap_or(default),
            failure: self.failure,
            annotations: Annotations {
                notes: self.notes,
                metrics: self.metrics.into_iter().map(metric).collect::<Result<_, _>>()?,
            },
        })
    }
}

/// Cuts the texts of an attempt at the limits that handlers have, plus 64 bytes for the note of an earlier cut.
pub(super) fn cut_texts(shared: &Shared, ended: &mut StoredAttempt) {
    let text = |text: String| shared.text(text, TEXT + 64);
    ended.worker = shorten(std::mem::take(&mut ended.worker), NAME + 64);
    if let Some(failure) = &mut ended.failure {
        failure.error = text(std::mem::take(&mut failure.error));
        failure.debug = text(std::mem::take(&mut failure.debug));
        failure.causes = cut(std::mem::take(&mut failure.causes), MANY).into_iter().map(text).collect();
    }
    let annotations = &mut ended.annotations;
    annotations.notes = cut(std::mem::take(&mut annotations.notes), MANY).into_iter().map(text).collect();
    annotations.metrics.truncate(MANY);
}
