use bincode::{Decode, Encode};

use super::Stored;
use crate::rules::{Ended, Ending, Failure, Remarks};

#[derive(Encode, Decode)]
pub(crate) struct EndedRecord {
    fence: u64,
    attempt: u32,
    step: u16,
    worker: String,
    started: i64,
    ended: i64,
    run: Option<u64>,
    ending: u8,
    failure: Option<FailureRecord>,
    notes: Vec<String>,
    metrics: Vec<(String, f64)>,
}

#[derive(Encode, Decode)]
struct FailureRecord {
    error: String,
    causes: Vec<String>,
    debug: String,
    panicked: bool,
}

impl Stored for Ended {
    type Record = EndedRecord;

    fn to_record(&self) -> EndedRecord {
        EndedRecord {
            fence: self.fence,
            attempt: self.attempt,
            step: self.step,
            worker: self.worker.clone(),
            started: self.started,
            ended: self.ended,
            run: self.run,
            ending: ending_code(self.ending),
            failure: self.failure.as_ref().map(|failure| FailureRecord {
                error: failure.error.clone(),
                causes: failure.causes.clone(),
                debug: failure.debug.clone(),
                panicked: failure.panicked,
            }),
            notes: self.remarks.notes.clone(),
            metrics: self.remarks.metrics.clone(),
        }
    }

    fn from_record(record: EndedRecord) -> Result<Self, &'static str> {
        let ending = Ending::ALL.into_iter().find(|ending| ending_code(*ending) == record.ending);
        Ok(Self {
            fence: record.fence,
            attempt: record.attempt,
            step: record.step,
            worker: record.worker,
            started: record.started,
            ended: record.ended,
            run: record.run,
            ending: ending.ok_or("its ending is unknown")?,
            failure: record.failure.map(|failure| Failure {
                error: failure.error,
                causes: failure.causes,
                debug: failure.debug,
                panicked: failure.panicked,
            }),
            remarks: Remarks { notes: record.notes, metrics: record.metrics },
        })
    }
}

/// The number of an ending on disk. Stable.
fn ending_code(ending: Ending) -> u8 {
    match ending {
        Ending::Succeeded => 0,
        Ending::Failed => 1,
        Ending::GaveUp => 2,
        Ending::Ignored => 3,
        Ending::Snoozed => 4,
        Ending::Parked => 5,
        Ending::Released => 6,
        Ending::Crashed => 7,
        Ending::TakenOver => 8,
        Ending::Cancelled => 9,
    }
}
