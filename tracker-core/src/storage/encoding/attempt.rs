//! Encodes an attempt, in the history and in a header. Used by `encoding/header` and, as `Encodable`, by all reads and writes of the
//! history; pure.

use bincode::{Decode, Encode};

use super::Encodable;
use crate::model::transition::{Annotations, AttemptStatus, Failure, StoredAttempt};

#[derive(Encode, Decode)]
pub(crate) struct EncodedAttempt {
    fence: u64,
    attempt: u32,
    step: u16,
    worker: String,
    started: i64,
    ended: i64,
    run: Option<u64>,
    status: u8,
    failure: Option<EncodedFailure>,
    notes: Vec<String>,
    metrics: Vec<(String, f64)>,
}

#[derive(Encode, Decode)]
struct EncodedFailure {
    error: String,
    causes: Vec<String>,
    debug: String,
    panicked: bool,
}

impl Encodable for StoredAttempt {
    type Encoded = EncodedAttempt;

    fn to_encoded(&self) -> EncodedAttempt {
        EncodedAttempt {
            fence: self.fence,
            attempt: self.attempt,
            step: self.step,
            worker: self.worker.clone(),
            started: self.started,
            ended: self.ended,
            run: self.run,
            status: status_code(self.status),
            failure: self.failure.as_ref().map(|failure| EncodedFailure {
                error: failure.error.clone(),
                causes: failure.causes.clone(),
                debug: failure.debug.clone(),
                panicked: failure.panicked,
            }),
            notes: self.annotations.notes.clone(),
            metrics: self.annotations.metrics.clone(),
        }
    }

    fn from_encoded(record: EncodedAttempt) -> Result<Self, &'static str> {
        let status = AttemptStatus::ALL.into_iter().find(|status| status_code(*status) == record.status);
        Ok(Self {
            fence: record.fence,
            attempt: record.attempt,
            step: record.step,
            worker: record.worker,
            started: record.started,
            ended: record.ended,
            run: record.run,
            status: status.ok_or("its status is unknown")?,
            failure: record.failure.map(|failure| Failure {
                error: failure.error,
                causes: failure.causes,
                debug: failure.debug,
                panicked: failure.panicked,
            }),
            annotations: Annotations { notes: record.notes, metrics: record.metrics },
        })
    }
}

/// The number of a status on disk. Stable.
fn status_code(status: AttemptStatus) -> u8 {
    match status {
        AttemptStatus::Succeeded => 0,
        AttemptStatus::Failed => 1,
        AttemptStatus::GaveUp => 2,
        AttemptStatus::Ignored => 3,
        AttemptStatus::Snoozed => 4,
        AttemptStatus::Parked => 5,
        AttemptStatus::Released => 6,
        AttemptStatus::Crashed => 7,
        AttemptStatus::TakenOver => 8,
        AttemptStatus::Cancelled => 9,
        AttemptStatus::Interrupted => 10,
    }
}
