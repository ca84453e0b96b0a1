//! Failures grouped by pattern. Called by users and the program; reads only, and looks at a bounded number of tasks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

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
        transition::StoredAttempt,
    },
};

/// Tasks whose last failure says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// The first line of the error; `{id}` stands for each task's own id.
    pub message: String,
    /// How many tasks.
    pub count: u64,
    /// How many of them will be tried again.
    pub retrying: u64,
    /// The first ids that were met, the latest failures first.
    pub examples: Vec<TaskKey>,
    /// When the latest of these failures happened.
    pub latest: DateTime<Utc>,
}

/// The result of [`Tasks::errors`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroups {
    /// The most frequent first.
    pub groups: Vec<ErrorGroup>,
    /// How many tasks were looked at: those that failed or were given up, the latest first.
    pub looked_at: u64,
    /// Whether these were all of them.
    pub complete: bool,
}

/// How many examples a group keeps.
const EXAMPLES: usize = 5;
/// How long a message may be before it is cut.
const LONGEST: usize = 300;

#[derive(Default)]
struct ErrorPattern {
    count: u64,
    retrying: u64,
    examples: Vec<TaskKey>,
    latest: Micros,
}

impl<T: Schema> Tasks<T> {
    /// The tasks that have failed, or were given up, grouped by their last error. Looks at no more than `most` of them, the
    /// latest first, since each costs a look at its history.
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
        let mut groups: HashMap<String, ErrorPattern> = HashMap::new();
        let mut looked_at = 0;
        let complete = loop {
            search.limit = (most - looked_at).min(1_000);
            if search.limit == 0 {
                break self.shared.engine.read(|rows| {
                    let kind = self.kind_in(rows)?;
                    Ok(Search { limit: 1, ..search.clone() }.page(rows, &kind)?.0.is_empty())
                })?;
            }
            let (page, next) = self.shared.engine.read(|rows| {
                let kind = self.kind_in(rows)?;
                let (found, next) = search.page(rows, &kind)?;
                let mut page = Vec::with_capacity(found.len());
                for (_, task) in found {
                    looked_at += 1;
                    let Some(header) = rows.header(task)? else { continue };
                    let past = if header.ended > 0 { rows.past(task)? } else { Vec::new() };
                    let Some((message, at)) = past.iter().rev().find_map(message_of) else { continue };
                    let retrying = kind.graph.status(header.code).is_some_and(|status| status.role == Role::Failed)
                        && header.due != crate::model::transition::NEVER;
                    page.push((message.to_owned(), at, retrying, rows.task_row(task)?.id));
                }
                Ok((page, next))
            })?;
            for (message, at, retrying, id) in page {
                let group = groups.entry(without_id(&message, &id)).or_default();
                group.count += 1;
                group.retrying += u64::from(retrying);
                group.latest = group.latest.max(at);
                if group.examples.len() < EXAMPLES {
                    group.examples.push(id);
                }
            }
            match next {
                Some(next) => search.after = Some(next),
                None => break true,
            }
        };
        let group = |(message, group): (String, ErrorPattern)| ErrorGroup {
            message,
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

/// The first line of an attempt's error.
fn message_of(ended: &StoredAttempt) -> Option<(&str, Micros)> {
    let failure = ended.failure.as_ref()?;
    Some((failure.error.lines().next().unwrap_or_default(), ended.ended))
}

/// The message with `{id}` in place of the task's own id, where it stands as a word: errors that differ in nothing else
/// are the same.
fn without_id(message: &str, id: &TaskKey) -> String {
    let id = id.to_string();
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = if id.is_empty() { None } else { rest.find(&id) } {
        let (before, after) = (&rest[..at], &rest[at + id.len()..]);
        let word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        let task_rows = !word(before.chars().next_back().or(out.chars().next_back())) && !word(after.chars().next());
        out.push_str(before);
        out.push_str(if task_rows { "{id}" } else { &id });
        rest = after;
    }
    out.push_str(rest);
    crate::model::bounds::shorten(out, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::TaskId;

    #[test]
    fn an_id_in_a_message_is_left_out_where_it_is_a_word() {
        for (message, id, left) in [
            ("cannot fetch https://a/b: 404", "https://a/b", "cannot fetch {id}: 404"),
            ("7 of 77 failed, 7", "7", "{id} of 77 failed, {id}"),
            ("nothing", "x", "nothing"),
            ("aaa", "a", "aaa"),
            ("naïve é", "é", "naïve {id}"),
        ] {
            assert_eq!(without_id(message, &id.to_key()), left);
        }
    }
}
