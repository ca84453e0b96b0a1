//! Defines `Action`, a change that a caller hands to the engine as a value. Queued by `api`, `worker` and the engine's own threads; run by
//! the leader or in a user transaction. Each runs inside a transaction that it may share with others. When it is
//! refused, it leaves no trace except the ends of expired leases.

mod batch;
mod budget;
mod bulk;
mod claim;
mod finish;
mod order;
mod register;
mod rescue;
mod retention;
#[cfg(feature = "schedules")]
mod schedule;
mod start;
mod submit;
mod task;

pub(crate) use batch::{OpenBatch, Propagate, PruneBatches, PrunedBatches, RemoveBatch, Seal};
pub(crate) use budget::SetBudget;
pub(crate) use bulk::{Prepared, SubmitMany};
pub(crate) use claim::{Claim, Claimed, Claims};
pub(crate) use finish::FinishTask;
pub(crate) use order::{Destination, MoveTask};
pub(crate) use register::{Pause, Register};
pub(crate) use rescue::{Rescue, Rescued, Scope};
pub(crate) use retention::{AppliedRetention, ApplyRetention, Prune};
#[cfg(feature = "schedules")]
pub(crate) use schedule::{
    Advance, Advanced, BuiltOccurrence, ChangeSchedule, RegisterSchedule, ScheduleCommand, SubmitOccurrences,
    unknown_schedule,
};
pub(crate) use start::StartById;
pub(crate) use submit::{SubmitAndStart, SubmitGroup, Submitted};
pub(crate) use task::{Target, TaskCommand};

use super::writer::Writer;
use crate::{
    model::{error::Result, kinds::Kinds, time::Micros},
    storage::read::expected_rows::ExpectedRows,
};

/// A change that runs in a transaction.
pub(crate) trait Action: Send + 'static {
    type Out: Send + 'static;

    /// Names rows that it will read, so that a store loads those of a group of actions at once. Each row that is missing here costs a round trip.
    /// `kinds` and `now` may be behind those of the transaction.
    fn expect_rows(&self, _kinds: &Kinds, _now: Micros, _rows: &mut ExpectedRows) {}

    /// Runs the action. It may run again in another transaction if this one fails.
    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out>;
}

/// Changes nothing. Its answer comes when all earlier actions are durable.
pub(crate) struct Flush;

impl Action for Flush {
    type Out = ();

    fn run(&self, _: &mut Writer<'_>) -> Result<()> {
        Ok(())
    }
}
