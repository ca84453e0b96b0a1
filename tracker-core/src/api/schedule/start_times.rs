//! `SchedulerState` keeps in memory the builders and start times of a scheduler. Used by `Scheduler` behind its lock; touches no
//! row. `start_of` and `calendar_of` work on a given row, without the lock, and call log subscribers if it cannot be read.

use std::{
    collections::{BTreeSet, HashMap},
    thread::JoinHandle,
};

use super::builder::{Builder, TemplateBuilder};
use crate::model::{
    panics,
    schedule::{
        decide::{Times as _, first_of},
        row::ScheduleRow,
        timing::{Calendar, ScheduleTimes},
    },
    time::Micros,
};

#[derive(Default)]
pub(super) struct SchedulerState {
    /// The builders of schedules that this program has registered, by name.
    pub builders: HashMap<String, Builder>,
    /// The builders of templates, by kind.
    pub templates: HashMap<u32, TemplateBuilder>,
    /// When each schedule that this process can build starts next.
    pub starts: HashMap<String, Micros>,
    pub queue: BTreeSet<(Micros, String)>,
    /// The stored schedules are to be read: templates of another kind can be built now, or another process has changed the file.
    pub stale: bool,
    /// The change number of the file when the schedules were read.
    pub change: u64,
    /// Number of registrations and changes by this process. A row that was read before one of them may be older than the memory.
    pub updates: u64,
    pub closed: bool,
    pub thread: Option<JoinHandle<()>>,
}

impl SchedulerState {
    pub fn set_start(&mut self, name: &str, start: Option<Micros>) {
        if let Some(old) = self.starts.remove(name) {
            self.queue.remove(&(old, name.to_owned()));
        }
        if let Some(start) = start {
            self.starts.insert(name.to_owned(), start);
            self.queue.insert((start, name.to_owned()));
        }
    }

    pub fn can_build(&self, name: &str, row: &ScheduleRow) -> bool {
        match row.template {
            Some(_) => self.templates.contains_key(&row.kind),
            None => self.builders.contains_key(name),
        }
    }
}

/// When a stored schedule starts next, unless it is paused or over.
pub(super) fn start_of(name: &str, row: &ScheduleRow) -> Option<Micros> {
    if row.paused {
        return None;
    }
    let calendar = calendar_of(name, row)?;
    let times = ScheduleTimes::new(name, &calendar, row);
    first_of(row.next, &times).map(|first| times.start_of(first))
}

/// The calendar of a stored schedule. One that cannot be read is logged, because another version of the program has stored it.
pub(super) fn calendar_of(name: &str, row: &ScheduleRow) -> Option<Calendar> {
    Calendar::of(&row.definition.timing, row.anchor)
        .inspect_err(|error| {
            panics::log_catching_panics(
                || tracing::warn!(schedule = name, %error, "a stored schedule cannot be read: skipped"),
            );
        })
        .ok()
}
