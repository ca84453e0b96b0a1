//! Reads the rows of kinds with needs: the first due task of each queue, the amounts in use, the budgets, and the task that did not fit.
//! Called by `engine/action`, `api`, `portable` and `maintenance`; `engine/writer/rebuild` and `storage/write/head_lists` use `QueueHeads`. Writes no
//! row.

use std::{collections::BTreeMap, sync::Arc};

use super::rows::Rows;
use crate::{
    model::{
        error::Result,
        kind::Kind,
        needs::{Budgets, Candidate, LackingResource, Overtaken},
        task::TaskRef,
        time::Micros,
        transition::LATEST,
    },
    storage::{
        keys::ClaimKey,
        limit_class::counted_amounts,
        rows_of::amounts_of_key,
        tables::{Source, Tables},
    },
};

/// The first task of each queue of a kind with needs, for each status and priority. A queue is the waiting tasks with the same needs.
#[derive(Debug, Default)]
pub(crate) struct QueueHeads {
    /// The tasks that are due, in claim order.
    pub due: Vec<Candidate>,
    /// The tasks that are due later, with their due times.
    pub later: Vec<(Micros, Candidate)>,
}

impl<S: Source> Tables<S> {
    /// The first task of each queue, which claims look at in place of all tasks, because those after it need the same.
    pub(crate) fn queue_heads(&mut self, kind: &Kind, codes: &[i32], now: Micros) -> Result<QueueHeads> {
        let mut keys = Vec::new();
        for &code in codes {
            let range = ClaimKey::first(kind.id, code, 0).pack()..=ClaimKey::last(kind.id, code, u8::MAX).pack();
            for row in Rows::of("tracker.limit_heads", self.limit_heads()?, range)? {
                let (key, limit_key) = row?;
                keys.push((ClaimKey::unpack(key.value()), amounts_of_key(limit_key.value())));
            }
        }
        keys.sort_unstable_by_key(|(key, _)| key.order());
        let mut heads = QueueHeads::default();
        for (key, amounts) in keys {
            let candidate = Candidate { task: key.task(), amounts };
            if key.at <= now {
                heads.due.push(candidate);
                // Beyond it are paused tasks and those that wait for others, which no time makes due.
            } else if key.at <= LATEST {
                heads.later.push((key.at, candidate));
            }
        }
        Ok(heads)
    }

    /// How much of each resource is in use by the tasks in progress of all kinds.
    pub(crate) fn amounts_in_use<'k>(&mut self, kinds: &'k [Arc<Kind>]) -> Result<BTreeMap<&'k str, u64>> {
        let mut in_use = BTreeMap::new();
        for kind in kinds.iter().filter(|kind| kind.has_needs()) {
            for (amounts, tasks) in self.in_progress_by_needs(kind)? {
                for (need, amount) in kind.policy.needs.iter().zip(amounts) {
                    let sum: &mut u64 = in_use.entry(&*need.resource).or_default();
                    *sum = sum.saturating_add(amount.saturating_mul(tasks));
                }
            }
        }
        Ok(in_use)
    }

    /// The amounts that the tasks in progress of a kind need, and how many tasks need the same.
    fn in_progress_by_needs(&mut self, kind: &Kind) -> Result<Vec<(Vec<u64>, u64)>> {
        let (first, end) = (kind.id.to_be_bytes(), kind.id.saturating_add(1).to_be_bytes());
        let mut found = Vec::new();
        for row in self.limit_in_use()?.range::<&[u8]>(&first[..]..&end[..])? {
            let (key, tasks) = row?;
            // The key begins with the kind and the length of the limit key.
            if let Some(amounts) = counted_amounts(kind, key.value().get(8..).unwrap_or_default()) {
                found.push((amounts_of_key(amounts), tasks.value()));
            }
        }
        Ok(found)
    }

    /// The budgets that the file has.
    pub(crate) fn stored_budgets(&mut self) -> Result<Budgets> {
        let rows = self.budgets()?.rows()?;
        let all = rows.map(|row| row.map(|(resource, amount)| (resource.value().to_owned(), amount.value())));
        Ok(Budgets(all.collect::<Result<_, _>>()?))
    }

    /// The first resource of which the tasks in progress leave too little for a task of a kind, by the budgets that the file has.
    pub(crate) fn lacking(&mut self, kind: &Kind, task: TaskRef) -> Result<Option<LackingResource>> {
        if !kind.has_needs() {
            return Ok(None);
        }
        let candidate = Candidate { task, amounts: kind.amounts(&self.task_row(task)?.indexes).collect() };
        let kinds: Vec<_> = self.all_kinds()?.all().cloned().collect();
        let budgets = self.stored_budgets()?;
        let resources = budgets.resources(kind, &self.amounts_in_use(&kinds)?);
        Ok(LackingResource::of(kind, &candidate, &resources))
    }

    /// The task of a step that did not fit when a later one started.
    pub(crate) fn overtaken(&mut self, kind: &Kind, step: u16) -> Result<Option<Overtaken>> {
        let row = self.overtaken_rows()?.get((kind.id, step))?;
        Ok(row.map(|row| {
            let (seq, times) = row.value();
            Overtaken { task: kind.task(seq), times }
        }))
    }
}
