//! Submits lines as `input` delivers them. Called by `run/mod`; writes tasks through `LineNumbers`.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use tracker_core::{
    Error, Tasks,
    inspect::{BlockedGroup, Explanation},
};

use super::{
    input::Batch,
    line::{Line, LineStatus},
    line_numbers::LineNumbers,
    runner::Runner,
};
use crate::error::CliError;

/// How often a wait checks for a stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Submits lines until the input ends or the run stops. Then the workers end when no line is left. On a server, that includes the lines that
/// other runs have claimed: if one of these runs dies, its lines run here when their leases have expired.
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
    while runner.is_shared && !runner.stop.is_stopped() {
        match nothing_will_run(runner.tasks) {
            Ok(true) => break,
            Ok(false) => thread::sleep(STOP_CHECK),
            Err(error) => return runner.fail(error.into()),
        }
    }
    runner.stop.finish();
}

/// Whether no line runs in any process, and none waits for its turn or its time. Lines of a paused kind and unreadable lines wait for a command.
fn nothing_will_run(tasks: &Tasks<Line>) -> Result<bool, Error> {
    let counts = tasks.counts()?;
    let left = [LineStatus::Pending, LineStatus::InProgress, LineStatus::Failed].map(|status| counts.get(status));
    if left.iter().sum::<u64>() == 0 {
        return Ok(true);
    }
    if counts.get(LineStatus::InProgress) > 0 {
        return Ok(false);
    }
    let plan = tasks.plan(1)?;
    let is_waiting = |group: &BlockedGroup| matches!(group.why, Explanation::NotDue { .. });
    let is_blocked = plan.paused || (plan.queued.count == 0 && !plan.rest.iter().any(is_waiting));
    // A line may have been claimed since the counts were read.
    Ok(is_blocked && tasks.counts()?.get(LineStatus::InProgress) == 0)
}

fn submit_batch(batch: Batch, numbers: &mut LineNumbers<'_>, runner: &Runner<'_>) -> Result<(), CliError> {
    let mut lines = batch.map_err(|error| CliError::file(format!("cannot read the input: {error}")))?;
    Ok(runner.output.more_lines(|| numbers.submit(&mut lines))?)
}
