//! `AttemptView`: an attempt that has ended, as `show` prints it. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{
    inspect::KindInfo,
    record::{Attempt, AttemptStatus},
};

use crate::output::TextStyle;

#[derive(Serialize)]
pub struct AttemptView {
    pub attempt: u32,
    pub fence: u64,
    pub step: String,
    pub worker: String,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub seconds: f64,
    pub status: &'static str,
    pub failure: Option<FailureView>,
    pub notes: Vec<String>,
    pub metrics: Vec<(String, f64)>,
}

#[derive(Serialize)]
pub struct FailureView {
    pub error: String,
    pub causes: Vec<String>,
    pub debug: String,
    pub panicked: bool,
}

impl AttemptView {
    pub fn new(attempt: Attempt, kind: &KindInfo) -> Self {
        Self {
            attempt: attempt.attempt,
            fence: attempt.fence,
            step: kind.steps.get(usize::from(attempt.step)).cloned().unwrap_or_default(),
            worker: attempt.worker,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            seconds: attempt.duration.as_secs_f64(),
            status: attempt.status.name(),
            failure: attempt.failure.map(|failure| FailureView {
                error: failure.error,
                causes: failure.causes,
                debug: failure.debug,
                panicked: failure.panicked,
            }),
            notes: attempt.notes,
            metrics: attempt.metrics,
        }
    }

    pub fn style(&self) -> TextStyle {
        match self.status {
            status if status == AttemptStatus::Succeeded.name() => TextStyle::Good,
            status if status == AttemptStatus::Failed.name() || status == AttemptStatus::Interrupted.name() => {
                TextStyle::Warn
            }
            status if status == AttemptStatus::GaveUp.name() || status == AttemptStatus::Crashed.name() => {
                TextStyle::Bad
            }
            _ => TextStyle::Quiet,
        }
    }
}
