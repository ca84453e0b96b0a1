//! Checks that a changed status type still knows the statuses in use. Called by `engine/action/register` and `Tracker::tasks`; reads
//! counters, and writes no row.

use crate::{
    model::{
        counted::counted,
        error::{Error, ErrorKind, Result},
        kind::Kind,
        status::Graph,
    },
    storage::tables::{Source, Tables},
};

impl<S: Source> Tables<S> {
    /// Refuses a type that no longer knows a code still in use, or gives it another role.
    pub(crate) fn check_codes(&mut self, kind: &Kind, graph: &Graph) -> Result<()> {
        for was in kind.graph.statuses() {
            let now = graph.status(was.code);
            if now.is_some_and(|now| now.role == was.role) {
                continue;
            }
            let tasks = self.count(kind.id, was.code)?;
            if tasks > 0 {
                let what = match now {
                    None => "the status type no longer has it".to_owned(),
                    Some(now) => format!("the status type gives it the role {}, it was {}", now.role, was.role),
                };
                return Err(Error::new(
                    ErrorKind::SchemaMismatch,
                    format!(
                        "kind {:?}: {} the status {} (code {}), but {what}; put it back, or requeue or remove these tasks with the former type first",
                        kind.name,
                        counted(tasks, "task has", "tasks have"),
                        was.name,
                        was.code
                    ),
                ));
            }
        }
        Ok(())
    }
}
