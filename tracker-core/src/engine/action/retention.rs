//! `Prune` and `ApplyRetention` delete ended tasks, and batches without tasks, after their retention. Queued by `api/tasks/maintenance` and
//! `api/tracker`, and run by `engine/retention` on the background thread; write through `Writer`.

use std::{sync::Arc, time::Duration};

use super::{Action, PruneBatches};
use crate::{
    engine::writer::Writer,
    model::{
        error::Result,
        kind::Kind,
        task::TaskRef,
        time::micros_of,
        transition::{Command, Header},
    },
};

/// Deletes ended tasks of a kind that are older than their retention.
#[derive(Clone, Debug)]
pub(crate) struct Prune {
    pub kind: u32,
    /// Codes of statuses, and how long their tasks are kept.
    pub rules: Vec<(i32, Duration)>,
    /// The most tasks that one transaction deletes.
    pub most: usize,
}

impl Action for Prune {
    type Out = usize;

    fn run(&self, writer: &mut Writer<'_>) -> Result<usize> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let mut pruned = 0;
        for (code, keep) in &self.rules {
            let before = writer.now().saturating_sub(micros_of(*keep));
            for task in writer.rows().ended_before(&kind, *code, before, self.most - pruned)? {
                delete(writer, &kind, task)?;
                pruned += 1;
            }
        }
        Ok(pruned)
    }
}

fn delete(writer: &mut Writer<'_>, kind: &Kind, task: TaskRef) -> Result<()> {
    let header: Header = writer.indexed_header(task)?;
    let id = writer.rows().task_row(task)?.id;
    writer.decide(kind, task, Some(&header), &Command::Delete, None, &id)?;
    Ok(())
}

/// Applies the retention of every kind, and deletes batches without tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApplyRetention {
    /// The most tasks that one transaction deletes.
    pub most: usize,
    pub batches: PruneBatches,
}

/// Number of deleted tasks, and the batch after which the next call continues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppliedRetention {
    pub tasks: usize,
    pub next_batch: Option<u64>,
}

impl Action for ApplyRetention {
    type Out = AppliedRetention;

    fn run(&self, writer: &mut Writer<'_>) -> Result<AppliedRetention> {
        let mut pruned = 0;
        for kind in writer.kinds() {
            let rules = kind.retention();
            if !rules.is_empty() && pruned < self.most {
                pruned += Prune { kind: kind.id, rules, most: self.most - pruned }.run(writer)?;
            }
        }
        Ok(AppliedRetention { tasks: pruned, next_batch: self.batches.run(writer)?.next })
    }
}
