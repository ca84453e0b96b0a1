use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use super::{input::Batch, numbers::Numbers, work::Work};
use crate::failure::Failure;

/// How soon a stop is heard.
const SOON: Duration = Duration::from_millis(100);

/// Puts the lines in as they come, until there are no more or the run is stopped. Then the workers end when nothing is
/// left.
pub fn feed(batches: &Receiver<Batch>, mut numbers: Numbers<'_>, work: &Work<'_>) {
    while !work.stop.is_stopped() {
        match batches.recv_timeout(SOON) {
            Ok(batch) => {
                if let Err(failure) = put(batch, &mut numbers, work) {
                    work.trouble(failure);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    work.stop.finish();
}

fn put(batch: Batch, numbers: &mut Numbers<'_>, work: &Work<'_>) -> Result<(), Failure> {
    let mut lines = batch.map_err(|error| Failure::file(format!("the input cannot be read: {error}")))?;
    work.screen.more_lines(numbers.submit(&mut lines)?);
    Ok(())
}
