use std::{marker::PhantomData, time::Duration};

use chrono::{DateTime, Utc};
use redb::ReadTransaction;

use crate::{
    batch::Batch,
    disk::keys::TaskRef,
    engine::{Target, TaskCommand},
    error::{Error, Result},
    page::{Cursor, Page},
    record::{Raw, Record},
    rules::{Command, Requeue},
    status::{Role, TaskStatus},
    store::{Handles, Kind, Mark, Stretch},
    task::{IndexValue, TaskKey, TrackedTask},
    tasks::Tasks,
    time::{Micros, micros_at, micros_of},
};

/// Asks for tasks. Made by [`Tasks::query`]; without any condition it is about all of them, oldest first by last change.
///
/// A page costs what it holds, whatever the number of tasks; a query by an index or a batch costs what that
/// holds.
#[derive(Clone)]
pub struct Query<'t, T: TrackedTask> {
    tasks: &'t Tasks<T>,
    codes: Vec<i32>,
    index: Option<(String, Vec<u8>)>,
    batch: Option<u64>,
    by: By,
    newest_first: bool,
    limit: usize,
    after: Option<Mark>,
    since: Micros,
    types: PhantomData<fn() -> T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Updated,
    Created,
}

impl<'t, T: TrackedTask> Query<'t, T> {
    pub(crate) fn new(tasks: &'t Tasks<T>) -> Self {
        Self {
            tasks,
            codes: Vec::new(),
            index: None,
            batch: None,
            by: By::Updated,
            newest_first: false,
            limit: usize::MAX,
            after: None,
            since: Micros::MIN,
            types: PhantomData,
        }
    }

    /// Only tasks with this status, or one of those named by further calls.
    #[must_use]
    pub fn status(mut self, status: T::Status) -> Self {
        self.codes.push(status.code());
        self
    }

