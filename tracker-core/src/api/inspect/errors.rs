//! Groups failures by the pattern of their deepest cause. Called by users, `tracker-cli` and `tracker-web`; reads a bounded number of
//! tasks, and writes nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::error_pattern;
use crate::{
    api::{
        query::{Search, StatusFilter},
        schema::Schema,
        tasks::Tasks,
    },
    model::{
        error::Result,
        status::Role,
        task::TaskKey,
        time::{Micros, utc},
        transition::Failure,
    },
};

/// Tasks whose last failure has the same deepest cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The deepest cause of the error, with placeholders for the parts that differ between tasks: `{id}` (the task's own id, UUIDs, hashes), `{name}`
    /// (quoted text), `{number}`, `{host}`, `{path}`, `{url}`, `{time}` and `{email}`. Codes stay, as in `exit code 3` or `404 not found`.
    pub message: String,
    /// The error and its causes of the latest failure, on one line without placeholders.
    pub latest_error: String,
    /// How many tasks.
    pub count: u64,
    /// How many of them will be tried again.
    pub retrying: u64,
    /// Ids of up to 5 of the tasks, the latest failures first.
    pub examples: Vec<TaskKey>,
    /// When the latest of these failures happened.
    pub latest: DateTime<Utc>,
}

impl ErrorGroup {
    /// Returns the longest part of the message without a placeholder: a text for [`Query::containing`](crate::query::Query::containing) that finds the
    /// tasks of the group, and possibly others.
    #[must_use]
    pub fn search_text(&self) -> &str {
        error_pattern::longest_literal(&self.message)
    }
}

/// The result of [`Tasks::errors`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroups {
    /// The most frequent first.
    pub groups: Vec<ErrorGroup>,
    /// How many tasks were examined: those that failed or were given up, the latest first.
    pub looked_at: u64,
    /// Whether these were all of them.
    pub complete: bool,
}

/// How many examples a group keeps.
const EXAMPLES: usize = 5;

/// Collects the tasks of an [`ErrorGroup`].
#[derive(Default)]
struct GroupBuilder {
    count: u64,
    retrying: u64,
    examples: Vec<TaskKey>,
    latest: Micros,
    latest_error: String,
}

impl GroupBuilder {
    fn add(&mut self, failure: &Failure, at: Micros, retrying: bool, id: TaskKey) {
        if self.count == 0 || at > self.latest {
            self.latest = at;
            self.latest_error = error_pattern::chain_of(failure);
        }
        self.count += 1;
        self.retrying += u64::from(retrying);
        if self.examples.len() < EXAMPLES {
            self.examples.push(id);
        }
    }
}

impl<T: Schema> Tasks<T> {
    /// Groups the tasks that have failed, or were given up, by the deepest cause of their last error. Reads no more than `most` of them, the
    /// latest first, because it reads the history of each.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all(["one", "two"].map(job))?;
    /// jobs.start("one")?.fail("one: connection reset")?;
    /// jobs.start("two")?.give_up("two: connection reset")?;
    /// let errors = jobs.errors(10_000)?;
    /// assert_eq!(errors.groups[0].message, "{id}: connection reset");
    /// assert_eq!((errors.groups[0].count, errors.groups[0].retrying), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn errors(&self, most: usize) -> Result<ErrorGroups> {
        let mut search = Search { newest_first: true, ..Search::new() };
        search.add_statuses([Role::Failed, Role::Exhausted, Role::Ignored].map(StatusFilter::Role));
        let mut groups: HashMap<String, GroupBuilder> = HashMap::new();
        let mut looked_at = 0;
        let complete = loop {
            search.limit = (most - looked_at).min(1_000);
            if search.limit == 0 {
                break self.shared.engine.read(|rows| {
                    let kind = self.kind_in(rows)?;
                    Ok(Search { limit: 1, ..search.clone() }.page(rows, &kind)?.0.is_empty())
                })?;
            }
            let (page, read, next) = self.shared.engine.read(|rows| {
                let kind = self.kind_in(rows)?;
                let (found, next) = search.page(rows, &kind)?;
                let (mut page, read) = (Vec::with_capacity(found.len()), found.len());
                for (_, task) in found {
                    let Some(header) = rows.header(task)? else { continue };
                    let past_attempts = if header.ended > 0 { rows.past_attempts(task)? } else { Vec::new() };
                    let failed = past_attempts.into_iter().rev().find_map(|ended| Some((ended.failure?, ended.ended)));
                    let Some((failure, at)) = failed else { continue };
                    let retrying = kind.graph.status(header.code).is_some_and(|status| status.role == Role::Failed)
                        && header.due != crate::model::transition::NEVER;
                    page.push((failure, at, retrying, rows.task_row(task)?.id));
                }
                Ok((page, read, next))
            })?;
            looked_at += read;
            for (failure, at, retrying, id) in page {
                groups
                    .entry(error_pattern::pattern_of(&failure, &id.to_string()))
                    .or_default()
                    .add(&failure, at, retrying, id);
            }
            match next {
                Some(next) => search.after = Some(next),
                None => break true,
            }
        };
        let group = |(message, group): (String, GroupBuilder)| ErrorGroup {
            message,
            latest_error: group.latest_error,
            count: group.count,
            retrying: group.retrying,
            examples: group.examples,
            latest: utc(group.latest),
        };
        let mut groups: Vec<_> = groups.into_iter().map(group).collect();
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.message.cmp(&other.message)));
        Ok(ErrorGroups { groups, looked_at: looked_at as u64, complete })
    }
}
