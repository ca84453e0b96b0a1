use redb::WriteTransaction;

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
        keys::{self, AttemptKey, CountKey, MemberKey},
        order::position,
        read::rows::Rows,
        tables::Tables,
    },
};

/// One task before and after: all that is written follows from the two.
#[derive(Default)]
pub(crate) struct TaskChange<'a> {
    pub old: Option<&'a Header>,
    pub new: Option<&'a Header>,
    /// The body before; needed where the body changes, the task ends, or keys pass.
    pub old_body: Option<&'a TaskRow>,
    /// The body after, where it changes.
    pub new_body: Option<&'a TaskRow>,
    pub history: &'a [StoredAttempt],
    /// The body that waits for the end of the running attempt: set, taken or left.
    #[expect(clippy::option_option, reason = "outside: whether it changes; inside: what it becomes")]
    pub successor: Option<Option<&'a TaskRow>>,
}

/// The file counts its numbers wrongly: a new task must never take the place of another one.
pub(crate) fn occupied(table: &str, place: impl std::fmt::Display) -> Error {
    Error::corrupted(table, place, "a new row should go here, but a row is here already")
}

/// The rows of a history: keys and records.
pub(crate) type HistoryRows = Vec<([u8; AttemptKey::LEN], Vec<u8>)>;

