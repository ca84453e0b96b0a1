//! Sets dependencies, refuses cycles, and resolves a dependency when it ends: a bounded part of its dependents in the same commit, the rest
//! by `Propagate`. Called by `engine/writer`, `engine/action/submit`, `engine/action/batch` and `portable/imported_task`; reads and writes
//! the rows of dependencies and dependents.

use std::collections::HashSet;

use super::{
    Writer,
    propagation::{Propagation, batch_name},
    undo::Undo,
};
use crate::{
    model::{
        error::{Error, Reason, Result},
        kind::Kind,
        new_task::{DependencyRef, NewDependency},
        task::{TaskKey, TaskRef},
        transition::{Command, DependencyEffect, DependencyEnd, Header, OnDependencyFailure, ResolveDependency},
    },
    storage::{keys::DependencyKey, read::dependencies::PendingPropagation},
};

/// Number of dependents that the end of a dependency reaches in its own commit, including those that end by it. Each of the
/// commits that follow reaches as many.
const PROPAGATIONS_PER_COMMIT: usize = 1_000;
/// Number of dependencies that a task can have.
const DEPENDENCIES_MAX: usize = 1_000;
/// Number of dependents that are searched for a cycle.
const CYCLE_SEARCH_MAX: usize = 10_000;

impl Writer<'_> {
    /// Sets the dependencies of a task. A dependency that has succeeded is skipped; the chosen effect of one that has ended
    /// otherwise takes place at once.
    pub(crate) fn set_dependencies(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        targets: &[NewDependency],
    ) -> Result<()> {
        if targets.len() > DEPENDENCIES_MAX {
            return Err(Error::invalid(format!(
                "a task can wait for {DEPENDENCIES_MAX} others at most: wait for a batch instead"
            )));
        }
        self.clear_dependencies(task)?;
        let header = self.indexed_header(task)?;
        let refuse = |reason| kind.refuse(id.clone(), reason);
        let (mut others, mut outcome) = (0, None);
        for dependency in targets {
            let (target, what) = self.find_target(dependency, &refuse)?;
            kind.rules(self.now).may_wait(&header, dependency.on_failure).map_err(refuse)?;
            if self.find_cycle(task, header.batch, &[target])?.is_some() {
                return Err(refuse(Reason::Cycle { what }));
            }
            let end = self.end_of(target)?;
            let effect = end.map(|end| (end, dependency.on_failure.effect_of(end)));
            if let Some((end, DependencyEffect { outcome: Some(how), .. })) = effect {
                let reason = Propagation { target, name: what, end }.reason();
                outcome.get_or_insert((how, reason));
            }
            if effect.is_none_or(|(_, effect)| !effect.resolved) {
                let before =
                    self.put_dependency(DependencyKey { from: task, to: target }, Some(dependency.on_failure))?;
                others += u32::from(before.is_none());
                self.mark_has_dependents(target)?;
            }
        }
        self.decide(kind, task, Some(&header), &Command::SetDependencyCount { dependencies: others }, None, id)?;
        if let Some((how, reason)) = outcome {
            self.resolve_dependency(task, DependencyEffect { resolved: false, outcome: Some(how) }, reason)?;
        }
        Ok(())
    }

    /// Finds the task or batch that a dependency names, and its name in messages.
    fn find_target(
        &mut self,
        dependency: &NewDependency,
        refuse: &impl Fn(Reason) -> Error,
    ) -> Result<(TaskRef, String)> {
        match &dependency.on {
            DependencyRef::Task { kind, id } => {
                let kind = self.kind(*kind)?;
                let what = format!("{} \"{id}\"", kind.name);
                match self.rows.look_up(&kind, id)? {
                    Some(target) => Ok((target, what)),
                    None => Err(refuse(Reason::MissingDependency { what })),
                }
            }
            DependencyRef::Batch(number) => {
                let batch = self.rows.batch(*number)?;
                let what = || format!("the batch with the number {number}");
                let batch = batch.ok_or_else(|| refuse(Reason::MissingDependency { what: what() }))?;
                Ok((TaskRef::of_batch(*number), batch_name(&batch.label)))
            }
        }
    }

    /// How a task or a batch has ended; `None` if it has not.
    fn end_of(&mut self, target: TaskRef) -> Result<Option<DependencyEnd>> {
        if let Some(number) = target.batch() {
            return Ok(self.batch_now(number)?.end());
        }
        let header = self.indexed_header(target)?;
        Ok(DependencyEnd::of(self.kind(target.kind)?.rules(self.now).overall_role(&header)))
    }

    /// Notes in the header of a dependency that it has dependents, so that its end is propagated.
    pub(super) fn mark_has_dependents(&mut self, target: TaskRef) -> Result<()> {
        if let Some(number) = target.batch() {
            return self.mark_batch_has_dependents(number);
        }
        let header = self.indexed_header(target)?;
        if header.has_dependents {
            return Ok(());
        }
        let (kind, id) = (self.kind(target.kind)?, self.rows.task_row(target)?.id);
        self.decide(&kind, target, Some(&header), &Command::SetHasDependents(true), None, &id)?;
        Ok(())
    }

    /// Finds one of `goals` among the dependents of a task or of its batch, direct or indirect. Searches from the task to its
    /// dependents, since a new task has none.
    pub(super) fn find_cycle(
        &mut self,
        task: TaskRef,
        batch: Option<u64>,
        goals: &[TaskRef],
    ) -> Result<Option<TaskRef>> {
        let mut seen: HashSet<TaskRef> = batch.map(TaskRef::of_batch).into_iter().chain([task]).collect();
        let mut open: Vec<TaskRef> = seen.iter().copied().collect();
        while let Some(node) = open.pop() {
            if goals.contains(&node) {
                return Ok(Some(node));
            }
            let (has_dependents, batch) = match node.batch() {
                Some(number) => (self.batch_now(number)?.has_dependents, None),
                None => self.header(node)?.map_or((false, None), |header| (header.has_dependents, header.batch)),
            };
            let mut next: Vec<TaskRef> = batch.map(TaskRef::of_batch).into_iter().collect();
            if has_dependents {
                next.extend(
                    self.rows.dependents_of(node, None, CYCLE_SEARCH_MAX)?.into_iter().map(|(dependent, _)| dependent),
                );
            }
            open.extend(next.into_iter().filter(|node| seen.insert(*node)));
            if seen.len() > CYCLE_SEARCH_MAX {
                return Err(Error::invalid(format!(
                    "more than {CYCLE_SEARCH_MAX} tasks wait for the task or its batch: submit it before them, so that it needs no search for a cycle"
                )));
            }
        }
        Ok(None)
    }

    pub(super) fn put_dependency(
        &mut self,
        key: DependencyKey,
        on_failure: Option<OnDependencyFailure>,
    ) -> Result<Option<OnDependencyFailure>> {
        self.mark_dirty();
        let before = self.rows.put_dependency(key, on_failure)?;
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Dependency(key, before));
        }
        Ok(before)
    }

    /// Deletes the dependencies of a task.
    pub(super) fn clear_dependencies(&mut self, task: TaskRef) -> Result<()> {
        for (target, _) in self.rows.dependencies_of(task, usize::MAX)? {
            self.put_dependency(DependencyKey { from: task, to: target }, None)?;
        }
        Ok(())
    }

    /// Updates the dependencies of a task that was written, and queues its end for its dependents.
    pub(super) fn update_dependencies(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        old: Option<&Header>,
        new: Option<&Header>,
    ) -> Result<()> {
        let Some(old) = old else { return Ok(()) };
        if old.waits > 0 && new.is_none_or(|new| new.waits == 0) {
            self.clear_dependencies(task)?;
        }
        if old.has_dependents {
            let rules = kind.rules(self.now);
            let role = |header: &Header| rules.overall_role(header);
            if let Some(end) = DependencyEnd::between(Some(role(old)), new.map(role)) {
                self.propagations.push_back(Propagation { target: task, name: format!("{} \"{id}\"", kind.name), end });
            }
        }
        Ok(())
    }

    /// Propagates all queued ends. The part beyond the bound of one commit is stored for the next.
    pub(super) fn propagate(&mut self) -> Result<()> {
        // A dependent that ends by this is queued for the same loop. Writes that may be reverted are propagated once they are final.
        if self.propagating || self.undo.is_some() || self.propagations.is_empty() {
            return Ok(());
        }
        self.propagating = true;
        let result = self.propagate_queued(PROPAGATIONS_PER_COMMIT);
        self.propagating = false;
        result
    }

    fn propagate_queued(&mut self, mut left: usize) -> Result<()> {
        while let Some(Propagation { target, name, end }) = self.propagations.pop_front() {
            let older = self.rows.pending_propagation_of(target)?;
            let end = older.map_or(end, |older| older.end.and(end));
            let pending = PendingPropagation { target, end, before: self.seq_bound()?, beyond: None };
            self.propagate_pending(pending, name, older.is_some(), &mut left)?;
        }
        Ok(())
    }

    /// Continues the propagations that were too many for one commit.
    pub(crate) fn continue_propagations(&mut self) -> Result<()> {
        let mut left = PROPAGATIONS_PER_COMMIT;
        self.propagating = true;
        while left > 0
            && let Some(pending) = self.rows.first_pending_propagation()?
        {
            let name = self.target_name(pending.target)?;
            self.propagate_pending(pending, name, true, &mut left)?;
        }
        self.propagate_queued(left)?;
        self.propagating = false;
        Ok(())
    }

    fn target_name(&mut self, target: TaskRef) -> Result<String> {
        if let Some(number) = target.batch() {
            return Ok(self.rows.batch(number)?.map_or("a batch".to_owned(), |batch| batch_name(&batch.label)));
        }
        let kind = self.kind(target.kind)?;
        let id = self.rows.find_task_row(target)?.map(|row| row.id);
        Ok(id.map_or_else(|| format!("a {}", kind.name), |id| format!("{} \"{id}\"", kind.name)))
    }

    /// Propagates an end to at most `left` dependents, and stores the rest of the propagation. `is_stored` is whether it is stored already.
    fn propagate_pending(
        &mut self,
        mut pending: PendingPropagation,
        name: String,
        is_stored: bool,
        left: &mut usize,
    ) -> Result<()> {
        let PendingPropagation { target, end, before, beyond } = pending;
        let propagation = Propagation { target, name, end };
        let dependents = self.rows.dependents_of(target, beyond, left.saturating_add(1))?;
        let more = dependents.len() > *left;
        for (dependent, on_failure) in dependents.into_iter().take(*left) {
            *left -= 1;
            pending.beyond = Some(dependent);
            let effect = on_failure.effect_of(end);
            if dependent.seq >= before || effect == DependencyEffect::NOTHING {
                continue;
            }
            if effect.resolved {
                self.put_dependency(DependencyKey { from: dependent, to: target }, None)?;
            }
            self.resolve_dependency(dependent, effect, propagation.reason())?;
        }
        if more {
            self.mark_dirty();
            self.rows.put_pending_propagation(pending)?;
            self.effects.propagation_pending = true;
        } else if is_stored {
            self.mark_dirty();
            self.rows.remove_pending_propagation(target)?;
        }
        Ok(())
    }

    /// Applies the effect of a dependency that was deleted in the file from which a task is imported.
    #[cfg(feature = "json")]
    pub(crate) fn apply_missing_target(&mut self, dependent: TaskRef, on_failure: OnDependencyFailure) -> Result<()> {
        let effect = DependencyEffect { resolved: false, ..on_failure.effect_of(DependencyEnd::Deleted) };
        if effect == DependencyEffect::NOTHING {
            return Ok(());
        }
        let name = "a task of the file it comes from".to_owned();
        let reason = Propagation { target: dependent, name, end: DependencyEnd::Deleted }.reason();
        self.resolve_dependency(dependent, effect, reason)
    }

    fn resolve_dependency(&mut self, dependent: TaskRef, effect: DependencyEffect, reason: String) -> Result<()> {
        let (kind, header) = (self.kind(dependent.kind)?, self.indexed_header(dependent)?);
        let id = self.rows.task_row(dependent)?.id;
        let fence = if effect.outcome.is_some() { self.take_fence()? } else { 0 };
        let command = Command::ResolveDependency(ResolveDependency { effect, fence, reason });
        self.decide(&kind, dependent, Some(&header), &command, None, &id)?;
        Ok(())
    }
}
