//! Inspects a file for tools that do not know the Rust types of its tasks: untyped look-ups, metrics, plans and changes of payloads. Called
//! by users, `tracker-cli`, `tracker-web` and `api/live`. Writes nothing, except moves, prunes and changes of payloads, which act through
//! `Engine`.

mod error_pattern;
mod errors;
mod gauges;
mod info;
mod leases;
mod metrics;
mod open_metrics;
mod plan;
mod query;
#[cfg(feature = "metrics")]
mod recorded_gauges;
mod throughput;
mod update;

pub use errors::{ErrorGroup, ErrorGroups};
pub use info::KindInfo;
pub use leases::LeasedTask;
pub use metrics::{KindMetrics, Metrics};
pub use plan::{BlockedGroup, BoundedCount, Plan, PlannedTask, WaitingTask};
pub use throughput::{Throughput, ThroughputMinute};

use std::{sync::Arc, time::Duration};

use crate::{
    api::{
        port::{Blocking, run_blocking},
        query::named,
        schema::Untyped,
        tasks::Tasks,
        tracker::Tracker,
    },
    model::{
        error::{Error, Result},
        kind::Kind,
        task::{TaskId, TaskKey},
        transition::Command,
    },
};

impl Tracker {
    /// Returns the tasks of a kind in the file without their type: payloads are [`Payload`](crate::untyped::Payload), statuses are the definitions that the file has of
    /// them. For tools that look at any file and steer it; it works beside `Tasks` of the same kind.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// for kind in tracker.kinds()? {
    ///     let tasks = tracker.untyped(&kind)?;
    ///     for record in tasks.query().status("pending").fetch()? {
    ///         println!("{} {} {}", record.id, record.status.name, serde_json::to_string(&record.task)?);
    ///     }
    ///     tasks.query().status("Exhausted").requeue()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the file has no such kind.
    pub fn untyped(&self, kind: &str) -> Result<Tasks<Untyped>> {
        let kinds = self.shared.engine.stored_kinds()?;
        let found = kinds.by_name(kind).ok_or_else(|| {
            let known: Vec<_> = kinds.all().map(|kind| kind.name.as_str()).collect();
            Error::invalid(format!("the file has no kind {kind:?}; it has {known:?}"))
        })?;
        Ok(Tasks::new(self.shared.clone(), found, Arc::default()))
    }
}

impl Tasks<Untyped> {
    /// Finds the ids of stored tasks that a text can mean: `7` can be a text, an integer or bytes. Mostly one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn find_ids_by_text(&self, text: &str) -> Result<Vec<TaskKey>> {
        let forms = query::forms_of(text);
        self.shared.engine.read(|rows| {
            let mut found = Vec::new();
            for bytes in &forms {
                if let Some(id) = TaskKey::from_bytes(bytes)
                    && rows.with_id(self.kind_id(), &id)?.is_some()
                {
                    found.push(id);
                }
            }
            Ok(found)
        })
    }

    /// Moves a task between parked and startable statuses; the status by its name or the digits of its code.
    ///
    /// # Errors
    /// As [`Tasks::move_to`] of a type; [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has no such status.
    pub fn move_to(&self, id: impl TaskId, status: &str) -> Result<()> {
        let code = named(&*self.stored_kind()?, status)?;
        run_blocking(self.command(id, Command::Move { code }).run(Blocking, &self.shared))
    }

    /// Deletes the tasks of these statuses (by name or code) that ended longer ago than `keep`, in batches. Returns how many.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has no such status, or if tasks in it have not ended.
    pub fn prune_older_than(&self, statuses: &[&str], keep: Duration) -> Result<u64> {
        let kind = self.stored_kind()?;
        let mut rules = Vec::new();
        for name in statuses {
            let code = named(&kind, name)?;
            if !kind.graph.status(code).is_some_and(|status| kind.graph.is_terminal(status)) {
                return Err(Error::invalid(format!(
                    "tasks in {name} of kind {:?} have not ended: only what has ended can be pruned",
                    kind.name
                )));
            }
            rules.push((code, keep));
        }
        self.prune_by(&rules)
    }

    /// The kind as the file defines it now.
    pub(crate) fn stored_kind(&self) -> Result<Arc<Kind>> {
        self.shared.engine.read(|rows| self.kind_in(rows))
    }
}

/// The error of a task that does not exist.
fn not_found(kind: &Kind, id: &TaskKey) -> Error {
    kind.refuse(id.clone(), crate::model::error::Reason::NotFound)
}
