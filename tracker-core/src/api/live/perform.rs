//! Performs requests on an open tracker, and counts the tasks that they are about. Called by users, `tracker-cli`, `tracker-web` and
//! `api/live/server`; writes through the calls of `Tasks`, `Query`, `Tracker` and `ScheduleHandle`, of which `run_now` runs the user's function.

use std::time::Duration;

use chrono::TimeDelta;

#[cfg(feature = "schedules")]
use super::request::ScheduleChange;
use super::request::{KindCount, RefusedTask, Report, Request, SelectedId, Selection, TaskChange, TaskFilter};
#[cfg(feature = "schedules")]
use crate::engine::unknown_schedule;
use crate::{
    api::{query::Query, query::named, schema::Untyped, tasks::Tasks, tracker::Tracker},
    model::{
        error::{Error, Result},
        payload::Payload,
        status::Role,
        task::TaskKey,
    },
};

/// A task and the tasks of its kind.
type FoundTask = (Tasks<Untyped>, TaskKey);

impl Tracker {
    /// Performs a change that is given as a value.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # tracker.tasks::<Job>()?.submit_all(["one", "two"].map(job))?;
    /// use tracker_core::live::{Request, Selection, TaskChange};
    ///
    /// let selection = Selection::Ids { kind: None, ids: vec!["one".into()] };
    /// let report = tracker.perform(&Request::Tasks { selection, change: TaskChange::SetPriority(9) })?;
    /// assert_eq!((report.changed, report.refused.len()), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As the calls that the request names. A task that is selected by its id and refuses the change is listed in the report, and the
    /// others are changed. [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if a selected id has no task; then no task is changed.
    pub fn perform(&self, request: &Request) -> Result<Report> {
        match request {
            Request::Tasks { selection: Selection::Ids { kind, ids }, change } => {
                change_each(self.find_all(kind.as_deref(), ids)?, |tasks, id| change.apply(tasks, id))
            }
            Request::Tasks { selection: Selection::Filter(filter), change } => {
                let kinds = self.untyped_kinds(filter.kind.as_deref())?;
                let queries: Vec<_> = kinds.iter().map(|tasks| change.query(tasks, filter)).collect();
                // A condition that does not fit one of the kinds is an error before any task is changed.
                queries.iter().try_for_each(Query::check)?;
                changed(queries.iter().map(|query| change.apply_all(query)))
            }
            Request::Kinds { kind, paused } => {
                let kinds = self.untyped_kinds(kind.as_deref())?;
                changed(kinds.iter().map(|tasks| if *paused { tasks.pause() } else { tasks.resume() }.map(|()| 1)))
            }
            Request::Move { kind, ids, before } => self.move_each(kind.as_deref(), ids, before.as_ref()),
            Request::Rescue { kind, running_longer_than } => {
                let kinds = self.untyped_kinds(kind.as_deref())?;
                changed(kinds.iter().map(|tasks| {
                    let rescued = match running_longer_than {
                        None => tasks.rescue(),
                        Some(limit) => tasks.rescue_running_longer_than(*limit),
                    };
                    Ok(rescued?.len() as u64)
                }))
            }
            Request::Prune { kind, statuses, older_than } => {
                let kinds = self.untyped_kinds(kind.as_deref())?;
                let ended = kinds.iter().map(|tasks| Ok((tasks, ended_codes(tasks, statuses)?)));
                let ended = ended.collect::<Result<Vec<_>>>()?;
                changed(ended.into_iter().map(|(tasks, codes)| {
                    let rules: Vec<_> = codes.into_iter().map(|code| (code, *older_than)).collect();
                    tasks.prune_by(&rules)
                }))
            }
            Request::Replace { kind, id, revision, payload } => {
                let tasks = self.untyped(kind)?;
                tasks.replace(id, *revision, &Payload::from_bytes(payload.clone()))?;
                Ok(Report { changed: 1, refused: Vec::new() })
            }
            Request::SetBudget { resource, amount } => {
                match amount {
                    Some(amount) => self.set_budget(resource, *amount)?,
                    None => self.remove_budget(resource)?,
                }
                Ok(Report { changed: 1, refused: Vec::new() })
            }
            #[cfg(feature = "schedules")]
            Request::Schedules { names, change } => {
                // An unknown name is an error before any schedule is changed.
                let found = names.iter().map(|name| self.schedule(name)?.ok_or_else(|| unknown_schedule(name)));
                let found = found.collect::<Result<Vec<_>>>()?;
                changed(found.iter().map(|schedule| {
                    match change {
                        ScheduleChange::Pause => schedule.pause(),
                        ScheduleChange::Resume => schedule.resume(),
                        ScheduleChange::Remove => schedule.remove(),
                        ScheduleChange::RunNow => schedule.run_now().map(drop),
                    }
                    .map(|()| 1)
                }))
            }
            #[cfg(feature = "schedules")]
            Request::AddSchedule { name, kind, schedule, template } => {
                self.add_schedule(name, kind, schedule, template)?;
                Ok(Report { changed: 1, refused: Vec::new() })
            }
        }
    }

