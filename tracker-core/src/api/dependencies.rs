//! Reads the dependencies and dependents of a task. Called by users and `tracker-web`, and for the names of dependencies and tasks by
//! `api/inspect/plan`, `api/tasks/lookup`, `api/batch` and `portable/export`; writes nothing.

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
        self.read_of(&id.to_key(), |rows, task| rows.named_dependencies(task, usize::MAX))
    }

    /// Returns up to `most` of the tasks that wait for this one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    pub fn dependents(&self, id: impl TaskId, most: usize) -> Result<Vec<TaskName>> {
        let kinds = self.shared.engine.kinds();
        self.read_of(&id.to_key(), |rows, task| {
            let mut names = Vec::new();
            for (dependent, _) in rows.dependents_of(task, None, most)? {
                names.extend(rows.task_name(&kinds, dependent)?);
            }
            Ok(names)
        })
    }

    /// Reads with the task of this id, and refuses an id without a task.
    fn read_of<R>(&self, id: &TaskKey, work: impl Fn(&mut Tables<Reading<'_>>, TaskRef) -> Result<R>) -> Result<R> {
        let kind = self.kind()?;
        self.shared.engine.read(|rows| match rows.look_up(&kind, id)? {
            Some(task) => work(rows, task),
            None => Err(kind.refuse(id.clone(), Reason::NotFound)),
        })
    }
}

impl<S: Source> Tables<S> {
    /// Names up to `most` of the unresolved dependencies of a task.
    pub(crate) fn named_dependencies(&mut self, dependent: TaskRef, most: usize) -> Result<Vec<Dependency>> {
        let dependencies = self.dependencies(dependent, most)?.into_iter();
        Ok(dependencies.filter_map(|(on, on_failure)| Some(Dependency { on: on?, on_failure })).collect())
    }

    /// Names up to `most` of the unresolved dependencies of a task. `None` stands for one that is deleted and whose end is not propagated yet.
    pub(crate) fn dependencies(
        &mut self,
        dependent: TaskRef,
        most: usize,
    ) -> Result<Vec<(Option<DependencyTarget>, OnDependencyFailure)>> {
        let kinds = self.all_kinds()?;
        let mut dependencies = Vec::new();
        for (target, on_failure) in self.dependencies_of(dependent, most)? {
            let on = match target.batch() {
                Some(number) => self.batch(number)?.map(|batch| DependencyTarget::Batch { label: batch.label }),
                None => self.task_name(&kinds, target)?.map(DependencyTarget::Task),
            };
            dependencies.push((on, on_failure));
        }
        Ok(dependencies)
    }

    /// The kind and the id of a task; `None` if it is deleted.
    pub(crate) fn task_name(&mut self, kinds: &Kinds, task: TaskRef) -> Result<Option<TaskName>> {
        let Some(kind) = kinds.get(task.kind) else { return Ok(None) };
        Ok(self.find_task_row(task)?.map(|row| TaskName { kind: kind.name.clone(), id: row.id }))
    }
}
