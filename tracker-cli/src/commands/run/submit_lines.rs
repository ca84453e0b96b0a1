//! Submits lines as the input delivers them.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use super::{input::Batch, line_numbers::LineNumbers, runner::Runner};
use crate::error::CliError;

/// How often the wait for input checks for a stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Submits lines until the input ends or the run stops. Then the workers end when no line is left.
pub fn submit_lines(batches: &Receiver<Batch>, mut numbers: LineNumbers<'_>, runner: &Runner<'_>) {
    while !runner.stop.is_stopped() {
        match batches.recv_timeout(STOP_CHECK) {
            Ok(batch) => {
                if let Err(error) = submit_batch(batch, &mut numbers, runner) {
                    runner.fail(error);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    runner.stop.finish();
}

fn submit_batch(batch: Batch, numbers: &mut LineNumbers<'_>, runner: &Runner<'_>) -> Result<(), CliError> {
    let mut lines = batch.map_err(|error| CliError::file(format!("cannot read the input: {error}")))?;
    Ok(runner.output.more_lines(|| numbers.submit(&mut lines))?)
}
