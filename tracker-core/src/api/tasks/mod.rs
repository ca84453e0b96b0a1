//! `Tasks` is the handle of one kind, with one file for each group of calls. Called by users, `worker`, and most files of `api`; the handle
//! itself reads only the kind's definition.

mod admin;
mod bulk;
mod ends;
mod lookup;
mod maintenance;
mod options;
mod order;
mod run;
mod start;
mod submit;

pub use bulk::SubmitSummary;
pub use ends::Waited;
pub use lookup::{Counts, QueuePosition};
pub use options::{StartOptions, SubmitOptions};
pub use submit::{Receipt, Submission, SubmittedRecord};

use std::{fmt, marker::PhantomData, sync::Arc};

use crate::{
    api::{open_kinds::OpenType, schema::Schema, shared::Shared},
    model::{
        bounds::{NAME, shorten},
        error::{Error, Result},
        kind::Kind,
        task::TrackedTask,
    },
    storage::tables::{Reading, Tables},
};

/// The tasks of one kind. Cheap to clone and to share.
pub struct Tasks<T: Schema> {
    pub(crate) shared: Arc<Shared>,
    kind: u32,
    name: Arc<str>,
    /// The step that claims and starts are about; none is chosen yet on a kind of several steps.
    step: Option<u16>,
    worker: Arc<str>,
    opened: Arc<OpenType>,
    types: PhantomData<fn() -> T>,
}

impl<T: Schema> Tasks<T> {
    pub(crate) fn new(shared: Arc<Shared>, kind: &Kind, opened: Arc<OpenType>) -> Self {
        let step = (kind.graph.steps().len() == 1).then_some(0);
        let worker = format!("pid {}", std::process::id()).into();
        let name = kind.name.as_str().into();
        Self { shared, kind: kind.id, name, step, worker, opened, types: PhantomData }
    }

    /// Returns the name of the kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind_id(&self) -> u32 {
        self.kind
    }

    pub(crate) fn kind(&self) -> Result<Arc<Kind>> {
        self.shared.kind(self.kind)
    }

    /// The kind as these rows describe it.
    pub(crate) fn kind_in(&self, rows: &mut Tables<Reading<'_>>) -> Result<Arc<Kind>> {
        self.shared.kind_in(rows, self.kind)
    }
}

impl<T: TrackedTask> Tasks<T> {
    /// Returns the tasks with another worker name (at most 128 bytes) for claims and starts. Leases and histories show the name.
    #[must_use]
    pub fn worker_name(&self, worker: &str) -> Self {
        Self { worker: shorten(worker.to_owned(), NAME).into(), ..self.clone() }
    }

    /// Selects one step of a pipeline: claims, starts and workers of the result are limited to it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the status type has no such step.
    pub fn step(&self, name: &str) -> Result<Self> {
        let kind = self.kind()?;
        let step = kind.graph.step_named(name).ok_or_else(|| {
            let known: Vec<_> = kind.graph.steps().filter(|step| !step.is_empty()).collect();
            let has = if known.is_empty() { "no steps".to_owned() } else { format!("{known:?}") };
            Error::invalid(format!("kind {:?} has no step {name:?}; it has {has}", kind.name))
        })?;
        Ok(Self { step: Some(step), ..self.clone() })
    }
}

impl<T: Schema> Clone for Tasks<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            kind: self.kind,
            name: self.name.clone(),
            step: self.step,
            worker: self.worker.clone(),
            opened: self.opened.clone(),
            types: PhantomData,
        }
    }
}

impl<T: Schema> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("kind", &self.name).field("step", &self.step).finish_non_exhaustive()
    }
}
