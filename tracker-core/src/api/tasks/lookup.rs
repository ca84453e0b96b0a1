//! Reads single tasks and counters: by id, by unique key, counts, `explain`, positions in the claim order. Called by users, `tracker-cli`,
//! `tracker-web`, `api/inspect`, `api/tasks/start` and `api/live`; decodes payloads, which is user code, and writes nothing.

use std::collections::BTreeMap;

use super::Tasks;
use crate::{
    __private::join_encoded,
    api::{query::Query, record::Record, schema::Schema},
    model::{
        dependency::NAMED_MAX,
        error::{Error, Result},
        status::{Role, TaskStatus},
        task::{IndexValue, TaskId, TaskKey},
        transition::{Explanation, Header, Lease, Rules, StartContext},
    },
    storage::order::order_keys,
};

/// How many tasks there are in each status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    counts: BTreeMap<i32, u64>,
}

impl Counts {
    /// Returns how many tasks have a status.
    #[must_use]
    pub fn get(&self, status: impl TaskStatus) -> u64 {
        self.counts.get(&status.code()).copied().unwrap_or(0)
    }

    /// Returns how many tasks have the status of this code.
    #[must_use]
    pub fn of_code(&self, code: i32) -> u64 {
        self.counts.get(&code).copied().unwrap_or(0)
    }

    /// Returns the number of all tasks.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().copied().fold(0, u64::saturating_add)
    }

    /// Iterates over the codes in use and their numbers of tasks, by code.
    pub fn iter(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        self.counts.iter().map(|(code, count)| (*code, *count))
    }
}

/// The position of a waiting task in the claim order, at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuePosition {
    /// Number of tasks before it in the claim order; 0 means that it is next.
    pub ahead: u64,
    /// How many tasks of its step are running.
    pub running: u64,
}

impl<T: Schema> Tasks<T> {
    /// Returns the task with this id.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded as its type.
    pub fn get(&self, id: impl TaskId) -> Result<Option<Record<T::Task, T::Status>>> {
        let id = id.to_key();
        let found = self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let Some(task) = rows.look_up(&kind, &id)? else { return Ok(None) };
            Ok(rows.task_rows(task)?.map(|task_rows| (task_rows, kind)))
        })?;
        found.map(|(task_rows, kind)| Record::of::<T>(self.shared.engine.codecs(), &kind, task_rows)).transpose()
    }

    /// Returns the task that holds a unique key: its name (the fields' names joined with `_`) and the value of each field. A key
    /// declared `while = unfinished` finds only unfinished tasks.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has no such key, or if the key has other fields than the values given.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded as its type.
    pub fn get_by_key(&self, key: &str, values: &[&dyn IndexValue]) -> Result<Option<Record<T::Task, T::Status>>> {
        let kind = self.kind()?;
        let number =
            kind.uniques.iter().position(|(name, _)| name == key).and_then(|number| u16::try_from(number).ok());
        let number = number.ok_or_else(|| Error::invalid(format!("kind {:?} has no unique key {key:?}", kind.name)))?;
        let mut encoded: Vec<Vec<u8>> = values.iter().map(IndexValue::encoded).collect();
        let value = if encoded.len() == 1 { encoded.remove(0) } else { join_encoded(&encoded) };
        let id = self.shared.engine.read(|rows| match rows.with_unique(self.kind, number, &value)? {
            Some(task) => Ok(Some(rows.task_row(task)?.id)),
            None => rows.check_unique_type(&kind, key, number, &value).map(|()| None),
        })?;
        id.map_or(Ok(None), |id| self.get(id))
    }

    /// Asks for tasks by status, index and order.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # jobs.submit(&job("two"))?;
    /// let page = jobs.query().status(Status::Pending).newest_first().limit(1).page()?;
    /// assert_eq!(page.items[0].task.name, "two");
    /// if let Some(cursor) = page.next {
    ///     let rest = jobs.query().status(Status::Pending).newest_first().after(cursor).fetch()?;
    ///     assert_eq!(rest[0].task.name, "one");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn query(&self) -> Query<'_, T> {
        Query::new(self)
    }

    /// Returns how many tasks each status has. Reads stored counters.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn counts(&self) -> Result<Counts> {
        let counts = self.shared.engine.read(|rows| rows.counts_of(self.kind))?;
        Ok(Counts { counts: counts.into_iter().collect() })
    }

    /// Explains why a task is not running, as a value whose `Display` is a sentence.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # jobs.submit(&job("two"))?;
    /// println!("{}", jobs.explain("two")?);
    /// assert_eq!(jobs.queue_position("two")?.map(|place| place.ahead), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    pub fn explain(&self, id: impl TaskId) -> Result<Explanation> {
        Ok(self.explain_and_count(&id.to_key())?.0)
    }

    /// Returns the position of a task in the claim order. `None` if it does not wait, is not due, or a limit holds it back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    pub fn queue_position(&self, id: impl TaskId) -> Result<Option<QueuePosition>> {
        let (explanation, running) = self.explain_and_count(&id.to_key())?;
        match explanation {
            Explanation::Queued { ahead } => Ok(Some(QueuePosition { ahead, running })),
            _ => Ok(None),
        }
    }

    /// Returns the header as the next write would find it: an expired lease that a worker of this process holds counts as renewed.
    pub(super) fn with_renewed_lease(&self, rules: &Rules<'_>, header: Header) -> Header {
        let lives = |lease: &Lease| lease.has_expired(rules.now) && self.shared.engine.holds(lease);
        if header.lease.as_ref().is_some_and(lives) {
            return rules.renewed_by_owner(&header).unwrap_or(header);
        }
        header
    }

    /// Why a task is not running, and how many tasks of its step are.
    fn explain_and_count(&self, id: &TaskKey) -> Result<(Explanation, u64)> {
        let now = self.shared.engine.now();
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let task = rows
                .look_up(&kind, id)?
                .ok_or_else(|| kind.refuse(id.clone(), crate::model::error::Reason::NotFound))?;
            let header =
                rows.header(task)?.ok_or_else(|| kind.refuse(id.clone(), crate::model::error::Reason::NotFound))?;
            let header = self.with_renewed_lease(&kind.rules(now), header);
            let claim_key = order_keys(&kind.graph, task, &header).claim_order;
            let step = kind.rules(now).status(&header).map_or(0, |status| status.step);
            // A task that waits in the last status of a step is claimed by the next step.
            let starts = |step: &u16| kind.graph.startable(*step).contains(&header.code);
            let step = [step, step.saturating_add(1)].into_iter().find(starts).unwrap_or(step);
            let codes = kind.graph.startable(step);
            let ahead = if header.lease.is_none() { rows.count_before(claim_key, &codes, now)? } else { 0 };
            let running = kind.graph.code(step, Role::InProgress);
            let counts = rows.counts_of(self.kind)?;
            let running = counts.iter().find(|(code, _)| Some(*code) == running).map_or(0, |(_, count)| *count);
            let dependencies = if header.waits > 0 { rows.named_dependencies(task, NAMED_MAX)? } else { Vec::new() };
            let blocking = rows.blocking_limit(&kind, task)?;
            let (rate_reached_until, in_progress) = (rows.rate_reached_until(&kind, now)?, kind.in_progress(&counts));
            let (shared_limit, lacking) = (rows.reached_shared_limit(&kind)?, rows.lacking(&kind, task)?);
            let paused = kind.paused;
            let context = StartContext {
                paused,
                blocking,
                in_progress,
                shared_limit,
                lacking,
                rate_reached_until,
                ahead,
                dependencies,
            };
            Ok((kind.rules(now).explain(&header, &context), running))
        })
    }
}
