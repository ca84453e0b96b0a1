use std::{collections::BTreeMap, sync::Arc};

use super::Writer;
use crate::{
    disk::keys::{NeedKey, TaskRef},
    error::{Error, ErrorKind, Result},
    rules::{Batch, Command, Header, News, Otherwise},
    store::{Body, Change, Kind, KindSpec, NewTask, Untold, Whole, check_kinds},
};

impl Writer<'_> {
    /// Moves a task from the indexes of one definition of its kind to those of another.
    pub(crate) fn rebuild(
        &mut self,
        (old, new): (&Kind, &Kind),
        task: TaskRef,
        header: &Header,
        (body, rebuilt): (&Body, &Body),
        successor: Option<&Body>,
    ) -> Result<()> {
        let bare = Body { indexes: Vec::new(), uniques: Vec::new(), ..body.clone() };
        self.touch();
        let leave = Change {
            old: Some(header),
            new: Some(header),
            old_body: Some(body),
            new_body: Some(&bare),
            ..Change::default()
        };
        self.rows.apply(old, task, &leave)?;
        self.rows.reposition(old, new, task, header)?;
        let enter = Change { old_body: Some(&bare), new_body: Some(rebuilt), successor: successor.map(Some), ..leave };
        if let Some(rival) = self.rows.rival(new, task, &enter)? {
            let other = self.rows.body_of(rival)?.id;
            return Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!(
                    "kind {:?}: a unique key cannot be added, \"{}\" and \"{other}\" share its value",
                    new.name, body.id
                ),
            ));
        }
        self.rows.apply(new, task, &enter)?;
        self.batches.recount(header, (old, new));
        Ok(())
    }

    /// Puts the tasks of a kind into its lanes and slots anew.
    pub(crate) fn relane(&mut self, kind: &Kind) -> Result<()> {
        self.touch();
        self.rows.clear_lanes(kind.id)?;
        let mut beyond = None;
        while kind.limit().is_some() {
            let tasks = self.rows.tasks_beyond(kind.id, beyond, 1_000)?;
            let Some(last) = tasks.last() else { break };
            beyond = Some(last.seq);
            for task in tasks {
                let (header, body) = (self.known(task)?, self.rows.body_of(task)?);
                let enter = Change { new: Some(&header), new_body: Some(&body), ..Change::default() };
                self.rows.apply_lane(kind, task, &enter)?;
            }
        }
        Ok(())
    }

    /// Makes a kind known that the file has not.
    pub(crate) fn define(&mut self, spec: KindSpec, paused: bool) -> Result<Arc<Kind>> {
        check_kinds(self.kinds.all().count())?;
        let last = self.kinds.all().map(|kind| kind.id).max().unwrap_or(0);
        let id = last.checked_add(1).ok_or_else(|| Error::corrupted("tracker.kinds", last, "no number follows it"))?;
        self.put_kind(spec.kind(id, paused))
    }

    /// Writes a task that comes from elsewhere, whose id is not there; refused if a unique key of it is.
    #[cfg(feature = "json")]
    pub(crate) fn admit(&mut self, kind: &Kind, whole: &Whole) -> Result<()> {
        let Whole { task, header, body, .. } = whole;
        if !whole.has_room() {
            return Err(Error::invalid(format!(
                "\"{}\" has a fence of 2^63 or more, which no file gives out",
                body.id
            )));
        }
        let change = Change { new: Some(header), new_body: Some(body), ..Change::default() };
        if let Some(rival) = self.rows.rival(kind, *task, &change)? {
            let other = self.rows.body_of(rival)?.id;
            return Err(kind.refuse(body.id.clone(), crate::error::Reason::Conflict { other }));
        }
        // Times from elsewhere do not set the clock of this file.
        let mark = self.pulse.mark;
        self.restore(kind, whole)?;
        self.pulse.mark = mark;
        self.effects.woke = true;
        Ok(())
    }

    /// A number for a task that comes later.
    #[cfg(feature = "json")]
    pub(crate) fn reserve_seq(&mut self) -> Result<u64> {
        self.touch();
        self.new_seq()
    }

    /// Notes that tasks of a kind have keys that only its type can tell for sure.
    #[cfg(feature = "json")]
    pub(crate) fn outdate(&mut self, kind: u32) -> Result<()> {
        let kind = self.kind(kind)?;
        if !kind.stale {
            self.put_kind(Kind { stale: true, ..(*kind).clone() })?;
        }
        Ok(())
    }

    /// Writes a task as another file had it.
    pub(crate) fn restore(&mut self, kind: &Kind, whole: &Whole) -> Result<()> {
        let Whole { task, body, past, successor, .. } = whole;
        let batch = whole.header.batch.filter(|batch| self.batch_now(*batch).is_ok());
        // What waited and is lost has not been submitted.
        let fingerprint = whole.header.fingerprint.filter(|_| !whole.lacks_successor());
        let (successor, waits, watched) = (successor.as_ref(), 0, false);
        let header =
            Header { successor: successor.is_some(), fingerprint, waits, watched, batch, ..whole.header.clone() };
        let fence = whole.fence();
        self.pulse.next_seq = self.pulse.next_seq.max(task.seq.saturating_add(1));
        self.pulse.next_fence = self.pulse.next_fence.max(fence.saturating_add(1));
        self.pulse.mark = self.pulse.mark.max(header.updated);
        self.touch();
        let successor = successor.map(Some);
        let change = Change { new: Some(&header), new_body: Some(body), history: past, successor, ..Change::default() };
        if self.undo.is_some() {
            self.remember(kind, *task, &change)?;
        }
        let counted = self.rows.apply(kind, *task, &change)?;
        self.count(counted);
        self.batches.count(kind, None, Some(&header), 1);
        Ok(())
    }

    /// Writes a batch as another file had it, but for its tasks.
    pub(crate) fn restore_batch(&mut self, number: u64, batch: Batch, follow_up: Option<&NewTask>) -> Result<()> {
        self.pulse.next_seq = self.pulse.next_seq.max(number.saturating_add(1));
        self.put_new_batch(number, batch, follow_up)
    }

    /// Has a task wait for others as in another file. Those that are not here count as deleted.
    pub(crate) fn restore_needs(&mut self, waiter: TaskRef, needs: &BTreeMap<TaskRef, Otherwise>) -> Result<()> {
        let Some(header) = self.header(waiter)? else { return Ok(()) };
        let (kind, id) = (self.kind(waiter.kind)?, self.rows.body_of(waiter)?.id);
        let mut others = 0;
        for (target, otherwise) in needs {
            let key = NeedKey { from: waiter, to: *target };
            let here = match target.batch() {
                Some(number) => self.rows.batch(number)?.is_some(),
                None => self.header(*target)?.is_some(),
            };
            if here {
                self.watch(*target)?;
            } else {
                let untold = Untold { about: *target, news: News::Gone, before: u64::MAX, beyond: None };
                self.rows.put_untold(untold)?;
                self.effects.untold = true;
            }
            self.put_need(key, Some(*otherwise))?;
            others += 1;
        }
        self.decide(&kind, waiter, Some(&header), &Command::Await { others }, None, &id)?;
        Ok(())
    }
}
