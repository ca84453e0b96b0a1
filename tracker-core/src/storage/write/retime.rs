//! Corrects recorded times that lie in the future, and the due times that were counted from them; schedules look for occurrences from now on
//! at the latest. Called by `engine/repair_time`, which corrects the clock floor; reads and writes the tables with such times.

use super::{change::TaskChange, rate::NEXT};
use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::{TaskKey, TaskRef},
        task_row::Progress,
        throttle::AcceptedSubmit,
        time::Micros,
        transition::{Header, NEVER, StoredAttempt, TimeShift, times_of, times_of_attempt, times_of_batch},
    },
    storage::{
        encoding::{self, Encodable},
        keys::{AttemptKey, StartKey},
        order::{StatusOrder, status_order},
        tables::{Tables, Writing, row_of},
    },
};

/// A waiting task whose due time was counted from a time ahead.
pub(crate) struct Redated {
    pub kind: String,
    pub id: TaskKey,
    pub before: Micros,
    pub after: Micros,
}

/// Number of tasks that are read at a time.
const PAGE: usize = 1_000;

type HistoryRows = Vec<([u8; AttemptKey::LEN], StoredAttempt)>;

impl Tables<Writing<'_>> {
    /// The times after `now` that the file has recorded as past ones.
    pub(crate) fn times_ahead(&mut self, now: Micros) -> Result<Vec<Micros>> {
        let mut times = Vec::new();
        let mut add = |found: &mut dyn Iterator<Item = Micros>| times.extend(found.filter(|time| *time > now));
        self.each_task(|_, _, _, header| {
            add(&mut times_of(header));
            Ok(())
        })?;
        for (_, ended) in self.history_where(|ended| times_of_attempt(ended).iter().any(|time| *time > now))? {
            add(&mut times_of_attempt(&ended).into_iter());
        }
        for (_, batch) in self.batches_beyond(None, usize::MAX)? {
            add(&mut times_of_batch(&batch));
        }
        for (_, at) in self.starts_ahead(now)? {
            add(&mut [at].into_iter());
        }
        for (_, schedule) in self.all_schedules()? {
            add(&mut [schedule.anchor].into_iter());
        }
        for row in self.throttles_after(None, usize::MAX)? {
            add(&mut [row.accepted?.at].into_iter());
        }
        Ok(times)
    }

    /// Replaces the times in all rows by the corrected ones. Returns how many tasks have changed, and the first `most` of
    /// those that wait for another due time now.
    pub(crate) fn retime(&mut self, shift: &TimeShift, most: usize) -> Result<(u64, Vec<Redated>)> {
        let (mut changed, mut redated) = (0, Vec::new());
        self.each_task(|rows, kind, task, old| {
            let new = shift.header(old);
            if new == *old {
                return Ok(());
            }
            changed += 1;
            let needs_row = TaskChange::needs_old_row(kind, task, Some(old), Some(&new), false);
            let old_row = if needs_row { Some(rows.task_row(task)?) } else { None };
            let change =
                TaskChange { old: Some(old), new: Some(&new), old_row: old_row.as_ref(), ..TaskChange::default() };
            rows.apply(kind, task, &change)?;
            let waits =
                old.lease.is_none() && status_order(&kind.graph, old.code) == StatusOrder::Waiting && old.due != NEVER;
            if waits && new.due != old.due && redated.len() < most {
                let id = old_row.map_or_else(|| rows.task_row(task), Ok)?.id;
                redated.push(Redated { kind: kind.name.clone(), id, before: old.due, after: new.due });
            }
            Ok(())
        })?;
        for (key, ended) in self.history_where(|ended| shift.attempt(ended) != *ended)? {
            self.history()?.insert(&key, encoding::encode_at(&key, &shift.attempt(&ended))?.as_slice())?;
        }
        for (number, batch) in self.batches_beyond(None, usize::MAX)? {
            if let Some(mut new) = self.follow_up(number)? {
                let due = new.submit.due.map(|due| shift.due(batch.created, due));
                if due != new.submit.due {
                    new.submit.due = due;
                    self.put_follow_up(number, &new)?;
                }
            }
            let shifted = shift.batch(&batch);
            if shifted != batch {
                self.put_batch(number, &shifted)?;
            }
        }
        for (key, at) in self.starts_ahead(shift.now())? {
            self.rate_starts()?.insert(&key.pack(), shift.corrected(at))?;
        }
        // Occurrences that were skipped under the wrong clock run at their times. The ids of those that were submitted are taken.
        for (name, mut schedule) in self.all_schedules()? {
            schedule.anchor = shift.corrected(schedule.anchor);
            schedule.next = Some(schedule.next.map_or(shift.now(), |next| next.min(shift.now())));
            self.put_schedule(&name, &schedule)?;
        }
        for row in self.throttles_after(None, usize::MAX)? {
            let accepted = row.accepted?;
            let at = shift.corrected(accepted.at);
            if at != accepted.at {
                self.put_accepted_submit(row.kind, &row.key, Some(&AcceptedSubmit { at, ..accepted }))?;
            }
        }
        for (task, progress) in self.all_progress()? {
            let at = shift.corrected(progress.at);
            if at != progress.at {
                self.put_progress(task, &Progress { at, ..progress })?;
            }
        }
        Ok((changed, redated))
    }

    /// Calls `work` for all tasks. A change of one does not change its place among the others.
    fn each_task(&mut self, mut work: impl FnMut(&mut Self, &Kind, TaskRef, &Header) -> Result<()>) -> Result<()> {
        for kind in self.all_kinds()?.all() {
            let mut beyond = None;
            loop {
                let tasks = self.tasks_beyond(kind.id, beyond, PAGE)?;
                let Some(last) = tasks.last() else { break };
                beyond = Some(last.seq);
                for task in tasks {
                    if let Some(header) = self.header(task)? {
                        work(self, kind, task, &header)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn history_where(&mut self, wanted: impl Fn(&StoredAttempt) -> bool) -> Result<HistoryRows> {
        let mut found = Vec::new();
        for entry in self.history()?.rows()? {
            let (key, value) = entry?;
            let ended = decoded("tracker.history", key.value(), value.value())?;
            if wanted(&ended) {
                found.push((*key.value(), ended));
            }
        }
        Ok(found)
    }

    /// The starts that a rate counts and that lie after `now`.
    fn starts_ahead(&mut self, now: Micros) -> Result<Vec<(StartKey, Micros)>> {
        let mut found = Vec::new();
        for entry in self.rate_starts()?.rows()? {
            let (key, at) = entry?;
            let key = StartKey::unpack(key.value());
            if key.number != NEXT && at.value() > now {
                found.push((key, at.value()));
            }
        }
        Ok(found)
    }

    fn all_progress(&mut self) -> Result<Vec<(TaskRef, Progress)>> {
        let mut found = Vec::new();
        for entry in self.progress_rows()?.rows()? {
            let (key, value) = entry?;
            let task = TaskRef::unpack(key.value());
            found.push((task, row_of("tracker.progress", task, value.value())?));
        }
        Ok(found)
    }
}

fn decoded<T: Encodable>(table: &str, key: &[u8; AttemptKey::LEN], value: &[u8]) -> Result<T> {
    encoding::decode_at(key, value).map_err(|what| Error::corrupted(table, AttemptKey::unpack(key).task, what))
}
