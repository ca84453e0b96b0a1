//! `Batch` counts the tasks of a batch by role, and decides when the batch ends, with which end, and whether it may be pruned. Changed by
//! `engine/writer/batches`; read by `engine/action/batch`, `api/batch`, `portable/batch` and `maintenance`; stored by
//! `storage/encoding/batch`. Pure.

use super::{CompletionRate, DependencyEnd};
use crate::model::{status::Role, time::Micros};

/// How many tasks count as each role, in the order of [`Role::ALL`].
pub(crate) type Roles<N> = [N; Role::ALL.len()];

/// A group of tasks with a label.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Batch {
    pub label: String,
    pub created: Micros,
    /// Whether the batch is sealed: it takes no more tasks.
    pub sealed: bool,
    /// When it was over for the first time.
    pub finished: Option<Micros>,
    /// Tasks may depend on it, so its end is propagated to them.
    pub has_dependents: bool,
    /// The tasks that belong to it.
    pub members: Roles<u64>,
    /// The tasks that ended as its members, and have since been deleted or moved to another batch.
    pub gone: Roles<u64>,
    pub throughput: CompletionRate,
    /// Why its follow-up task could not be submitted.
    pub refused: Option<String>,
}

/// The changes of a batch by a transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BatchDelta {
    pub members: Roles<i64>,
    pub gone: Roles<i64>,
    /// How many tasks ended; `ran` is the total duration of their last attempts.
    pub ends: u64,
    pub ran: Micros,
    pub seal: Option<bool>,
}

/// The end of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchEnd {
    /// The batch ended for the first time: its follow-up task must be submitted now.
    pub first: bool,
    pub end: DependencyEnd,
}

impl BatchDelta {
    /// Counts a task that leaves this batch, joins it, or changes its role in it. `left` and `entered` are its roles here before and after.
    pub(crate) fn count(&mut self, left: Option<Role>, entered: Option<Role>, sign: i64) {
        if let Some(role) = left {
            self.members[role as usize] -= sign;
            if entered.is_none() && DependencyEnd::of(role).is_some() {
                self.gone[role as usize] += sign;
            }
        }
        if let Some(role) = entered {
            self.members[role as usize] += sign;
        }
    }
}

impl Batch {
    pub(crate) fn new(label: &str, now: Micros) -> Self {
        Self { label: label.to_owned(), created: now, ..Self::default() }
    }

    /// How many tasks have not ended.
    pub(crate) fn open(&self) -> u64 {
        let open = Role::ALL
            .iter()
            .filter(|role| DependencyEnd::of(**role).is_none())
            .map(|role| self.members[*role as usize]);
        open.fold(0, u64::saturating_add)
    }

    /// How many tasks count as this role, with those that are gone.
    pub(crate) fn count(&self, role: Role) -> u64 {
        self.members[role as usize].saturating_add(self.gone[role as usize])
    }

    /// The end that is propagated to the dependents of the batch; `None` while it is not over. If a task ended without
    /// success and then left the batch, the batch can never succeed.
    pub(crate) fn end(&self) -> Option<DependencyEnd> {
        if !self.sealed || self.open() > 0 {
            return None;
        }
        let mut unsuccessful = [Role::Exhausted, Role::Cancelled, Role::Ignored].into_iter();
        if unsuccessful.clone().any(|role| self.gone[role as usize] > 0) {
            return Some(DependencyEnd::Deleted);
        }
        Some(
            unsuccessful
                .find(|role| self.members[*role as usize] > 0)
                .map_or(DependencyEnd::Satisfied, DependencyEnd::Failed),
        )
    }

    /// Whether the batch has no tasks, is over, and ended for the first time before the time `before`.
    pub(crate) fn may_be_pruned(&self, before: Micros) -> bool {
        let empty = self.members.iter().all(|tasks| *tasks == 0);
        empty && self.end().is_some() && self.finished.is_some_and(|finished| finished < before)
    }

    /// Applies the changes of a transaction. Returns the end of the batch if the transaction ended it or changed how it ended.
    pub(crate) fn apply(&mut self, delta: &BatchDelta, now: Micros) -> Option<BatchEnd> {
        let before = self.end();
        for role in Role::ALL.map(|role| role as usize) {
            self.members[role] = self.members[role].saturating_add_signed(delta.members[role]);
            self.gone[role] = self.gone[role].saturating_add_signed(delta.gone[role]);
        }
        self.throughput.add(delta.ends, delta.ran, now);
        self.sealed = delta.seal.unwrap_or(self.sealed);
        let end = self.end().filter(|end| Some(*end) != before)?;
        let first = self.finished.is_none();
        self.finished = self.finished.or(Some(now));
        Some(BatchEnd { first, end })
    }
}
