//! `Register` stores the definition of a kind when a type opens it; `Pause` pauses or resumes a kind. `Register` is queued by `Tracker::tasks`, `Pause`
//! by `api/tasks/admin` and `Tracker::pause_kinds`. Where keys, limits, needs or certain statuses have changed, reads every task of the kind and
//! rewrites its index rows. Decodes payloads, which runs user code inside the write transaction.

use std::{borrow::Cow, sync::Arc};

use super::Action;
use crate::{
    engine::writer::{Redefined, Writer},
    model::{
        error::{ErrorKind, Result},
        kind::{Kind, KindSpec},
        new_task::NewTask,
        panics,
        task::{TaskRef, ValueType, has_other_type},
        task_row::{TaskRow, Values},
        transition::Command,
    },
};

/// Returns the values of the indexes and unique keys of a stored payload; `None` if it cannot be decoded.
type ReadValues = Box<dyn Fn(&[u8]) -> Option<Values> + Send + Sync>;

/// Stores a kind, or updates its stored definition to that of the type that opens it.
pub(crate) struct Register {
    pub spec: KindSpec,
    /// The type of the ids, if the library knows it.
    pub id_type: Option<ValueType>,
    pub values: ReadValues,
}

impl Action for Register {
    type Out = Arc<Kind>;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Arc<Kind>> {
        let spec = &self.spec;
        let old = writer.kinds().find(|kind| kind.name == spec.name);
        let Some(old) = old else {
            return writer.define(spec.clone(), false);
        };
        if let Some(declared) = self.id_type {
            writer.rows().check_id_type(&old, declared)?;
        }
        let new = spec.clone().kind(old.id, old.paused);
        let rebuilds = old.stale
            || old.indexes != new.indexes
            || old.uniques != new.uniques
            || orders_differ(&old, &new)
            || self.has_other_types(writer, &old)?;
        if new == *old && !rebuilds {
            self.restore_readable(writer, &old)?;
            return Ok(old);
        }
        writer.rows().check_codes(&old, &new.graph)?;
        if rebuilds {
            self.rebuild(writer, &unlimited(&old), &unlimited(&new))?;
        }
        let kind = writer.put_kind(new)?;
        if rebuilds || limit_rows_differ(&old, &kind) {
            writer.rebuild_limit_rows(&kind)?;
        }
        if old.policy.rate.map(|rate| rate.starts) != kind.policy.rate.map(|rate| rate.starts) {
            writer.rows().refit_starts(&kind)?;
        }
        self.restore_readable(writer, &kind)?;
        Ok(kind)
    }
}

impl Register {
    /// Makes tasks claimable again that an earlier type could not decode.
    fn restore_readable(&self, writer: &mut Writer<'_>, kind: &Arc<Kind>) -> Result<()> {
        for task in writer.rows().unreadable_tasks(kind)? {
            let header = writer.indexed_header(task)?;
            if header.unreadable
                && let Ok(row) = writer.rows().task_row(task)
                && (self.values)(&row.payload).is_some()
            {
                writer.decide(kind, task, Some(&header), &Command::Readable, None, &row.id)?;
            }
        }
        Ok(())
    }

