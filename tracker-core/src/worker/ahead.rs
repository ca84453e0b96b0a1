use std::{error::Error as StdError, fmt, time::Instant};

use super::{
    crew::Shift,
    lane::{LaneOf, Turn},
    visit::{Step, Visit},
};
use crate::{
    body::{IntoOutcome, end_attempt, run_handler},
    engine::Claimed,
    error::{ErrorKind, Result},
    execution::Execution,
    task::TrackedTask,
    tasks::Tasks,
};

impl<T, F, R, E> LaneOf<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    /// Runs bodies ahead of the commits that store their outcomes.
    pub(super) fn work_ahead(&self, shift: &Shift<'_>, tasks: &Tasks<T>, kinds: usize) -> Result<Turn> {
        let mut visit = Visit::new(shift, tasks, self.tray, kinds, true);
        loop {
            match visit.step()? {
                Step::Begin(claimed) => self.run_one(shift, tasks, &mut visit, claimed)?,
                Step::Look(claim, look) => {
                    let claims = tasks.shared.engine.call(claim);
                    visit.looked(&look, claims);
                }
                Step::Wait(seen) => shift.stock.news.wait(seen, None),
                Step::Leave(turn) => return Ok(turn),
            }
        }
    }

    fn run_one(&self, shift: &Shift<'_>, tasks: &Tasks<T>, visit: &mut Visit<'_, T>, claimed: Claimed) -> Result<()> {
        let kind = tasks.kind()?;
        let (fence, begun) = (claimed.owner.fence, claimed.is_begun());
        let mut execution: Execution<T> = match Execution::new(&tasks.shared, &kind, claimed) {
            Ok(execution) => execution,
            Err(error) if error.kind() == ErrorKind::Unreadable => {
                visit.unreadable(fence);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // Should it come to no body, nothing of it has run.
        execution.release_on_drop = true;
        visit.begins(&execution, begun, shift.settings.time_limit.or(kind.policy.time_limit))?;
        // By the machine's clock, whatever the tracker's says.
        let start = Instant::now();
        let result = run_handler(&mut execution, &self.body);
        let (took, run) = (start.elapsed(), execution.run_time());
        let finished = end_attempt(&mut execution, result);
        visit.ended(&mut execution, finished, run, took)
    }
}
