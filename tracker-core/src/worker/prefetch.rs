use std::{error::Error as StdError, fmt, time::Instant};

use super::{
    kind_runner::{PassResult, ThreadKindRunner},
    pool::PoolState,
    prefetch_visit::{PrefetchVisit, Step},
};
use crate::{
    api::{
        execution::Execution,
        handler::{IntoOutcome, end_attempt, run_handler},
        tasks::Tasks,
    },
    engine::Claimed,
    model::{
        error::{ErrorKind, Result},
        task::TrackedTask,
    },
};

impl<T, F, R, E> ThreadKindRunner<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    /// Runs bodies ahead of the commits that store their outcomes.
    pub(super) fn run_prefetching(&self, shift: &PoolState<'_>, tasks: &Tasks<T>, kinds: usize) -> Result<PassResult> {
        let mut visit = PrefetchVisit::new(shift, tasks, self.buffer_index, kinds, true);
        loop {
            match visit.step()? {
                Step::Begin(claimed) => self.run_one(shift, tasks, &mut visit, claimed)?,
                Step::PrefetchRequest(claim, look) => {
                    let claims = tasks.shared.engine.call(claim);
                    visit.looked(&look, claims);
                }
                Step::Wait(seen) => shift.buffer.news.wait(seen, None),
                Step::Leave(turn) => return Ok(turn),
            }
        }
    }

    fn run_one(
        &self,
        shift: &PoolState<'_>,
        tasks: &Tasks<T>,
        visit: &mut PrefetchVisit<'_, T>,
        claimed: Claimed,
    ) -> Result<()> {
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
        visit.begins(&execution, begun, shift.settings.timeout.or(kind.policy.timeout))?;
        // By the machine's clock, whatever the tracker's says.
        let start = Instant::now();
        let result = run_handler(&mut execution, &self.body);
        let (took, run) = (start.elapsed(), execution.run_time());
        let finished = end_attempt(&mut execution, result);
        visit.ended(&mut execution, finished, run, took)
    }
}