    /// Only tasks with one of these statuses.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = T::Status>) -> Self {
        self.codes.extend(statuses.into_iter().map(TaskStatus::code));
        self
    }

    /// Only tasks whose status has this role, in any step.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.codes
            .extend(T::Status::GRAPH.statuses.iter().filter(|status| status.role == role).map(|status| status.code));
        self
    }

    /// Only tasks that are neither done nor given up, ignored or cancelled, and that nobody has: those that wait to
    /// start, those between two steps, and the parked ones.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        let last = T::Status::GRAPH.statuses.iter().map(|status| status.step).max().unwrap_or(0);
        let unfinished = T::Status::GRAPH.statuses.iter().filter(|status| match status.role {
            Role::Pending | Role::Failed | Role::Parked => true,
            Role::Succeeded => status.step < last,
            Role::InProgress | Role::Exhausted | Role::Ignored | Role::Cancelled => false,
        });
        self.codes.extend(unfinished.map(|status| status.code));
        self
    }

    /// Only tasks whose field has this value; the field must be marked `#[task(index)]`.
    #[must_use]
    pub fn index(mut self, field: &str, value: impl IndexValue) -> Self {
        self.index = Some((field.to_owned(), value.encoded()));
        self
    }

    /// Only tasks whose status last changed at this time or later.
    #[must_use]
    pub fn changed_since(mut self, at: DateTime<Utc>) -> Self {
        self.since = micros_at(at);
        self
    }

    /// Only tasks whose status last changed no longer ago than this, counted from this call by the tracker's clock.
    #[must_use]
    pub fn changed_within(mut self, ago: Duration) -> Self {
        self.since = self.tasks.shared.engine.now().saturating_sub(micros_of(ago));
        self
    }

    /// Only tasks of this batch.
    #[must_use]
    pub fn batch(mut self, batch: &Batch) -> Self {
        self.batch = Some(batch.number());
        self
    }

    /// In the order of submission instead of the last change.
    #[must_use]
    pub fn by_creation(mut self) -> Self {
        self.by = By::Created;
        self
    }

    /// Oldest first: the default.
    #[must_use]
    pub fn oldest_first(mut self) -> Self {
        self.newest_first = false;
        self
    }

    /// Newest first.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = most;
        self
    }

    /// Goes on where a page ended. The query must be the same otherwise.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor.0);
        self
    }

    /// The tasks.
    ///
    /// # Errors
    /// `Unreadable` if one of them cannot be decoded; `Invalid` if the field has no index.
    pub fn fetch(&self) -> Result<Vec<Record<T, T::Status>>> {
        Ok(self.page()?.items)
    }

    /// The first of the tasks, if there is one.
    ///
    /// # Errors
    /// As [`Query::fetch`].
    pub fn first(self) -> Result<Option<Record<T, T::Status>>> {
        Ok(self.limit(1).fetch()?.pop())
    }

    /// The tasks, and where the next page begins.
    ///
    /// # Errors
    /// As [`Query::fetch`].
    pub fn page(&self) -> Result<Page<Record<T, T::Status>>> {
        self.look(Self::record)
    }

    /// A page, and how many tasks the query is about, both as of one instant; see [`Query::total`].
    ///
    /// # Errors
    /// As [`Query::fetch`].
    #[expect(clippy::type_complexity, reason = "a page as everywhere, and a number")]
    pub fn page_with_total(&self) -> Result<(Page<Record<T, T::Status>>, u64)> {
        let kind = self.tasks.kind()?;
        self.tasks.shared.engine.read(|rows| {
            let page = self.look_at(rows, &kind, Self::record)?;
            Ok((page, self.count(rows, &kind)?))
        })
    }

    fn record(&self, rows: &mut Handles<&ReadTransaction>, task: TaskRef) -> Result<Option<Record<T, T::Status>>> {
        let Some((raw, body)) = Raw::read(rows, task)? else { return Ok(None) };
        self.tasks.record(raw, &body).map(Some)
    }

    /// Only the ids.
    ///
    /// # Errors
    /// `Invalid` if the field has no index.
    pub fn ids(&self) -> Result<Vec<TaskKey>> {
        let page = self.look(|_, rows, task| Ok(rows.body(task)?.map(|body| body.id)))?;
        Ok(page.items)
    }

    /// How many tasks the query is about, whatever its limit. From the kept counters where neither an index
    /// nor a time is asked for.
    ///
    /// # Errors
    /// As [`Query::ids`].
    pub fn total(&self) -> Result<u64> {
        let kind = self.tasks.kind()?;
        self.tasks.shared.engine.read(|rows| self.count(rows, &kind))
    }

    fn count(&self, rows: &mut Handles<&ReadTransaction>, kind: &Kind) -> Result<u64> {
        if self.index.is_some() || self.batch.is_some() {
            return Ok(self.indexed(rows, kind)?.len() as u64);
        }
        if self.since > Micros::MIN {
            return Ok(self.changed(rows, kind, Stretch::from(self.since))?.len() as u64);
        }
        let counts = rows.counts_of(kind.id)?;
        Ok(counts.iter().filter(|(code, _)| self.wants(*code)).map(|(_, count)| count).sum())
    }

    /// Makes all tasks of the query startable again, in batches; says how many. Those that are held meanwhile are left.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn requeue(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue::default()))
    }

    /// Deletes all tasks of the query that nobody holds, in batches; says how many.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn remove(&self) -> Result<u64> {
        self.command_all(&Command::Delete)
    }

    /// Cancels all tasks of the query that have not ended, in batches; says how many.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn cancel(&self) -> Result<u64> {
        self.command_all(&Command::Cancel)
    }

    fn command_all(&self, command: &Command) -> Result<u64> {
        let kind = self.tasks.kind_id();
        let page = self.look(|_, rows, task| Ok(rows.body(task)?.map(|body| (task, body.id))))?;
        let mut done = 0;
        for batch in page.items.chunks(1_000) {
            let commands = batch
                .iter()
                .map(|(task, id)| TaskCommand::new(kind, Target::Known(*task, id.clone()), command.clone()))
                .collect();
            for result in self.tasks.shared.engine.call_all(commands)? {
                match result {
                    Ok(_) => done += 1,
                    Err(error) if error.is_refusal() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(done)
    }

    fn wants(&self, code: i32) -> bool {
        self.codes.is_empty() || self.codes.contains(&code)
    }

    fn look<R>(
        &self,
        each: impl FnMut(&Self, &mut Handles<&ReadTransaction>, TaskRef) -> Result<Option<R>>,
    ) -> Result<Page<R>> {
        let kind = self.tasks.kind()?;
        self.tasks.shared.engine.read(|rows| self.look_at(rows, &kind, each))
    }

    fn look_at<R>(
        &self,
        rows: &mut Handles<&ReadTransaction>,
        kind: &Kind,
        mut each: impl FnMut(&Self, &mut Handles<&ReadTransaction>, TaskRef) -> Result<Option<R>>,
    ) -> Result<Page<R>> {
        let found = self.find(rows, kind)?;
        let full = found.len() >= self.limit;
        let next = if full { found.last().map(|(mark, _)| Cursor(*mark)) } else { None };
        let mut items = Vec::with_capacity(found.len());
        for (_, task) in found {
            items.extend(each(self, rows, task)?);
        }
        Ok(Page { items, next })
    }

    /// The tasks of these statuses by the time of their last change.
    fn changed(
        &self,
        rows: &mut Handles<&ReadTransaction>,
        kind: &Kind,
        stretch: Stretch,
    ) -> Result<Vec<(Mark, TaskRef)>> {
        let mut found = Vec::new();
        for code in self.codes_of(kind) {
            found.extend(rows.changed(kind, code, stretch)?);
        }
        Ok(found)
    }

    fn codes_of(&self, kind: &Kind) -> Vec<i32> {
        kind.graph.statuses().iter().map(|status| status.code).filter(|code| self.wants(*code)).collect()
    }

    fn find(&self, rows: &mut Handles<&ReadTransaction>, kind: &Kind) -> Result<Vec<(Mark, TaskRef)>> {
        if self.index.is_some() || self.batch.is_some() {
            return Ok(self.cut(self.indexed(rows, kind)?));
        }
        if self.by == By::Updated {
            let (after, newest_first, most) = (self.after, self.newest_first, self.limit);
            let stretch = Stretch { beyond: after, newest_first, most, ..Stretch::from(self.since) };
            return Ok(self.cut(self.changed(rows, kind, stretch)?));
        }
        if self.since > Micros::MIN {
            return Ok(self.cut(self.changed(rows, kind, Stretch::from(self.since))?));
        }
        // Few tasks in these statuses: gather and sort them. Many: the next ones in the order of submission are near.
        let counts = rows.counts_of(kind.id)?;
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        let wanted: u64 = counts.iter().filter(|(code, _)| self.wants(*code)).map(|(_, count)| count).sum();
        let limit = self.limit as u64;
        if wanted == all || wanted.saturating_mul(wanted) > all.saturating_mul(limit) {
            let beyond = self.after.map(|(_, seq)| seq);
            let headers =
                rows.headers_beyond(kind.id, beyond, self.newest_first, |header| self.wants(header.code), self.limit)?;
            return Ok(headers.into_iter().map(|(task, header)| ((header.created, task.seq), task)).collect());
        }
        let mut found = Vec::new();
        for code in self.codes_of(kind) {
            for key in rows.line_of(kind.id, code)? {
                found.push(((0, key.seq), key.task()));
            }
        }
        Ok(self.cut(found))
    }

    /// The tasks that the index or the batch names, whatever else is asked.
    fn candidates(&self, rows: &mut Handles<&ReadTransaction>, kind: &Kind) -> Result<Vec<u64>> {
        let Some((field, value)) = &self.index else {
            let members = self.batch.map(|batch| rows.members_of(batch, Some(kind.id), usize::MAX));
            return Ok(members.transpose()?.unwrap_or_default().into_iter().map(|task| task.seq).collect());
        };
        let number = kind.indexes.iter().position(|name| name == field).and_then(|number| u16::try_from(number).ok());
        let number = number.ok_or_else(|| {
            Error::invalid(format!("kind {:?} has no index {field:?}: mark the field with #[task(index)]", kind.name))
        })?;
        rows.with_index(kind.id, number, value)
    }

    /// The tasks of the query among those.
    fn indexed(&self, rows: &mut Handles<&ReadTransaction>, kind: &Kind) -> Result<Vec<(Mark, TaskRef)>> {
        let mut found = Vec::new();
        for seq in self.candidates(rows, kind)? {
            let task = kind.task(seq);
            let Some(header) = rows.header(task)? else { continue };
            let belongs = self.batch.is_none() || header.batch == self.batch;
            if belongs && self.wants(header.code) && header.updated >= self.since {
                let at = if self.by == By::Updated { header.updated } else { 0 };
                found.push(((at, seq), task));
            }
        }
        Ok(found)
    }

    /// In order, beyond the cursor, at most so many.
    fn cut(&self, mut found: Vec<(Mark, TaskRef)>) -> Vec<(Mark, TaskRef)> {
        let key = |mark: Mark| if self.by == By::Updated { mark } else { (0, mark.1) };
        found.sort_unstable_by_key(|(mark, _)| key(*mark));
        if self.newest_first {
            found.reverse();
        }
        if let Some(after) = self.after {
            let (after, newest) = (key(after), self.newest_first);
            found.retain(|(mark, _)| if newest { key(*mark) < after } else { key(*mark) > after });
        }
        found.truncate(self.limit);
        found
    }
}
