//! `Page` holds the rows of one page of a query and the tasks that could not be read, and `Cursor` the position after it. Made by
//! `api/query`, and each `UnreadableTask` by `api/record`; read by users, `tracker-cli` and `tracker-web`; plain data.

use std::{fmt, ops::Deref, str::FromStr};

use crate::{
    model::{
        error::{Error, Result},
        task::TaskKey,
    },
    storage::read::scan::ListingPosition,
};

/// The position where a page ended and the next one begins. `to_string` makes a text of it, and `parse` reads that text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) ListingPosition);

/// The tasks of a query, or of a page of it. It derefs to the slice of its items.
///
/// A task that cannot be decoded does not keep the others back, and is listed in [`unreadable`](Self::unreadable).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::Tracker;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// # jobs.submit(&job("one"))?;
/// let page = jobs.query().fetch()?;
/// for task in &page.unreadable {
///     eprintln!("{}: {}", task.id, task.error);
/// }
/// assert_eq!(page.len(), 1);
/// for record in page {
///     println!("{}", record.task.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<R> {
    /// The tasks that were found and can be decoded, in the order of the query.
    pub items: Vec<R>,
    /// The tasks that were found and cannot be decoded, in the order of the query. They count towards its limit.
    pub unreadable: Vec<UnreadableTask>,
    /// The position of the next page, if there may be one. A query by text or by an index examines at most 10,000 tasks per page. So a page
    /// may have few items, or none, and a next page all the same.
    pub next: Option<Cursor>,
    /// Number of tasks that match, on all pages and beyond the limit, if [`Query::page_with_total`](crate::query::Query::page_with_total) counted them.
    pub total: Option<u64>,
}

/// A task that a query has found and that cannot be decoded.
#[derive(Debug)]
#[non_exhaustive]
pub struct UnreadableTask {
    /// Its id.
    pub id: TaskKey,
    /// Why it cannot be decoded, and what to do.
    pub error: Error,
}

impl Clone for UnreadableTask {
    fn clone(&self) -> Self {
        Self { id: self.id.clone(), error: self.error.share() }
    }
}

impl<R> Page<R> {
    /// A page of items that can all be read.
    pub(crate) fn of(items: Vec<R>, next: Option<ListingPosition>) -> Self {
        Self { items, unreadable: Vec::new(), next: next.map(Cursor), total: None }
    }

    /// How many tasks were found.
    pub(crate) fn found(&self) -> usize {
        self.items.len() + self.unreadable.len()
    }
}

impl<R> Deref for Page<R> {
    type Target = [R];

    fn deref(&self) -> &[R] {
        &self.items
    }
}

impl<R> IntoIterator for Page<R> {
    type Item = R;
    type IntoIter = std::vec::IntoIter<R>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'p, R> IntoIterator for &'p Page<R> {
    type Item = &'p R;
    type IntoIter = std::slice::Iter<'p, R>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.0, self.0.1)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (time, seq) = text.split_once(':')?;
            Some(Self((time.parse().ok()?, seq.parse().ok()?)))
        };
        parse().ok_or_else(|| Error::invalid(format!("{text:?} is no cursor")))
    }
}
