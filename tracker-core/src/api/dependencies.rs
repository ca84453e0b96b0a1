//! Reads the dependencies and dependents of a task. Called by users, and for the names of tasks by `api/inspect/plan`, `api/tasks/lookup` and
//! `api/batch`; writes nothing.

use crate::model::dependency::{Dependency, DependencyTarget, TaskName};
use crate::{
    api::{schema::Schema, tasks::Tasks},
    model::{
        error::{Reason, Result},
        kinds::Kinds,
        task::{TaskId, TaskKey, TaskRef},
        transition::OnDependencyFailure,
    },
    storage::tables::{Reading, Source, Tables},
};

impl<T: Schema> Tasks<T> {
    /// Returns the unresolved dependencies of a task.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    pub fn dependencies(&self, id: impl TaskId) -> Result<Vec<Dependency>> {
        self.known(&id.to_key(), |rows, task| rows.named_dependencies(task, usize::MAX))
    }

    /// Returns up to `most` of the tasks that wait for this one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    pub fn dependents(&self, id: impl TaskId, most: usize) -> Result<Vec<TaskName>> {
        let kinds = self.shared.engine.kinds();
        self.known(&id.to_key(), |rows, task| {
            let mut names = Vec::new();
            for (waiter, _) in rows.dependents_of(task, None, most)? {
                names.extend(rows.task_name(&kinds, waiter)?);
            }
            Ok(names)
        })
    }

    fn known<R>(&self, id: &TaskKey, work: impl Fn(&mut Tables<Reading<'_>>, TaskRef) -> Result<R>) -> Result<R> {
        let kind = self.kind()?;
        self.shared.engine.read(|rows| match rows.look_up(&kind, id)? {
            Some(task) => work(rows, task),
            None => Err(kind.refuse(id.clone(), Reason::NotFound)),
        })
    }
}

impl<S: Source> Tables<S> {
    /// Names up to `most` of the unresolved dependencies of a task.
    pub(crate) fn named_dependencies(&mut self, waiter: TaskRef, most: usize) -> Result<Vec<Dependency>> {
        let dependencies = self.dependencies(waiter, most)?.into_iter();
        Ok(dependencies.filter_map(|(on, on_failure)| Some(Dependency { on: on?, on_failure })).collect())
    }

    /// Names one dependency; `None` if it is deleted and its end is not propagated yet.
    pub(crate) fn dependencies(
        &mut self,
        waiter: TaskRef,
        most: usize,
    ) -> Result<Vec<(Option<DependencyTarget>, OnDependencyFailure)>> {
        let kinds = self.all_kinds()?;
        let mut dependencies = Vec::new();
        for (target, on_failure) in self.dependencies_of(waiter, most)? {
            let on = match target.batch() {
                Some(number) => self.batch(number)?.map(|batch| DependencyTarget::Batch { label: batch.label }),
                None => self.task_name(&kinds, target)?.map(DependencyTarget::Task),
            };
            dependencies.push((on, on_failure));
        }
        Ok(dependencies)
    }

    /// A task as people call it; `None` if it is gone.
    pub(crate) fn task_name(&mut self, kinds: &Kinds, task: TaskRef) -> Result<Option<TaskName>> {
        let Some(kind) = kinds.get(task.kind) else { return Ok(None) };
        Ok(self.find_task_row(task)?.map(|row| TaskName { kind: kind.name.clone(), id: row.id }))
    }
}
