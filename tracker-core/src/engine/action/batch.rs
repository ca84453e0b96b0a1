//! Opens, seals, removes and prunes batches; `Propagate` continues the propagations that did not fit into one commit. Queued by `api/batch`,
//! `api/tracker`, `maintenance/recover` (`Seal`) and `engine/group_commit` (`Propagate`); `ApplyRetention` runs `PruneBatches`. Runs in the
//! leader's transaction and writes through `Writer`.

use std::time::Duration;

use super::Action;
use crate::{
    engine::writer::Writer,
    model::{error::Result, new_task::NewTask, task::TaskRef, time::micros_of, transition::Batch},
};

/// Opens a batch, or finds the one with this label.
#[derive(Clone, Debug)]
pub(crate) struct OpenBatch {
    pub label: String,
    /// The task that is submitted when a new batch ends.
    pub follow_up: Option<NewTask>,
}

impl Action for OpenBatch {
    type Out = u64;

    fn run(&self, writer: &mut Writer<'_>) -> Result<u64> {
        if let Some(number) = writer.rows().with_label(&self.label)? {
            return Ok(number);
        }
        let batch = Batch::new(&self.label, writer.now());
        writer.add_batch(batch, self.follow_up.as_ref())
    }
}

/// Seals a batch against further tasks, or opens it again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seal {
    pub batch: u64,
    pub sealed: bool,
}

impl Action for Seal {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        writer.seal(self.batch, self.sealed)
    }
}

/// Deletes a batch if it has no tasks any more. Answers whether it did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RemoveBatch(pub u64);

impl Action for RemoveBatch {
    type Out = bool;

    fn run(&self, writer: &mut Writer<'_>) -> Result<bool> {
        let empty = writer.rows().members_of(self.0, None, 1)?.is_empty();
        if empty {
            writer.remove_batch(self.0)?;
        }
        Ok(empty)
    }
}

/// Deletes batches that ended long enough ago, have no tasks and no dependents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PruneBatches {
    pub keep: Duration,
    /// The number of the batch after which the search begins.
    pub beyond: Option<u64>,
    /// The most batches to examine.
    pub most: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PrunedBatches {
    pub pruned: u64,
    /// The batch after which the next call continues, if there are more.
    pub next: Option<u64>,
}

impl Action for PruneBatches {
    type Out = PrunedBatches;

    fn run(&self, writer: &mut Writer<'_>) -> Result<PrunedBatches> {
        let then = writer.now().saturating_sub(micros_of(self.keep));
        let mut pruned = PrunedBatches::default();
        let batches = writer.rows().batches_beyond(self.beyond, self.most)?;
        if batches.len() == self.most {
            pruned.next = batches.last().map(|(number, _)| *number);
        }
        for (number, _) in batches {
            let target = TaskRef::of_batch(number);
            let prunable = writer.batch_now(number)?.may_be_pruned(then);
            if prunable && writer.rows().dependents_of(target, None, 1)?.is_empty() {
                writer.remove_batch(number)?;
                pruned.pruned += 1;
            }
        }
        Ok(pruned)
    }
}

/// Continues the propagations that did not fit into the commit of the end.
pub(crate) struct Propagate;

impl Action for Propagate {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        writer.continue_propagations()
    }
}