impl Tables<&WriteTransaction> {
    /// Writes a task and everything that is derived from it. Nothing else writes these tables.
    pub(crate) fn apply(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<[Option<CountKey>; 2]> {
        self.apply_lane(kind, task, change)?;
        self.apply_header(kind, task, change)?;
        self.apply_batch(task, change)?;
        self.apply_body(kind, task, change)?;
        self.apply_history(kind, task, change)?;
        if let Some(successor) = change.successor {
            match successor {
                Some(body) => {
                    let key = task.pack();
                    self.successors()?.insert(&key, encoding::encode_at(&key, body)?.as_slice())?;
                }
                None => drop(self.successors()?.remove(&task.pack())?),
            }
        }
        // How far an attempt is goes with it.
        let runs =
            |header: Option<&Header>| header.filter(|header| header.lease.is_some()).map(|header| header.attempts);
        let before = runs(change.old);
        if before.is_some() && before != runs(change.new) {
            self.live()?.remove(&task.pack())?;
        }
        let count = |header: Option<&Header>| header.map(|header| CountKey { kind: kind.id, code: header.code });
        Ok([count(change.old), count(change.new)])
    }

    fn apply_header(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        let place = |header: &Header| position(&kind.graph, task, header);
        let (before, after) = (change.old.map(place), change.new.map(place));
        if before.map(|place| place.line) != after.map(|place| place.line) {
            let line = self.line()?;
            if let Some(place) = before {
                line.remove(&place.line.pack())?;
            }
            if let Some(place) = after {
                line.insert(&place.line.pack(), ())?;
            }
        }
        let (left, entered) = (before.and_then(|place| place.updated), after.and_then(|place| place.updated));
        if left != entered {
            let updated = self.updated()?;
            if let Some(key) = left {
                updated.remove(&key.pack())?;
            }
            if let Some(key) = entered {
                updated.insert(&key.pack(), ())?;
            }
        }
        match change.new {
            Some(header) => {
                let key = task.pack();
                let before = self.headers()?.insert(&key, encoding::encode_at(&key, header)?.as_slice())?;
                if change.old.is_none() && before.is_some() {
                    return Err(occupied("tracker.headers", task));
                }
            }
            None => drop(self.headers()?.remove(&task.pack())?),
        }
        Ok(())
    }

    fn apply_batch(&mut self, task: TaskRef, change: &TaskChange) -> Result<()> {
        let batch = |header: Option<&Header>| header.and_then(|header| header.batch);
        let (left, entered) = (batch(change.old), batch(change.new));
        if left != entered {
            if let Some(batch) = left {
                self.members()?.remove(&MemberKey { batch, task }.pack())?;
            }
            if let Some(batch) = entered {
                self.members()?.insert(&MemberKey { batch, task }.pack(), ())?;
            }
        }
        Ok(())
    }

    /// Moves a task between the places that two definitions of its kind give it.
    pub(crate) fn reposition(&mut self, from: &Kind, to: &Kind, task: TaskRef, header: &Header) -> Result<()> {
        let (before, after) = (position(&from.graph, task, header), position(&to.graph, task, header));
        self.line()?.remove(&before.line.pack())?;
        self.line()?.insert(&after.line.pack(), ())?;
        if let Some(key) = before.updated {
            self.updated()?.remove(&key.pack())?;
        }
        if let Some(key) = after.updated {
            self.updated()?.insert(&key.pack(), ())?;
        }
        Ok(())
    }

    fn apply_body(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        self.apply_uniques(kind, task, change)?;
        let gone = change.new.is_none();
        let new = if gone { None } else { change.new_body };
        if new.is_none() && !gone {
            return Ok(());
        }
        for (number, value) in (0..).zip(0..kind.indexes.len()) {
            let key =
                |body: &TaskRow| body.indexes.get(value).map(|value| keys::index_key(kind.id, number, value, task.seq));
            let (left, entered) = (change.old_body.and_then(key), new.and_then(key));
            if left != entered {
                let indexes = self.indexes()?;
                if let Some(key) = left {
                    indexes.remove(key.as_slice())?;
                }
                if let Some(key) = entered {
                    indexes.insert(key.as_slice(), ())?;
                }
            }
        }
        if change.old.is_none()
            && let Some(body) = new
        {
            self.ids()?.insert(keys::id_key(kind.id, &body.id).as_slice(), task.seq)?;
        }
        if let Some(body) = new {
            let key = task.pack();
            let before = self.bodies()?.insert(&key, encoding::encode_at(&key, body)?.as_slice())?;
            if change.old.is_none() && before.is_some() {
                return Err(occupied("tracker.bodies", task));
            }
            return Ok(());
        }
        self.bodies()?.remove(&task.pack())?;
        if let Some(body) = change.old_body {
            self.ids()?.remove(keys::id_key(kind.id, &body.id).as_slice())?;
        }
        Ok(())
    }

    fn apply_uniques(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        if kind.uniques.is_empty() {
            return Ok(());
        }
        let (left, entered) = change.keys(kind);
        for (number, value) in left {
            self.uniques()?.remove(keys::unique_key(kind.id, number, value).as_slice())?;
        }
        for (number, value) in entered {
            self.uniques()?.insert(keys::unique_key(kind.id, number, value).as_slice(), task.seq)?;
        }
        Ok(())
    }

    fn apply_history(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        let Some(new) = change.new else {
            return if change.old.is_some_and(|header| header.ended > 0) { self.clear_history(task) } else { Ok(()) };
        };
        let keep = usize::from(kind.policy.history.max(1));
        // An end that stays in the header may be one more than is kept.
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

    /// The rows of a history as they are, read or not.
    pub(crate) fn runs(&mut self, task: TaskRef) -> Result<HistoryRows> {
        let rows = Rows::of("tracker.history", self.history()?, AttemptKey::all(task))?;
        let runs = rows.map(|row| {
            let (key, record) = row?;
            Ok((*key.value(), record.value().to_vec()))
        });
        runs.collect()
    }

    /// Writes a history as it was before.
    pub(crate) fn replace_runs(&mut self, task: TaskRef, runs: &HistoryRows) -> Result<()> {
        self.clear_history(task)?;
        for (key, record) in runs {
            self.history()?.insert(key, record.as_slice())?;
        }
        Ok(())
    }

    fn clear_history(&mut self, task: TaskRef) -> Result<()> {
        let runs = AttemptKey::all(task);
        Ok(self.history()?.retain_in::<&[u8; AttemptKey::LEN], _>(runs.start()..=runs.end(), |_, _| false)?)
    }

    /// The task that holds a unique value which this change would enter.
    pub(crate) fn rival(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<Option<TaskRef>> {
        if kind.uniques.is_empty() {
            return Ok(None);
        }
        for (number, value) in change.keys(kind).1 {
            if let Some(other) = self.with_unique(kind.id, number, value)?
                && other != task
            {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }
}

/// Unique keys by number and value.
type Keys<'a> = Vec<(u16, &'a [u8])>;

impl<'a> TaskChange<'a> {
    /// The unique keys that the task leaves and those that it enters.
    fn keys(&self, kind: &Kind) -> (Keys<'a>, Keys<'a>) {
        let held = |header: Option<&Header>, body: Option<&'a TaskRow>| match (header, body) {
            (Some(header), Some(body)) => kind.held(header, body),
            _ => Vec::new(),
        };
        let before = held(self.old, self.old_body);
        let after = held(self.new, self.new_body.or(self.old_body));
        let left = before.iter().filter(|key| !after.contains(key)).copied().collect();
        let entered = after.iter().filter(|key| !before.contains(key)).copied().collect();
        (left, entered)
    }

    /// Whether the body before must be known to write this change.
    pub(crate) fn needs_old_body(
        kind: &Kind,
        task: TaskRef,
        old: Option<&Header>,
        new: Option<&Header>,
        body_changes: bool,
    ) -> bool {
        let finished = |header: Option<&Header>| header.is_some_and(|header| kind.is_finished(header));
        let place = |header: Option<&Header>| header.map(|header| kind.place(task, header));
        old.is_some()
            && (new.is_none()
                || body_changes
                || (kind.has_passing_keys() && finished(old) != finished(new))
                || (kind.limit().is_some() && place(old) != place(new)))
    }
}