    /// Whether an indexed field or a field of a unique key has another type than when its values were stored.
    ///
    /// A few tasks are enough, since a rebuild stores the keys of all tasks anew: the oldest one, and for each index or unique key a task that has a
    /// value of it.
    fn has_other_types(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<bool> {
        if kind.indexes.is_empty() && kind.uniques.is_empty() {
            return Ok(false);
        }
        let mut sample = writer.rows().tasks_beyond(kind.id, None, 1)?;
        sample.extend(writer.rows().last_keyed(kind)?);
        for task in sample {
            let stored = match writer.rows().task_row(task) {
                Ok(stored) => stored,
                // Damage is reported by the call that needs the task.
                Err(error) if error.kind() == ErrorKind::Corrupted => continue,
                Err(error) => return Err(error),
            };
            let Some((indexes, uniques)) = (self.values)(&stored.payload) else { continue };
            let mut keys = stored.indexes.iter().zip(&indexes).chain(stored.uniques.iter().zip(&uniques));
            if keys.any(|(stored, now)| has_other_type(stored, now)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's path is not general enough over lifetimes"
    )]
    /// Replaces the rows of every task by those of the new definition. Follow-up tasks that are still to come get the new keys.
    fn rebuild(&self, writer: &mut Writer<'_>, old: &Kind, new: &Kind) -> Result<()> {
        panics::log_catching_panics(|| {
            tracing::info!(kind = new.name, "the kind's indexes, their types or its statuses changed: rebuilding");
        });
        self.redefine(writer, old, new, |writer, task| writer.remove_old_rows(task))?;
        self.redefine(writer, old, new, |writer, task| writer.insert_new_rows(task))?;
        for (number, follow_up) in writer.rows().follow_ups_of(old.id)? {
            let (indexes, uniques) = (self.values)(&follow_up.payload).unwrap_or_default();
            writer.rows().put_follow_up(number, &NewTask { indexes, uniques, ..follow_up })?;
        }
        Ok(())
    }

    /// Runs a step of the rebuild for every task of a kind.
    fn redefine(
        &self,
        writer: &mut Writer<'_>,
        old: &Kind,
        new: &Kind,
        step: impl Fn(&mut Writer<'_>, &Redefined<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut beyond = None;
        loop {
            let tasks: Vec<TaskRef> = writer.rows().tasks_beyond(old.id, beyond, 1_000)?;
            let Some(last) = tasks.last() else { return Ok(()) };
            beyond = Some(last.seq);
            for task in tasks {
                let header = &writer.indexed_header(task)?;
                let row = &writer.rows().task_row(task)?;
                let successor = if header.successor { writer.rows().successor(task)? } else { None };
                let successor = successor.map(|row| self.with_keys(&row));
                let (new_row, successor) = (&self.with_keys(row), successor.as_ref());
                step(writer, &Redefined { old, new, task, header, old_row: row, new_row, successor })?;
            }
        }
    }

    /// The payload with the keys that the type gives it.
    fn with_keys(&self, row: &TaskRow) -> TaskRow {
        let (indexes, uniques) = (self.values)(&row.payload).unwrap_or_default();
        TaskRow { indexes, uniques, ..row.clone() }
    }
}

/// The kind without its limit and needs, whose rows are derived anew afterwards.
fn unlimited(kind: &Kind) -> Kind {
    let mut kind = kind.clone();
    kind.policy.limits = Cow::default();
    kind.policy.needs = Cow::default();
    kind
}

fn limit_rows_differ(old: &Kind, new: &Kind) -> bool {
    let claimable = |kind: &Kind| {
        let codes = kind.graph.statuses().iter().map(|status| status.code);
        codes.filter(|code| kind.is_claimable(*code)).collect::<Vec<_>>()
    };
    (&old.policy.limits, &old.policy.needs) != (&new.policy.limits, &new.policy.needs)
        || (new.has_queues() && claimable(old) != claimable(new))
}

fn orders_differ(old: &Kind, new: &Kind) -> bool {
    old.graph.statuses().iter().any(|status| {
        new.graph.status(status.code).is_some_and(|now| old.graph.is_terminal(status) != new.graph.is_terminal(now))
    })
}

/// Pauses or resumes a kind. No task of a paused kind is claimed.
pub(crate) struct Pause {
    pub kind: u32,
    pub paused: bool,
}

impl Action for Pause {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind = writer.kind(self.kind)?;
        if kind.paused != self.paused {
            let kind = writer.put_kind(Kind { paused: self.paused, ..(*kind).clone() })?;
            writer.push_pause(&kind);
        }
        Ok(())
    }
}
