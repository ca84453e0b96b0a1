//! `Query` finds tasks by status, index, batch, time or text, and reads, counts or changes them. Made by `Tasks::query`, used by users,
//! `tracker-cli`, `tracker-web` and `api/live`; reads through `search`, decodes payloads, which is user code, and writes through `all`.

mod all;
mod search;

use search::EXAMINED_MAX;
pub(crate) use search::{Search, StatusFilter, named};

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    api::{
        batch::Batch,
        inspect::BoundedCount,
        page::{Cursor, Page, UnreadableTask},
        record::Record,
        schema::Schema,
        tasks::Tasks,
    },
    model::{
        codec::PayloadCodecs,
        error::Result,
        kind::Kind,
        panics,
        status::{Role, TaskStatus},
        task::{IndexValue, TaskKey, TrackedTask},
        time::{Micros, micros_at, micros_of},
    },
    storage::tables::{Reading, Tables},
};
use search::By;

/// Asks for tasks. Made by [`Tasks::query`]; without any condition it is about all of them, oldest first by last change.
///
/// A page costs as much as it holds, for any number of tasks; a query by a batch, or by an index in the order of the last change, costs what
/// that holds. A query by text must look at each task, and one by an index in the order of submission at each task of the value: a page of
/// it ends after 10,000 of them.
#[derive(Clone)]
pub struct Query<'t, T: Schema> {
    tasks: &'t Tasks<T>,
    search: Search,
}

impl<T: TrackedTask> Query<'_, T> {
    /// Selects tasks with this status, or one of those of further calls.
    #[must_use]
    pub fn status(self, status: T::Status) -> Self {
        self.statuses([status])
    }

    /// Selects tasks with one of these statuses, or one of those of further calls. An empty list matches no task.
    #[must_use]
    pub fn statuses(self, statuses: impl IntoIterator<Item = T::Status>) -> Self {
        self.with_statuses(statuses.into_iter().map(|status| StatusFilter::Code(status.code())))
    }
}

impl<'t, T: Schema> Query<'t, T> {
    pub(crate) fn new(tasks: &'t Tasks<T>) -> Self {
        Self { tasks, search: Search::new() }
    }

    pub(crate) fn with_statuses(mut self, filters: impl IntoIterator<Item = StatusFilter>) -> Self {
        self.search.add_statuses(filters);
        self
    }

    pub(crate) fn among(mut self, field: &str, values: Vec<Vec<u8>>) -> Self {
        self.search.index = Some((field.to_owned(), values));
        self
    }

