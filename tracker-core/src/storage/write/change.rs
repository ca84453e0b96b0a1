//! Writes one task: header, payload, history and the difference of its derived rows. Removes the oldest attempts of a full history, and the
//! progress of an ended attempt. Called by `engine/writer` and `retime`. These tables are also written by `bulk` for many new tasks, by `retime`
//! for rows of the history, by `engine/writer/rebuild`, and by `storage/raw_rows` for a move.

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TaskRef,
        task_row::TaskRow,
        transition::{Header, StoredAttempt},
    },
    storage::{
        encoding,
        keys::{AttemptKey, CountKey},
        read::rows::Rows,
        rows_of::{DerivedRows, needs_keys, rows_of},
        tables::{Tables, Writing},
    },
};

/// A task before and after a write.
#[derive(Clone, Copy, Default)]
pub(crate) struct TaskChange<'a> {
    pub old: Option<&'a Header>,
    pub new: Option<&'a Header>,
    /// The old payload; required if [`TaskChange::needs_old_row`] is true.
    pub old_row: Option<&'a TaskRow>,
    /// The payload after the change, if it changes.
    pub new_row: Option<&'a TaskRow>,
    pub history: &'a [StoredAttempt],
    /// The payload that waits for the end of the running attempt: stored, removed or left as it is.
    #[expect(clippy::option_option, reason = "outside: whether it changes; inside: what it becomes")]
    pub successor: Option<Option<&'a TaskRow>>,
}

impl<'a> TaskChange<'a> {
    /// Whether a change can only be written if the old payload is known.
    pub(crate) fn needs_old_row(
        kind: &Kind,
        task: TaskRef,
        old: Option<&Header>,
        new: Option<&Header>,
        payload_changes: bool,
    ) -> bool {
        match (old, new) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(old), Some(new)) => payload_changes || needs_keys(kind, task, old, new),
        }
    }

    /// The derived rows before and after.
    pub(crate) fn rows(&self, kind: &Kind, task: TaskRef) -> (Option<DerivedRows<'a>>, Option<DerivedRows<'a>>) {
        let keys = |row: Option<&'a TaskRow>| row.map(TaskRow::keys);
        let before = self.old.map(|header| rows_of(kind, task, header, keys(self.old_row)));
        let after = self.new.map(|header| rows_of(kind, task, header, keys(self.new_row.or(self.old_row))));
        (before, after)
    }
}

/// The error for a new row whose key is already taken, because a counter in the file that assigns keys is wrong.
pub(crate) fn occupied(table: &str, place: impl std::fmt::Display) -> Error {
    Error::corrupted(table, place, "a new row should go here, but a row is here already")
}

/// The rows of a history: keys and records.
pub(crate) type HistoryRows = Vec<([u8; AttemptKey::LEN], Vec<u8>)>;

impl Tables<Writing<'_>> {
    /// Writes a task and all that is derived from it. Returns the counters that it leaves and enters.
    pub(crate) fn apply(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<[Option<CountKey>; 2]> {
        let (before, after) = change.rows(kind, task);
        self.replace_rows(kind, task, before.as_ref(), after.as_ref())?;
        self.put_header(task, change.new, change.old.is_none())?;
        match (change.new, change.new_row) {
            (None, _) => self.payloads()?.remove(&task.pack())?,
            (Some(_), Some(row)) => self.put_row(task, row, change.old.is_none())?,
            (Some(_), None) => {}
        }
        self.apply_history(kind, task, change)?;
        match change.successor {
            Some(Some(row)) => self.put_successor(task, row)?,
            Some(None) => self.successors()?.remove(&task.pack())?,
            None => {}
        }
        // The progress of an attempt is removed when the attempt ends.
        let running =
            |header: Option<&Header>| header.filter(|header| header.lease.is_some()).map(|header| header.attempts);
        let attempt = running(change.old);
        if attempt.is_some() && attempt != running(change.new) {
            self.progress_rows()?.remove(&task.pack())?;
        }
        Ok([before.map(|rows| rows.count), after.map(|rows| rows.count)])
    }

    fn put_header(&mut self, task: TaskRef, header: Option<&Header>, is_new: bool) -> Result<()> {
        let key = task.pack();
        let Some(header) = header else {
            self.headers()?.remove(&key)?;
            return Ok(());
        };
        let inserted = self.headers()?.insert_new(&key, encoding::encode_at(&key, header)?.as_slice())?;
        if is_new && !inserted { Err(occupied("tracker.headers", task)) } else { Ok(()) }
    }

    /// Writes the payload that waits for the end of the running attempt.
    pub(crate) fn put_successor(&mut self, task: TaskRef, row: &TaskRow) -> Result<()> {
        let key = task.pack();
        self.successors()?.insert(&key, encoding::encode_at(&key, row)?.as_slice())?;
        Ok(())
    }

    /// Writes the id, keys and payload of a task.
    pub(crate) fn put_row(&mut self, task: TaskRef, row: &TaskRow, is_new: bool) -> Result<()> {
        let key = task.pack();
        let inserted = self.payloads()?.insert_new(&key, encoding::encode_at(&key, row)?.as_slice())?;
        if is_new && !inserted { Err(occupied("tracker.payloads", task)) } else { Ok(()) }
    }

    fn apply_history(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        let Some(new) = change.new else {
            return if change.old.is_some_and(|header| header.ended > 0) { self.clear_history(task) } else { Ok(()) };
        };
        let keep = usize::from(kind.policy.history.max(1));
        // The last ended attempt may be in the header and not in the history table. It counts, so the oldest row of the table may have to go.
        let silent = new.last.is_some() && change.old.is_some_and(|old| old.last.is_none());
        if change.history.is_empty() && !(silent && new.ended as usize > keep) {
            return Ok(());
        }
        let history = self.history()?;
        for ended in change.history {
            let key = AttemptKey { task, fence: ended.fence }.pack();
            history.insert(&key, encoding::encode_at(&key, ended)?.as_slice())?;
        }
        let kept = keep - usize::from(new.last.is_some());
        let rows = Rows::of("tracker.history", history, AttemptKey::all(task))?;
        let runs = rows.map(|row| Ok(*row?.0.value())).collect::<Result<Vec<_>>>()?;
        for key in runs.iter().take(runs.len().saturating_sub(kept)) {
            history.remove(key)?;
        }
        Ok(())
    }

    /// The rows of a history as raw bytes, also those that cannot be decoded.
    pub(crate) fn runs(&mut self, task: TaskRef) -> Result<HistoryRows> {
        let rows = Rows::of("tracker.history", self.history()?, AttemptKey::all(task))?;
        let runs = rows.map(|row| {
            let (key, record) = row?;
            Ok((*key.value(), record.value().to_vec()))
        });
        runs.collect()
    }

    /// Replaces a history by rows that [`Self::runs`] returned.
    pub(crate) fn replace_runs(&mut self, task: TaskRef, runs: &HistoryRows) -> Result<()> {
        self.clear_history(task)?;
        for (key, record) in runs {
            self.history()?.insert(key, record.as_slice())?;
        }
        Ok(())
    }

    fn clear_history(&mut self, task: TaskRef) -> Result<()> {
        let runs = AttemptKey::all(task);
        self.history()?.remove_range::<&[u8; AttemptKey::LEN]>(runs.start()..=runs.end())
    }
}
