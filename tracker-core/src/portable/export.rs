//! Exports a tracker or one kind as JSON lines: kinds, batches, tasks, schedules, throttle keys and budgets. Called by users and `tracker-cli`;
//! reads the file, and writes only to the given writer.

use std::{io::Write, sync::Arc};

use serde::Serialize;

use super::{
    batch::{PortableBatch, PortableSeal},
    budget::PortableBudget,
    dependency::PortableDependency,
    schedule::PortableSchedule,
    task::PortableTask,
    throttle::PortableThrottle,
};
use crate::{
    api::{inspect::KindInfo, schema::Schema, tasks::Tasks, tracker::Tracker},
    model::{
        error::{Error, ErrorKind, Result},
        kind::Kind,
        kinds::Kinds,
        transition::Batch,
    },
    storage::tables::{Reading, Tables},
};

/// How many tasks are read from one snapshot. A snapshot that stays open keeps the file from reusing pages.
const BATCH: usize = 500;
/// The most bytes of payload that they have.
const BATCH_BYTES: usize = 8 << 20;

impl Tracker {
    /// Writes everything as lines of JSON: the definitions of all kinds, the batches, the tasks of each kind in the order of
    /// submission, each with its history, and which batches are sealed. Returns the number of tasks. [`Tracker::import`] reads them. The form is described in
    /// `docs/json-lines.md`.
    ///
    /// Each task is written as it was at one instant. Tasks that change meanwhile may be written as they were before or after.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all(["one", "two"].map(job))?;
    /// let mut lines = Vec::new();
    /// assert_eq!(tracker.export(&mut lines)?, 2);
    ///
    /// let other = Tracker::in_memory()?;
    /// assert_eq!(other.import(lines.as_slice())?.new, 2);
    /// assert_eq!(other.tasks::<Job>()?.counts()?.get(Status::Pending), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, or the writer fails.
    pub fn export(&self, mut out: impl Write) -> Result<u64> {
        let kinds = self.shared.engine.stored_kinds()?;
        for kind in kinds.all() {
            line(&mut out, &KindInfo::from(&**kind))?;
        }
        self.export_batches(&kinds, &mut out)?;
        let mut tasks = 0;
        for kind in kinds.all() {
            tasks += self.export_kind(kind, &mut out)?;
        }
        let schedules: Vec<_> = self.shared.engine.read(|rows| {
            let all = rows.all_schedules()?.into_iter();
            Ok(all.map(|(name, row)| PortableSchedule::of(&kinds, name, row)).collect())
        })?;
        for schedule in schedules {
            line(&mut out, &schedule)?;
        }
        self.export_throttles(&kinds, &mut out)?;
        for (set_budget, amount) in self.shared.engine.read(|rows| Ok(rows.stored_budgets()?.0))? {
            line(&mut out, &PortableBudget { set_budget, amount })?;
        }
        self.export_seals(&mut out)?;
        flush(&mut out)?;
        Ok(tasks)
    }

    fn export_batches(&self, kinds: &Kinds, out: &mut impl Write) -> Result<()> {
        self.each_batch(out, |rows, number, batch| {
            let follow_up = rows.follow_up(number)?;
            Ok(Some(PortableBatch::of(kinds, batch, follow_up.as_ref())))
        })
    }

    /// Writes a line for each throttle key whose period has not passed.
    fn export_throttles(&self, kinds: &Kinds, out: &mut impl Write) -> Result<()> {
        let now = self.shared.engine.now();
        let mut after = None;
        loop {
            let after_key = after.as_ref().map(|(kind, key)| (*kind, key));
            let rows = self.shared.engine.read(|rows| rows.throttles_after(after_key, BATCH))?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some((last.kind, last.key.clone()));
            for row in rows {
                let accepted = row.accepted?;
                if accepted.end() > now {
                    line(out, &PortableThrottle::of(kinds, row.kind, row.key, accepted))?;
                }
            }
        }
    }

    fn export_seals(&self, out: &mut impl Write) -> Result<()> {
        self.each_batch(out, |_, _, batch| Ok(batch.sealed.then(|| PortableSeal::of(batch))))
    }

    /// Writes a line for each batch, in the order in which they were opened.
    fn each_batch<L: Serialize>(
        &self,
        out: &mut impl Write,
        encode: impl Fn(&mut Tables<Reading<'_>>, u64, &Batch) -> Result<Option<L>>,
    ) -> Result<()> {
        let mut beyond = None;
        loop {
            let (lines, last) = self.shared.engine.read(|rows| {
                let batches = rows.batches_beyond(beyond, BATCH)?;
                let last = batches.last().map(|(number, _)| *number);
                let mut lines = Vec::with_capacity(batches.len());
                for (number, batch) in &batches {
                    lines.extend(encode(rows, *number, batch)?);
                }
                Ok((lines, last))
            })?;
            for batch in lines {
                line(out, &batch)?;
            }
            if last.is_none() {
                return Ok(());
            }
            beyond = last;
        }
    }

    fn export_kind(&self, kind: &Arc<Kind>, out: &mut impl Write) -> Result<u64> {
        let (mut beyond, mut written) = (None, 0);
        let has_moved_tasks = self.shared.engine.read(|rows| rows.has_moved_tasks(kind))?;
        loop {
            let (lines, last) = self.shared.engine.read(|rows| {
                let (mut lines, mut bytes, mut last) = (Vec::new(), 0, beyond);
                for task in rows.tasks_beyond(kind.id, beyond, BATCH)? {
                    if let Some(task_rows) = rows.task_rows(task)? {
                        let task_rows = if has_moved_tasks { task_rows.with_place(kind) } else { task_rows };
                        bytes += task_rows.row.payload.len();
                        let batch = match task_rows.header.batch {
                            Some(number) => rows.batch(number)?.map(|batch| batch.label),
                            None => None,
                        };
                        let dependencies =
                            if task_rows.header.waits > 0 { rows.dependencies(task, usize::MAX)? } else { Vec::new() };
                        let dependencies = dependencies.into_iter().map(PortableDependency::of).collect();
                        lines.push(PortableTask { batch, dependencies, ..PortableTask::of(kind, &task_rows) });
                    }
                    last = Some(task.seq);
                    if bytes >= BATCH_BYTES {
                        break;
                    }
                }
                Ok((lines, last))
            })?;
            beyond = last;
            if lines.is_empty() {
                return Ok(written);
            }
            for task in lines {
                line(out, &task)?;
                written += 1;
            }
        }
    }
}

impl<T: Schema> Tasks<T> {
    /// Writes the kind as lines of JSON: its definition, then its tasks. Returns the number of tasks. See [`Tracker::export`]. Of a batch,
    /// which may have tasks of other kinds, only its label is written.
    ///
    /// # Errors
    /// As [`Tracker::export`](crate::Tracker::export).
    pub fn export(&self, mut out: impl Write) -> Result<u64> {
        let kind = self.shared.engine.read(|rows| self.kind_in(rows))?;
        line(&mut out, &KindInfo::from(&*kind))?;
        let written = Tracker { shared: self.shared.clone() }.export_kind(&kind, &mut out)?;
        flush(&mut out)?;
        Ok(written)
    }
}

fn line(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec(value)
        .map_err(|error| Error::caused(ErrorKind::Invalid, "a line cannot be written as JSON", error))?;
    text.push(b'\n');
    out.write_all(&text).map_err(write_error)
}

fn flush(out: &mut impl Write) -> Result<()> {
    out.flush().map_err(write_error)
}

fn write_error(error: std::io::Error) -> Error {
    Error::caused(ErrorKind::Io, "the lines cannot be written further", error)
}
