//! `Count`: how many tasks a command changes, for the question before it. Called by `site`; reads the tracker.

use std::time::Duration;

use tracker_core::{
    Tasks, Tracker,
    chrono::TimeDelta,
    inspect::BoundedCount,
    live::{Request, Selection},
    query::Query,
    untyped::Untyped,
};

use crate::failure::Failure;

/// A number of tasks, kinds or schedules, counted up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Exact(u64),
    AtLeast(u64),
}

/// How far is counted what has no counter, and how many tasks a search by text reads.
const COUNTED: u64 = 100_000;

impl Count {
    pub fn read(tracker: &Tracker, request: &Request) -> Result<Self, Failure> {
        match request {
            Request::Tasks { selection: Selection::Filter(filter), change } => {
                let kinds = tracker.untyped_kinds(filter.kind.as_deref())?;
                Self::sum(kinds.iter().map(|tasks| Ok(change.query(tasks, filter).count_up_to(COUNTED)?)))
            }
            Request::Prune { kind, older_than, .. } => {
                let kinds = tracker.untyped_kinds(kind.as_deref())?;
                Self::sum(kinds.iter().map(|tasks| {
                    Ok(match ended(tracker, tasks, *older_than)? {
                        Some(query) => query.count_up_to(COUNTED)?,
                        None => BoundedCount { count: 0, exact: true },
                    })
                }))
            }
            Request::Kinds { kind, .. } => Ok(Self::Exact(tracker.untyped_kinds(kind.as_deref())?.len() as u64)),
            #[cfg(feature = "schedules")]
            Request::Schedules { names, .. } => Ok(Self::Exact(names.len() as u64)),
            // The rest names its tasks.
            request => {
                let counts = tracker.count(request)?;
                Ok(Self::Exact(counts.iter().fold(0, |sum, count| sum.saturating_add(count.tasks))))
            }
        }
    }

    fn sum(counts: impl Iterator<Item = Result<BoundedCount, Failure>>) -> Result<Self, Failure> {
        let (mut sum, mut is_exact) = (0_u64, true);
        for count in counts {
            let count = count?;
            sum = sum.saturating_add(count.count);
            is_exact &= count.exact;
        }
        Ok(if is_exact { Self::Exact(sum) } else { Self::AtLeast(sum) })
    }
}

/// The tasks that ended at least this long ago; `None` if no task can be that old.
fn ended<'t>(
    tracker: &Tracker,
    tasks: &'t Tasks<Untyped>,
    age: Duration,
) -> Result<Option<Query<'t, Untyped>>, Failure> {
    let before = TimeDelta::from_std(age).ok().and_then(|age| tracker.now().checked_sub_signed(age));
    let kind = tasks.info()?;
    let codes = kind.statuses.iter().filter(|status| kind.has_ended(status)).map(|status| status.code);
    let query = codes.fold(tasks.query(), Query::code);
    Ok(before.map(|before| query.changed_before(before)))
}