    /// Counts the tasks that a request is about, by kind, and changes nothing: for a question before the change. Tasks that would refuse
    /// are counted too. Kinds without such tasks are left out, except for [`Request::Kinds`].
    ///
    /// # Errors
    /// As [`perform`](Self::perform) for what it checks before the first change: the kind, the statuses and the selected ids.
    pub fn count(&self, request: &Request) -> Result<Vec<KindCount>> {
        match request {
            Request::Tasks { selection: Selection::Ids { kind, ids }, .. } | Request::Move { kind, ids, .. } => {
                Ok(count_each(self.find_all(kind.as_deref(), ids)?))
            }
            Request::Tasks { selection: Selection::Filter(filter), change } => {
                self.count_by(filter.kind.as_deref(), |tasks| change.query(tasks, filter).total())
            }
            Request::Kinds { kind, .. } => {
                let kinds = self.untyped_kinds(kind.as_deref())?;
                kinds
                    .iter()
                    .map(|tasks| Ok(KindCount { kind: tasks.name().to_owned(), tasks: tasks.query().total()? }))
                    .collect()
            }
            Request::Rescue { kind, running_longer_than } => {
                let now = self.now();
                self.count_by(kind.as_deref(), |tasks| {
                    let leases = tasks.leases(usize::MAX)?;
                    let rescued = leases.iter().filter(|leased| match running_longer_than {
                        None => leased.lease.until <= now,
                        Some(limit) => (now - leased.lease.since).to_std().is_ok_and(|ran| ran > *limit),
                    });
                    Ok(rescued.count() as u64)
                })
            }
            Request::Prune { kind, statuses, older_than } => {
                let before = TimeDelta::from_std(*older_than).ok().and_then(|age| self.now().checked_sub_signed(age));
                let before = before.ok_or_else(|| too_old(*older_than))?;
                self.count_by(kind.as_deref(), |tasks| {
                    let codes = ended_codes(tasks, statuses)?;
                    codes.into_iter().fold(tasks.query().changed_before(before), Query::code).total()
                })
            }
            Request::SetBudget { .. } => Ok(Vec::new()),
            #[cfg(feature = "schedules")]
            Request::Schedules { .. } | Request::AddSchedule { .. } => Ok(Vec::new()),
            Request::Replace { kind, id, .. } => Ok(count_each(vec![self.find(Some(kind), &id.clone().into())?])),
        }
    }

    fn find_all(&self, kind: Option<&str>, ids: &[SelectedId]) -> Result<Vec<FoundTask>> {
        ids.iter().map(|id| self.find(kind, id)).collect()
    }

    fn move_each(&self, kind: Option<&str>, ids: &[SelectedId], before: Option<&SelectedId>) -> Result<Report> {
        let mut moved = self.find_all(kind, ids)?;
        let Some(before) = before else {
            // Each task goes to the front in turn: the last one first.
            moved.reverse();
            return change_each(moved, |tasks, id| tasks.move_to_front(id));
        };
        let (kind, other) = self.find(kind, before)?;
        if let Some((elsewhere, id)) = moved.iter().find(|(tasks, _)| tasks.name() != kind.name()) {
            return Err(Error::invalid(format!(
                "{} {id} cannot be moved before {} {other}: their kinds differ",
                elsewhere.name(),
                kind.name()
            )));
        }
        change_each(moved, |tasks, id| tasks.move_before(id, &other))
    }

    fn count_by(&self, kind: Option<&str>, count: impl Fn(&Tasks<Untyped>) -> Result<u64>) -> Result<Vec<KindCount>> {
        let mut counts = Vec::new();
        for tasks in self.untyped_kinds(kind)? {
            let selected = count(&tasks)?;
            if selected > 0 {
                counts.push(KindCount { kind: tasks.name().to_owned(), tasks: selected });
            }
        }
        Ok(counts)
    }
}

