//! `JobList`: the jobs of the panel in their order, and those that pass the filter. Changes are merged, so that one costs no new sort. Pure.

use std::{
    cmp::{Ordering, Reverse},
    collections::HashMap,
    mem,
};

use tracker_core::task::TaskKey;

use crate::{
    feed::Change,
    job::{Job, JobState},
};

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Running jobs, then waiting ones in the order in which they start, then ended ones, the latest first.
    #[default]
    Queue,
    /// By name.
    Name,
    /// By amount of work.
    Size,
    /// By number of attempts.
    Attempts,
}

/// The states that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateFilter {
    /// All jobs.
    #[default]
    All,
    /// Running jobs.
    Running,
    /// Waiting and paused jobs.
    Waiting,
    /// Jobs that are done.
    Done,
    /// Jobs that were given up.
    Failed,
    /// Jobs that were cancelled.
    Cancelled,
}

impl StateFilter {
    /// All filters, in the order of their buttons.
    pub const ALL: [Self; 6] = [Self::All, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Cancelled];

    /// The label of its button.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Done => "Done",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether jobs of a state are shown.
    #[must_use]
    pub fn passes(self, state: JobState) -> bool {
        match self {
            Self::All => true,
            Self::Running => state == JobState::Running,
            Self::Waiting => state.is_queued(),
            Self::Done => state == JobState::Done,
            Self::Failed => state == JobState::Failed,
            Self::Cancelled => state == JobState::Cancelled,
        }
    }
}

/// The jobs of a panel.
#[derive(Debug, Default)]
pub struct JobList {
    slots: Vec<Option<Job>>,
    free: Vec<u32>,
    index: HashMap<TaskKey, u32>,
    /// All jobs in their order.
    all: Vec<u32>,
    /// Those that pass the filter, in the same order.
    shown: Vec<u32>,
    counts: [usize; JobState::ALL.len()],
    amount: u64,
    ended_amount: u64,
    sort: SortBy,
    descending: bool,
    states: StateFilter,
    searched: String,
    generation: u64,
}

