use std::fmt;

use redb::ReadTransaction;

use crate::{
    disk::keys::TaskRef,
    error::{Reason, Result},
    rules::Otherwise,
    store::{Handles, Kinds, Source},
    task::{TaskId, TaskKey},
    tasks::Tasks,
    view::View,
};

/// How many of those a task waits for are named in its explanation.
pub(crate) const SOME: usize = 10;

/// A task by the name of its kind and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct TaskName {
    /// The kind's name.
    pub kind: String,
    /// The task's id.
    pub id: TaskKey,
}

/// One that a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dependency {
    /// A task.
    Task(TaskName),
    /// A batch.
    Batch {
        /// Its label.
        label: String,
    },
}

/// What a task waits for, and what becomes of it if that ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// Which one.
    pub on: Dependency,
    /// What was chosen.
    pub otherwise: Otherwise,
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\"", self.kind, self.id)
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(name) => name.fmt(f),
            Self::Batch { label } => write!(f, "the batch {label:?}"),
        }
    }
}

impl<T: View> Tasks<T> {
    /// What a task still waits for.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn needs(&self, id: impl TaskId) -> Result<Vec<Need>> {
        self.known(&id.to_key(), |rows, task| rows.named_needs(task, usize::MAX))
    }

    /// Which tasks wait for this one, at most so many.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn dependants(&self, id: impl TaskId, most: usize) -> Result<Vec<TaskName>> {
        let kinds = self.shared.engine.kinds();
        self.known(&id.to_key(), |rows, task| {
            let mut names = Vec::new();
            for (waiter, _) in rows.dependants_of(task, None, most)? {
                names.extend(rows.task_name(&kinds, waiter)?);
            }
            Ok(names)
        })
    }

    fn known<R>(
        &self,
        id: &TaskKey,
        look: impl FnOnce(&mut Handles<&ReadTransaction>, TaskRef) -> Result<R>,
    ) -> Result<R> {
        let kind = self.kind()?;
        self.shared.engine.read(|rows| match rows.with_id(self.kind_id(), id)? {
            Some(task) => look(rows, task),
            None => Err(kind.refuse(id.clone(), Reason::NotFound)),
        })
    }
}

impl<S: Source> Handles<S> {
    /// What a task waits for, in words; at most so many of them.
    pub(crate) fn named_needs(&mut self, waiter: TaskRef, most: usize) -> Result<Vec<Need>> {
        let needs = self.dependencies(waiter, most)?.into_iter();
        Ok(needs.filter_map(|(on, otherwise)| Some(Need { on: on?, otherwise })).collect())
    }

    /// The same; `None` for one that is deleted, of which the task has not heard yet.
    pub(crate) fn dependencies(
        &mut self,
        waiter: TaskRef,
        most: usize,
    ) -> Result<Vec<(Option<Dependency>, Otherwise)>> {
        let kinds = self.all_kinds()?;
        let mut needs = Vec::new();
        for (target, otherwise) in self.needs_of(waiter, most)? {
            let on = match target.batch() {
                Some(number) => self.batch(number)?.map(|batch| Dependency::Batch { label: batch.label }),
                None => self.task_name(&kinds, target)?.map(Dependency::Task),
            };
            needs.push((on, otherwise));
        }
        Ok(needs)
    }

    /// A task as people call it; `None` if it is gone.
    pub(crate) fn task_name(&mut self, kinds: &Kinds, task: TaskRef) -> Result<Option<TaskName>> {
        let Some(kind) = kinds.get(task.kind) else { return Ok(None) };
        Ok(self.body(task)?.map(|body| TaskName { kind: kind.name.clone(), id: body.id }))
    }
}
