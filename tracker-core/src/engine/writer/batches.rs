//! Gathers the changes of batches in a write transaction, and writes them at its end; a new or removed batch is written at once. Decides whether a
//! task can join a batch. The first end of a batch submits its follow-up task, and each end is propagated to its dependents. Called by
//! `engine/action`, `engine/writer` and `portable`; reads and writes the rows of batches.

use std::collections::{HashMap, VecDeque};

use super::{
    Writer,
    propagation::{Propagation, batch_name},
};
use crate::model::{
    error::{Error, Reason, Result},
    kind::Kind,
    new_task::NewTask,
    panics,
    task::{TaskKey, TaskRef},
    time::Micros,
    transition::{Batch, BatchDelta, Command, Decision, DependencyEnd, Header},
};

/// The batches that a transaction uses, and the changes that it has gathered for them.
#[derive(Default)]
pub(super) struct BatchDeltas {
    known: HashMap<u64, Batch>,
    deltas: HashMap<u64, BatchDelta>,
}

impl BatchDeltas {
    fn delta(&mut self, number: u64) -> &mut BatchDelta {
        self.deltas.entry(number).or_default()
    }

    /// Counts a task that moves between batches or roles. A `sign` of -1 takes that back.
    pub(super) fn count(&mut self, kind: &Kind, old: Option<&Header>, new: Option<&Header>, sign: i64) {
        let (before, after) = (old.and_then(|header| header.batch), new.and_then(|header| header.batch));
        if before.is_none() && after.is_none() {
            return;
        }
        let role = |header: Option<&Header>| header.map(|header| kind.rules(0).overall_role(header));
        let (left, entered) = (role(old), role(new));
        if before == after && left == entered {
            return;
        }
        if let Some(batch) = before {
            self.delta(batch).count(left, if after == before { entered } else { None }, sign);
        }
        if let Some(batch) = after.filter(|batch| Some(*batch) != before) {
            self.delta(batch).count(None, entered, sign);
        }
    }

    /// Counts a task whose status has another role in a new definition of its kind.
    pub(super) fn recount(&mut self, header: &Header, (old, new): (&Kind, &Kind)) {
        let role = |kind: &Kind| kind.rules(0).overall_role(header);
        if let Some(batch) = header.batch
            && role(old) != role(new)
        {
            self.delta(batch).count(Some(role(old)), Some(role(new)), 1);
        }
    }
}