impl TaskChange {
    /// Changes one task.
    fn apply(&self, tasks: &Tasks<Untyped>, id: &TaskKey) -> Result<()> {
        match self {
            Self::Retry => tasks.retry(id),
            Self::Requeue { from_start: true } => tasks.requeue_from_start(id),
            Self::Requeue { from_start: false } => tasks.requeue(id),
            Self::Cancel => tasks.cancel(id),
            Self::Ignore { reason } => tasks.ignore(id, reason),
            Self::Remove => tasks.remove(id),
            Self::Pause => tasks.pause_task(id),
            Self::Resume => tasks.resume_task(id),
            Self::SetPriority(priority) => tasks.set_priority(id, *priority),
            Self::SetDue(due) => tasks.set_due(id, *due),
            Self::MoveTo { status } => tasks.move_to(id, status),
        }
    }

    /// Changes all tasks of a query. Returns the number of changed tasks.
    fn apply_all(&self, query: &Query<'_, Untyped>) -> Result<u64> {
        match self {
            Self::Retry => query.retry(),
            Self::Requeue { from_start: true } => query.requeue_from_start(),
            Self::Requeue { from_start: false } => query.requeue(),
            Self::Cancel => query.cancel(),
            Self::Ignore { reason } => query.ignore(reason),
            Self::Remove => query.remove(),
            Self::Pause => query.pause(),
            Self::Resume => query.resume(),
            Self::SetPriority(priority) => query.set_priority(*priority),
            Self::SetDue(due) => query.set_due(*due),
            Self::MoveTo { status } => {
                Err(Error::invalid(format!("tasks are moved to {status:?} by their ids, not by a filter")))
            }
        }
    }

    /// Returns the tasks of a kind that the change selects with a filter, as [`Selection::Filter`] describes.
    #[must_use]
    pub fn query<'t>(&self, tasks: &'t Tasks<Untyped>, filter: &TaskFilter) -> Query<'t, Untyped> {
        let query = tasks.matching(filter);
        match self {
            _ if filter.names_statuses() => query,
            Self::Requeue { .. } | Self::Remove => query,
            Self::Retry => query.role(Role::Failed).role(Role::Exhausted),
            Self::Cancel => query.unfinished().role(Role::InProgress),
            Self::Ignore { .. }
            | Self::Pause
            | Self::Resume
            | Self::SetPriority(_)
            | Self::SetDue(_)
            | Self::MoveTo { .. } => query.unfinished(),
        }
    }
}

/// Changes tasks one by one. A refusal is reported, and the other tasks are changed.
fn change_each(found: Vec<FoundTask>, change: impl Fn(&Tasks<Untyped>, &TaskKey) -> Result<()>) -> Result<Report> {
    let mut report = Report::default();
    for (tasks, id) in found {
        match change(&tasks, &id) {
            Ok(()) => report.changed += 1,
            Err(error) if error.is_refusal() => report.refused.push(RefusedTask {
                kind: tasks.name().to_owned(),
                id,
                error: error.kind(),
                message: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// The sum of the changed tasks.
fn changed(mut counts: impl Iterator<Item = Result<u64>>) -> Result<Report> {
    let changed = counts.try_fold(0_u64, |sum, count| Ok::<_, Error>(sum.saturating_add(count?)))?;
    Ok(Report { changed, refused: Vec::new() })
}

fn count_each(found: Vec<FoundTask>) -> Vec<KindCount> {
    let mut counts: Vec<KindCount> = Vec::new();
    for (tasks, _) in found {
        match counts.iter_mut().find(|count| count.kind == tasks.name()) {
            Some(count) => count.tasks += 1,
            None => counts.push(KindCount { kind: tasks.name().to_owned(), tasks: 1 }),
        }
    }
    counts
}

/// The codes of the named statuses, in which tasks must have ended, or of all such statuses.
fn ended_codes(tasks: &Tasks<Untyped>, statuses: &[String]) -> Result<Vec<i32>> {
    let kind = tasks.stored_kind()?;
    if statuses.is_empty() {
        let ended = kind.graph.statuses().iter().filter(|status| kind.graph.is_terminal(status));
        return Ok(ended.map(|status| status.code).collect());
    }
    let code = |name: &String| {
        let code = named(&kind, name)?;
        match kind.graph.status(code) {
            Some(status) if kind.graph.is_terminal(status) => Ok(code),
            _ => Err(Error::invalid(format!(
                "tasks in {name} of kind {:?} have not ended: only what has ended can be pruned",
                kind.name
            ))),
        }
    };
    statuses.iter().map(code).collect()
}

fn too_old(age: Duration) -> Error {
    Error::invalid(format!("{age:?} is longer than any file can be old"))
}
