//! Describes all tasks, batches, schedules and budgets of a tracker as text, so that two states can be compared.

use std::collections::{BTreeMap, BTreeSet};

use tracker_core::{
    Error, TaskStatus, Tasks, TrackedTask, Tracker,
    file::Sharing,
    redb_store::{TransactionExt, redb::ReadableTable},
    status::Role,
    time::ManualClock,
};

use crate::support::{
    script::{Chore, Job, LaterJob, Load, Stage, Stored, TOTALS, Visit, open},
    test_disk::Disk,
};

/// The tasks of a file, by kind and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(pub BTreeMap<String, Seen>);

/// A task, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub running: bool,
    pub task: String,
    pub standing: String,
}

/// Whether this is a task that a worker had in its hands when it died: it is held, or has crashed, or is back in the line
/// at no cost since it had not begun.
pub fn was_left(found: Option<&Seen>, before: Option<&Seen>) -> bool {
    let (Some(found), Some(before)) = (found, before) else { return false };
    let is = |attempts, crashes, ended| {
        found.standing.contains(&format!("attempts {attempts} failures 0 crashes {crashes} ended {ended} "))
    };
    let left = if found.running { is(1, 0, 0) } else { is(1, 1, 1) || is(0, 0, 0) };
    left && found.task == before.task && before.standing.contains("attempts 0 failures 0 crashes 0 ended 0 ")
}

impl Snapshot {
    /// The content of a file for a program of this age; the file is verified and accepts work.
    pub fn at(disk: &Disk, sharing: Sharing, clock: &ManualClock, later: bool) -> Result<Self, String> {
        let tracker = open(disk, sharing, clock).map_err(|error| format!("opening: {error}"))?;
        let look = if later { Self::with::<LaterJob>(&tracker) } else { Self::with::<Job>(&tracker) };
        let look = look.map_err(|error| format!("looking: {error}"))?;
        let differences = tracker.verify().map_err(|error| format!("verifying: {error}"))?;
        if differences.is_empty() { Ok(look) } else { Err(format!("verifying: {differences:?}")) }
    }

    fn with<J: TrackedTask + std::fmt::Debug>(tracker: &Tracker) -> Result<Self, Error> {
        let mut look = Self::default();
        let jobs = tracker.tasks_as::<J>("job")?;
        tracker.rescue()?;
        look.add(&jobs)?;
        look.add(&tracker.tasks::<Stage>()?)?;
        look.add(&tracker.tasks::<Visit>()?)?;
        look.add(&tracker.tasks::<Chore>()?)?;
        look.add(&tracker.tasks::<Load>()?)?;
        look.add_batches(tracker)?;
        look.add_schedules(tracker)?;
        look.add_budgets(tracker)?;
        tracker.transaction(|tx| {
            for row in tx.table(TOTALS)?.iter()? {
                let (name, number) = row?;
                let seen = Seen { running: false, task: number.value().to_string(), standing: String::new() };
                look.0.insert(format!("totals/{}", name.value()), seen);
            }
            Ok::<_, Error>(())
        })?;
        // What is due can be worked on. What others look at goes back, so that one task changes at most.
        if let Some(mut claimed) = jobs.claim()? {
            let id = claimed.id().clone();
            let alone = jobs.dependents(&id, 1)?.is_empty() && jobs.get(&id)?.is_some_and(|job| job.batch.is_none());
            if alone { claimed.succeed()? } else { claimed.release()? }
        }
        Ok(look)
    }

    pub fn add_batches(&mut self, tracker: &Tracker) -> Result<(), Error> {
        for info in tracker.batches(usize::MAX)? {
            let counts = Role::ALL.map(|role| info.count(role));
            let standing = format!("sealed {} finished {:?}", info.sealed, info.finished_at);
            let seen = Seen { running: info.count(Role::InProgress) > 0, task: format!("{counts:?}"), standing };
            self.0.insert(format!("batch/{}", info.label), seen);
        }
        Ok(())
    }

    pub fn add_schedules(&mut self, tracker: &Tracker) -> Result<(), Error> {
        for info in tracker.schedules()? {
            let seen = Seen { running: false, task: info.name.clone(), standing: format!("{info:?}") };
            self.0.insert(format!("schedule/{}", info.name), seen);
        }
        Ok(())
    }

    /// The amounts in use follow from the tasks, and are verified.
    pub fn add_budgets(&mut self, tracker: &Tracker) -> Result<(), Error> {
        for budget in tracker.budgets()? {
            let seen = Seen { running: false, task: budget.amount.to_string(), standing: String::new() };
            self.0.insert(format!("budget/{}", budget.resource), seen);
        }
        Ok(())
    }

    pub fn add<T: TrackedTask + std::fmt::Debug>(&mut self, tasks: &Tasks<T>) -> Result<(), Error> {
        let counts = tasks.counts()?;
        let mut total = 0;
        for record in tasks.query().fetch()? {
            let past: Vec<_> = record
                .history
                .iter()
                .map(|past| {
                    (past.fence, past.status.name(), past.failure.as_ref().map(|failure| failure.error.as_str()))
                })
                .collect();
            let standing = format!(
                "{} priority {} due {} attempts {} failures {} crashes {} ended {} cancelled {} waits {} batch {:?} {past:?}",
                record.status.code(),
                record.priority,
                record.due_at,
                record.attempts,
                record.failures,
                record.crashes,
                record.ended,
                record.cancel_requested,
                record.waits_for,
                record.batch,
            );
            let running = T::Status::GRAPH
                .statuses
                .iter()
                .any(|status| status.code == record.status.code() && status.role == Role::InProgress);
            let seen = Seen { running, task: format!("{:?}", record.task), standing };
            self.0.insert(format!("{}/{}", tasks.name(), record.id), seen);
            total += 1;
        }
        assert_eq!(counts.total(), total, "each task is in exactly one status");
        Ok(())
    }

    /// Whether this is what was there before a step, or what was there after it.
    pub fn is_between(&self, before: &Self, after: &Self, stored: Stored) -> Result<(), String> {
        if self == before || self == after {
            return Ok(());
        }
        let names = self.0.keys().chain(before.0.keys()).chain(after.0.keys());
        let mut wrong = Vec::new();
        for name in names.collect::<BTreeSet<_>>() {
            let [found, old, new] = [self, before, after].map(|look| look.0.get(name));
            if found != old && found != new && !(stored == Stored::ByWorker && was_left(found, old)) {
                wrong.push(format!("{name} is {found:?} and should be {old:?} or {new:?}"));
            }
        }
        if wrong.is_empty() && stored == Stored::Whole {
            wrong.push("half of a commit is there".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}