impl Writer<'_> {
    /// A batch as stored, or as this transaction has changed it.
    fn batch(&mut self, number: u64) -> Result<&mut Batch> {
        if !self.batches.known.contains_key(&number) {
            let batch = self.rows.batch(number)?;
            let batch =
                batch.ok_or_else(|| Error::invalid(format!("the batch with the number {number} is removed")))?;
            self.batches.known.insert(number, batch);
        }
        let known = self.batches.known.get_mut(&number);
        known.ok_or_else(|| Error::corrupted("tracker.batches", number, "it is gone"))
    }

    /// A batch with what the transaction has changed so far.
    pub(crate) fn batch_now(&mut self, number: u64) -> Result<Batch> {
        let delta = self.batches.deltas.get(&number).cloned().unwrap_or_default();
        let now = self.now;
        let mut batch = self.batch(number)?.clone();
        batch.apply(&delta, now);
        Ok(batch)
    }

    /// Stores a new batch.
    pub(crate) fn add_batch(&mut self, batch: Batch, follow_up: Option<&NewTask>) -> Result<u64> {
        let number = self.new_seq()?;
        self.put_new_batch(number, batch, follow_up)?;
        Ok(number)
    }

    pub(super) fn put_new_batch(&mut self, number: u64, batch: Batch, follow_up: Option<&NewTask>) -> Result<()> {
        self.mark_dirty();
        self.rows.add_batch(number, &batch, follow_up)?;
        self.batches.known.insert(number, batch);
        Ok(())
    }

    /// Deletes a batch that has no tasks any more.
    pub(crate) fn remove_batch(&mut self, number: u64) -> Result<()> {
        let batch = self.batch_now(number)?;
        self.mark_dirty();
        self.rows.remove_batch(number, &batch)?;
        self.batches.known.remove(&number);
        self.batches.deltas.remove(&number);
        if batch.has_dependents {
            self.propagations.push_back(Propagation::of_batch(number, &batch.label, DependencyEnd::Deleted));
            self.propagate()?;
        }
        Ok(())
    }

    /// Seals a batch against further tasks, or opens it again.
    pub(crate) fn seal(&mut self, number: u64, sealed: bool) -> Result<()> {
        if self.batch_now(number)?.sealed != sealed {
            self.mark_dirty();
            self.batches.delta(number).seal = Some(sealed);
        }
        Ok(())
    }

    /// Marks a batch that has dependents.
    pub(super) fn mark_batch_has_dependents(&mut self, number: u64) -> Result<()> {
        let batch = self.batch(number)?;
        if !batch.has_dependents {
            batch.has_dependents = true;
            self.mark_dirty();
            self.batches.delta(number);
        }
        Ok(())
    }

    /// Refuses a task that cannot join a batch: the batch is sealed, or the task is in another one that has not ended.
    pub(crate) fn check_can_join(
        &mut self,
        kind: &Kind,
        id: &TaskKey,
        header: Option<&Header>,
        number: u64,
    ) -> Result<()> {
        let batch = self.batch_now(number)?;
        if batch.sealed {
            return Err(kind.refuse(id.clone(), Reason::Sealed { batch: batch.label }));
        }
        if let Some(other) = header.and_then(|header| header.batch) {
            let other = self.batch_now(other)?;
            if other.end().is_none() {
                return Err(kind.refuse(id.clone(), Reason::OtherBatch { batch: other.label }));
            }
        }
        Ok(())
    }

    /// Adds an existing task to a batch.
    pub(crate) fn join(&mut self, kind: &Kind, task: TaskRef, id: &TaskKey, number: u64) -> Result<()> {
        let header = self.indexed_header(task)?;
        if header.batch == Some(number) {
            return Ok(());
        }
        self.check_can_join(kind, id, Some(&header), number)?;
        if self.batch(number)?.has_dependents && self.find_cycle(TaskRef::of_batch(number), None, &[task])?.is_some() {
            let what = batch_name(&self.batch(number)?.label);
            return Err(kind.refuse(id.clone(), Reason::Cycle { what }));
        }
        self.decide(kind, task, Some(&header), &Command::SetBatch { batch: Some(number) }, None, id)?;
        Ok(())
    }

    /// Adds the time of an attempt that ended a task to the completion rate of its batch.
    pub(super) fn measure(&mut self, kind: &Kind, old: Option<&Header>, decision: &Decision) {
        let (Some(old), Some(new)) = (old, &decision.header) else { return };
        let (Some(batch), Some(lease)) = (new.batch, &old.lease) else { return };
        if DependencyEnd::of(kind.rules(0).overall_role(new)).is_none() {
            return;
        }
        let ended = decision.ended_attempt(Some(old)).filter(|ended| ended.fence == lease.fence);
        if let Some(ended) = ended {
            let measured = ended.run.and_then(|run| Micros::try_from(run).ok());
            let delta = self.batches.delta(batch);
            delta.ends = delta.ends.saturating_add(1);
            delta.ran = delta.ran.saturating_add(measured.unwrap_or(ended.ended.saturating_sub(ended.started)));
        }
    }

    /// Writes the changed batches. Repeats while the ends of batches change further ones.
    pub(super) fn apply_batch_deltas(&mut self) -> Result<()> {
        while !self.batches.deltas.is_empty() {
            let mut deltas: Vec<_> = std::mem::take(&mut self.batches.deltas).into_iter().collect();
            deltas.sort_unstable_by_key(|(number, _)| *number);
            let mut ends = VecDeque::new();
            for (number, delta) in deltas {
                let now = self.now;
                let end = self.batch(number)?.apply(&delta, now);
                let batch = self.batch(number)?.clone();
                self.rows.put_batch(number, &batch)?;
                ends.extend(end.map(|end| (number, batch, end)));
            }
            for (number, batch, end) in ends {
                panics::log_catching_panics(|| tracing::debug!(batch = batch.label, number, "a batch has ended"));
                self.push_batch_end(number, &batch.label, end.end);
                if end.first {
                    self.submit_follow_up(number)?;
                }
                if batch.has_dependents {
                    self.propagations.push_back(Propagation::of_batch(number, &batch.label, end.end));
                    self.propagate()?;
                }
            }
        }
        Ok(())
    }

    /// Submits the follow-up task of a batch. The batch stores a refusal.
    fn submit_follow_up(&mut self, number: u64) -> Result<()> {
        let Some(new) = self.rows.take_follow_up(number)? else { return Ok(()) };
        new.end_expired_leases(self)?;
        match self.all_or_nothing(|writer| new.submit(writer)) {
            Ok(_) => Ok(()),
            Err(error) if error.is_refusal() => {
                let batch = self.batch(number)?;
                panics::log_catching_panics(
                    || tracing::warn!(batch = batch.label, %error, "the follow-up task of a batch was refused"),
                );
                batch.refused = Some(error.to_string());
                let batch = batch.clone();
                self.rows.put_batch(number, &batch)
            }
            Err(error) => Err(error),
        }
    }
}