    /// Selects tasks whose status has this role, in any step. No task matches if no status of the kind has it.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        self.with_statuses([StatusFilter::Role(role)])
    }

    /// Selects tasks that have neither ended nor a lease: tasks that wait to
    /// start, those between two steps, and the parked ones.
    #[must_use]
    pub fn unfinished(self) -> Self {
        self.with_statuses([StatusFilter::Unfinished])
    }

    /// Selects tasks whose field has this value; the field must be marked `#[task(index)]`.
    #[must_use]
    pub fn index(self, field: &str, value: impl IndexValue) -> Self {
        self.among(field, vec![value.encoded()])
    }

    /// Selects tasks of this batch.
    #[must_use]
    pub fn batch(mut self, batch: &Batch) -> Self {
        self.search.batch = Some(batch.number());
        self
    }

    /// Selects tasks whose status last changed at this time or later.
    #[must_use]
    pub fn changed_since(mut self, at: DateTime<Utc>) -> Self {
        self.search.since = Some(micros_at(at));
        self
    }

    /// Selects tasks whose status last changed no longer ago than this, counted from this call by the tracker's clock.
    #[must_use]
    pub fn changed_within(mut self, ago: Duration) -> Self {
        self.search.since = Some(self.tasks.shared.engine.now().saturating_sub(micros_of(ago)));
        self
    }

    /// Selects tasks whose status last changed before this time.
    #[must_use]
    pub fn changed_before(mut self, time: DateTime<Utc>) -> Self {
        self.search.until = Some(micros_at(time));
        self
    }

    pub(crate) fn changed_between(mut self, since: Option<Micros>, until: Option<Micros>) -> Self {
        self.search.since = since;
        self.search.until = until;
        self
    }

    /// Checks the conditions against the kind, as each read does.
    pub(crate) fn check(&self) -> Result<()> {
        self.tasks.shared.engine.read(|rows| {
            let kind = self.tasks.kind_in(rows)?;
            self.search.check(&kind)
        })
    }

    /// Selects tasks whose id, or an error in their history, contains this text, in upper or lower case.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.search.text = Some(text.to_lowercase());
        self
    }

    /// Orders tasks by their submission instead of their last change.
    #[must_use]
    pub fn by_creation(mut self) -> Self {
        self.search.by = By::Created;
        self
    }

    /// Returns the oldest tasks first, the default.
    #[must_use]
    pub fn oldest_first(mut self) -> Self {
        self.search.newest_first = false;
        self
    }

    /// Returns the newest tasks first.
    #[must_use]
    pub fn newest_first(mut self) -> Self {
        self.search.newest_first = true;
        self
    }

    /// Returns at most `most` tasks.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.search.limit = most;
        self
    }

    /// Goes on where a page ended, or at the beginning for `None`, so that `page.next` can be passed as it is. The query must
    /// be the same otherwise.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.search.after = cursor.into().map(|cursor| cursor.0);
        self
    }

    /// Returns the tasks, up to the limit. Tasks that cannot be decoded are listed in [`Page::unreadable`], and logged as a warning.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the field has no index.
    pub fn fetch(&self) -> Result<Page<Record<T::Task, T::Status>>> {
        let page = self.pages(Self::page_of)?;
        if let Some(UnreadableTask { id, error }) = page.unreadable.first() {
            let (kind, count) = (self.tasks.name(), page.unreadable.len());
            panics::log_catching_panics(
                || tracing::warn!(kind, count, %id, %error, "tasks of a query cannot be decoded"),
            );
        }
        Ok(page)
    }

    /// Returns the first of the tasks, if there is one.
    ///
    /// # Errors
    /// As [`Query::fetch`]; [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the first one cannot be decoded.
    pub fn first(self) -> Result<Option<Record<T::Task, T::Status>>> {
        let mut page = self.limit(1).pages(Self::page_of)?;
        match page.unreadable.pop() {
            Some(unreadable) => Err(unreadable.error),
            None => Ok(page.items.pop()),
        }
    }

    /// Returns the tasks, and the cursor of the next page.
    ///
    /// # Errors
    /// As [`Query::fetch`].
    pub fn page(&self) -> Result<Page<Record<T::Task, T::Status>>> {
        self.page_of(&self.search)
    }

    /// Returns a page with [`total`](Page::total), the number of tasks that the query is about, both from one snapshot. See
    /// [`Query::total`]. A query by text reads every task for that.
    ///
    /// # Errors
    /// As [`Query::fetch`].
    pub fn page_with_total(&self) -> Result<Page<Record<T::Task, T::Status>>> {
        self.tasks.shared.engine.read(|rows| {
            let kind = self.tasks.kind_in(rows)?;
            let page = Self::records(self.tasks.shared.engine.codecs(), rows, &kind, &self.search)?;
            let mut search = self.unlimited();
            let mut total = 0;
            loop {
                let (count, next) = search.count(rows, &kind)?;
                total += count;
                match next {
                    Some(next) => search.after = Some(next),
                    None => return Ok(Page { total: Some(total), ..page }),
                }
            }
        })
    }

    /// Returns the ids of the tasks.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the field of a condition has no index.
    pub fn ids(&self) -> Result<Vec<TaskKey>> {
        let ids = self.pages(|_, search| {
            self.tasks.shared.engine.read(|rows| {
                let kind = self.tasks.kind_in(rows)?;
                let (found, next) = search.page(rows, &kind)?;
                let mut ids = Vec::with_capacity(found.len());
                for (_, task) in found {
                    ids.extend(rows.find_task_row(task)?.map(|row| row.id));
                }
                Ok(Page::of(ids, next))
            })
        })?;
        Ok(ids.items)
    }

    /// Returns the number of tasks that match the query, without its limit. Reads only the kept counters if the query filters by status alone.
    ///
    /// # Errors
    /// As [`Query::ids`].
    pub fn total(&self) -> Result<u64> {
        let mut search = self.unlimited();
        let mut total = 0;
        loop {
            let (count, next) = self.tasks.shared.engine.read(|rows| {
                let kind = self.tasks.kind_in(rows)?;
                search.count(rows, &kind)
            })?;
            total += count;
            match next {
                Some(next) => search.after = Some(next),
                None => return Ok(total),
            }
        }
    }

    /// Counts the tasks that match the query, without its limit, and stops at `most`; a query by text stops when it has read that many
    /// tasks, and reads them 10,000 at a time. Each part is a separate read transaction. Reads only the kept counters, and is exact, if the
    /// query filters by status alone.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all(["one", "two", "three"].map(job))?;
    /// let changed = jobs.query().changed_within(std::time::Duration::from_secs(60));
    /// assert_eq!(changed.count_up_to(2)?.to_string(), "2+");
    /// assert_eq!(changed.count_up_to(10)?.to_string(), "3");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Query::ids`].
    pub fn count_up_to(&self, most: u64) -> Result<BoundedCount> {
        let mut search = self.unlimited();
        let by_text = search.text.is_some();
        let (mut count, mut read) = (0_u64, 0_u64);
        loop {
            // One more than `most` tells whether there are more.
            let room = usize::try_from(most - count).unwrap_or(usize::MAX).saturating_add(1);
            search.limit = room.min(EXAMINED_MAX);
            let (found, next) = self.tasks.shared.engine.read(|rows| {
                let kind = self.tasks.kind_in(rows)?;
                search.count(rows, &kind)
            })?;
            count = count.saturating_add(found);
            read = read.saturating_add(if by_text { EXAMINED_MAX as u64 } else { 0 });
            match next {
                None => return Ok(BoundedCount { count, exact: true }),
                Some(_) if count > most || read >= most => {
                    return Ok(BoundedCount { count: count.min(most), exact: false });
                }
                Some(next) => search.after = Some(next),
            }
        }
    }

    fn unlimited(&self) -> Search {
        Search { limit: usize::MAX, after: None, ..self.search.clone() }
    }

    fn page_of(&self, search: &Search) -> Result<Page<Record<T::Task, T::Status>>> {
        self.tasks.shared.engine.read(|rows| {
            let kind = self.tasks.kind_in(rows)?;
            Self::records(self.tasks.shared.engine.codecs(), rows, &kind, search)
        })
    }

    fn records(
        codecs: &PayloadCodecs,
        rows: &mut Tables<Reading<'_>>,
        kind: &Kind,
        search: &Search,
    ) -> Result<Page<Record<T::Task, T::Status>>> {
        let (found, next) = search.page(rows, kind)?;
        let mut page = Page::of(Vec::with_capacity(found.len()), next);
        for (_, task) in found {
            let Some(task_rows) = rows.task_rows(task)? else { continue };
            match Record::read::<T>(codecs, kind, task_rows) {
                Ok(record) => page.items.push(record),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
        }
        Ok(page)
    }

    /// Everything up to the limit, page after page.
    fn pages<R>(&self, page: impl Fn(&Self, &Search) -> Result<Page<R>>) -> Result<Page<R>> {
        let mut search = self.search.clone();
        let mut all = Page::of(Vec::new(), None);
        loop {
            let found = page(self, &search)?;
            search.limit = search.limit.saturating_sub(found.found());
            all.items.extend(found.items);
            all.unreadable.extend(found.unreadable);
            all.next = found.next;
            match found.next {
                Some(Cursor(next)) if search.limit > 0 => search.after = Some(next),
                _ => return Ok(all),
            }
        }
    }
}

impl<T: Schema> fmt::Debug for Query<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("tasks", self.tasks).finish_non_exhaustive()
    }
}
