use std::sync::Arc;

use super::Writer;
use crate::{
    disk::keys::TaskRef,
    error::{Error, ErrorKind, Result},
    rules::Header,
    store::{Body, Change, Kind, KindSpec, Whole, check_kinds},
};

impl Writer<'_> {
    /// Moves a task from the indexes of one definition of its kind to those of another.
    pub(crate) fn rebuild(
        &mut self,
        old: &Kind,
        new: &Kind,
        task: TaskRef,
        header: &Header,
        body: &Body,
        rebuilt: &Body,
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
        let enter = Change { old_body: Some(&bare), new_body: Some(rebuilt), ..leave };
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
        Ok(())
    }

    /// Puts the tasks of a kind into its lanes and slots anew.
    pub(crate) fn relane(&mut self, kind: &Kind) -> Result<()> {
        self.touch();
        self.rows.clear_lanes(kind.id)?;
        let mut from = 0;
        while kind.limit().is_some() {
            let tasks = self.rows.tasks_from(kind.id, from, 1_000)?;
            let Some(last) = tasks.last() else { break };
            from = last.seq + 1;
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
        let id = self.kinds.all().map(|kind| kind.id).max().unwrap_or(0) + 1;
        self.put_kind(spec.kind(id, paused))
    }

    /// Writes a task that comes from elsewhere, whose id is not there; refused if a unique key of it is.
    #[cfg(feature = "json")]
    pub(crate) fn admit(&mut self, kind: &Kind, whole: &Whole) -> Result<()> {
        let Whole { task, header, body, .. } = whole;
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
        let Whole { task, body, past, .. } = whole;
        let header = Header { successor: false, ..whole.header.clone() };
        let fences = past.iter().chain(&header.last).map(|ended| ended.fence);
        let fence = fences.chain(header.lease.as_ref().map(|lease| lease.fence)).max().unwrap_or(0);
        self.pulse.next_seq = self.pulse.next_seq.max(task.seq + 1);
        self.pulse.next_fence = self.pulse.next_fence.max(fence + 1);
        self.pulse.mark = self.pulse.mark.max(header.updated);
        self.touch();
        let change = Change { new: Some(&header), new_body: Some(body), history: past, ..Change::default() };
        let counted = self.rows.apply(kind, *task, &change)?;
        self.count(counted);
        Ok(())
    }
}