impl JobList {
    /// Applies changes. `now` is in seconds.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change>, now: f64) {
        let mut touched = Vec::new();
        for change in changes {
            match change {
                Change::Job(job) => touched.push(self.put(*job, now)),
                Change::Progress(id, progress) => {
                    if let Some(job) = self.job_mut(&id)
                        && job.state == JobState::Running
                    {
                        job.rate.observe(now, progress.done);
                        job.progress = Some(progress);
                    }
                }
                Change::Gone(id) => touched.extend(self.remove(&id)),
                Change::Place(id, place) => {
                    if let Some(slot) = self.index.get(&id).copied()
                        && let Some(job) = self.slots[slot as usize].as_mut()
                    {
                        job.place = place;
                        touched.push(slot);
                    }
                }
                Change::Snapshot => self.generation += 1,
                Change::SnapshotEnd => {
                    let old = self.slots.iter().flatten().filter(|job| job.generation < self.generation);
                    let old: Vec<_> = old.map(|job| job.id.clone()).collect();
                    touched.extend(old.iter().filter_map(|id| self.remove(id)));
                }
                Change::Paused(_) | Change::Failed(_) => {}
            }
        }
        self.merge(touched);
    }

    /// Inserts or replaces a job. A place and a rate that are known stay.
    fn put(&mut self, mut job: Job, now: f64) -> u32 {
        job.generation = self.generation;
        self.tally(&job, true);
        if let Some(&slot) = self.index.get(&job.id) {
            if let Some(old) = self.slots[slot as usize].take() {
                self.tally(&old, false);
                job.place = old.place;
                if job.state == JobState::Running && old.state == JobState::Running {
                    job.rate = old.rate;
                    job.progress = job.progress.or(old.progress);
                }
            }
            self.slots[slot as usize] = Some(job);
            return slot;
        }
        if job.state == JobState::Running {
            job.rate.observe(now, job.progress.as_ref().map_or(0, |progress| progress.done));
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.index.insert(job.id.clone(), slot);
        self.slots[slot as usize] = Some(job);
        slot
    }

    fn remove(&mut self, id: &TaskKey) -> Option<u32> {
        let slot = self.index.remove(id)?;
        if let Some(job) = self.slots[slot as usize].take() {
            self.tally(&job, false);
        }
        Some(slot)
    }

    fn tally(&mut self, job: &Job, added: bool) {
        let ended = if job.state.has_ended() { job.text.amount } else { 0 };
        let count = &mut self.counts[job.state as usize];
        if added {
            *count += 1;
            self.amount += job.text.amount;
            self.ended_amount += ended;
        } else {
            *count -= 1;
            self.amount -= job.text.amount;
            self.ended_amount -= ended;
        }
    }

    /// Gives touched slots their position, in one pass over each list.
    fn merge(&mut self, mut touched: Vec<u32>) {
        if touched.is_empty() {
            return;
        }
        touched.sort_unstable();
        touched.dedup();
        let mut is_touched = vec![false; self.slots.len()];
        for &slot in &touched {
            is_touched[slot as usize] = true;
        }
        let mut live = touched.clone();
        live.retain(|&slot| self.slots[slot as usize].is_some());
        live.sort_unstable_by(|&a, &b| self.compare(a, b));
        let passing: Vec<_> = live.iter().copied().filter(|&slot| self.passes(slot)).collect();
        let all = mem::take(&mut self.all);
        self.all = self.merged(all, &live, &is_touched);
        let shown = mem::take(&mut self.shown);
        self.shown = self.merged(shown, &passing, &is_touched);
        self.free.extend(touched.iter().filter(|&&slot| self.slots[slot as usize].is_none()));
    }

    fn merged(&self, mut list: Vec<u32>, sorted: &[u32], is_touched: &[bool]) -> Vec<u32> {
        list.retain(|&slot| !is_touched[slot as usize]);
        if sorted.is_empty() {
            return list;
        }
        let mut merged = Vec::with_capacity(list.len() + sorted.len());
        let mut rest = list.as_slice();
        for &slot in sorted {
            let before = rest.partition_point(|&other| self.compare(other, slot) == Ordering::Less);
            merged.extend_from_slice(&rest[..before]);
            merged.push(slot);
            rest = &rest[before..];
        }
        merged.extend_from_slice(rest);
        merged
    }

    /// A total order of the slots.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let (Some(one), Some(other)) = (&self.slots[a as usize], &self.slots[b as usize]) else { return a.cmp(&b) };
        let order = match self.sort {
            SortBy::Queue => queue_key(one).cmp(&queue_key(other)),
            SortBy::Name => one.text.name.cmp(&other.text.name),
            SortBy::Size => one.text.amount.cmp(&other.text.amount),
            SortBy::Attempts => one.attempts.cmp(&other.attempts),
        };
        let order = if self.descending { order.reverse() } else { order };
        order.then(a.cmp(&b))
    }

    fn passes(&self, slot: u32) -> bool {
        self.slots[slot as usize]
            .as_ref()
            .is_some_and(|job| self.states.passes(job.state) && job.searched.contains(&self.searched))
    }

    /// Orders the rows by a column.
    pub fn sort(&mut self, sort: SortBy, descending: bool) {
        if (self.sort, self.descending) == (sort, descending) {
            return;
        }
        (self.sort, self.descending) = (sort, descending);
        let mut all = mem::take(&mut self.all);
        all.sort_unstable_by(|&a, &b| self.compare(a, b));
        self.all = all;
        self.filter_again();
    }

    /// Shows jobs of some states whose name, place, result or error contains a text, in upper or lower case.
    pub fn filter(&mut self, states: StateFilter, text: &str) {
        let text = text.to_lowercase();
        if self.states == states && self.searched == text {
            return;
        }
        (self.states, self.searched) = (states, text);
        self.filter_again();
    }

    fn filter_again(&mut self) {
        self.shown = self.all.iter().copied().filter(|&slot| self.passes(slot)).collect();
    }

    /// The column of the order, and whether it descends.
    #[must_use]
    pub fn order(&self) -> (SortBy, bool) {
        (self.sort, self.descending)
    }

    /// Number of rows that pass the filter.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shown.len()
    }

    /// The job of a row that passes the filter.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&Job> {
        self.slots[*self.shown.get(row)? as usize].as_ref()
    }

    /// The row of a job, if it passes the filter. Looks at every row.
    #[must_use]
    pub fn row_of(&self, id: &TaskKey) -> Option<usize> {
        let slot = self.index.get(id)?;
        self.shown.iter().position(|shown| shown == slot)
    }

    /// A job by its id.
    #[must_use]
    pub fn job(&self, id: &TaskKey) -> Option<&Job> {
        self.slots[*self.index.get(id)? as usize].as_ref()
    }

    fn job_mut(&mut self, id: &TaskKey) -> Option<&mut Job> {
        self.slots[*self.index.get(id)? as usize].as_mut()
    }

    /// Number of jobs, of all states.
    #[must_use]
    pub fn total(&self) -> usize {
        self.index.len()
    }

    /// Number of jobs that a filter of states passes.
    #[must_use]
    pub fn count(&self, states: StateFilter) -> usize {
        JobState::ALL.iter().filter(|&&state| states.passes(state)).map(|&state| self.counts[state as usize]).sum()
    }

    /// Amount of work of all jobs, and of those that have ended.
    #[must_use]
    pub fn amounts(&self) -> (u64, u64) {
        (self.amount, self.ended_amount)
    }

    /// Running jobs. In the order of the queue they are the first.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        let jobs = self.slots.iter().flatten();
        jobs.filter(|job| job.state == JobState::Running).take(self.counts[JobState::Running as usize])
    }
}

type QueueKey = (u8, i64, u64, Reverse<i64>);

fn queue_key(job: &Job) -> QueueKey {
    let changed = job.changed.timestamp_micros();
    match job.state {
        JobState::Running => (0, changed, 0, Reverse(0)),
        JobState::Waiting | JobState::Paused => (1, 0, job.place, Reverse(0)),
        JobState::Failed | JobState::Cancelled | JobState::Done => (2, 0, 0, Reverse(changed)),
    }
}
