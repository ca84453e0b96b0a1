//! `TaskRows` is a task with its own rows: header, payload, history, progress and successor, without dependencies and derived rows. Read by
//! `api`, `portable` and `maintenance/recover`; written again by `engine/writer/rebuild`. Writes no row.

use crate::{
    model::{
        error::Result,
        kind::Kind,
        place::place_of_submission,
        task::TaskRef,
        task_row::{Progress, TaskRow},
        transition::{Header, StoredAttempt, TimeShift},
    },
    storage::{
        order::{StatusOrder, status_order},
        tables::{Source, Tables},
    },
};

/// Fences and sequence numbers of tasks from elsewhere are below this, so that a file never runs out of them.
pub(crate) const NUMBERS: u64 = 1 << 63;

/// A task with all its rows, without its Rust type.
#[derive(Clone, Debug)]
pub(crate) struct TaskRows {
    pub task: TaskRef,
    pub header: Header,
    pub row: TaskRow,
    /// The attempts in the history, oldest first. The latest one may be in the header instead.
    pub past_attempts: Vec<StoredAttempt>,
    pub progress: Option<Progress>,
    /// The payload that waits for the end of the running attempt.
    pub successor: Option<TaskRow>,
}

impl TaskRows {
    /// The highest fence that the task has had.
    pub(crate) fn fence(&self) -> u64 {
        let ended = self.past_attempts.iter().chain(&self.header.last).map(|ended| ended.fence);
        ended.chain(self.header.lease.as_ref().map(|lease| lease.fence)).max().unwrap_or(0)
    }

    /// Whether enough fences and sequence numbers follow those of the task.
    pub(crate) fn has_room(&self) -> bool {
        self.fence() < NUMBERS && self.task.seq < NUMBERS
    }

    /// The task with the times that a shift gives it.
    pub(crate) fn shifted(self, shift: &TimeShift) -> Self {
        let past_attempts = self.past_attempts.iter().map(|ended| shift.attempt(ended)).collect();
        Self { header: shift.header(&self.header), past_attempts, ..self }
    }

    /// The rows with the place of a waiting task in its header, so that the task keeps its place under another sequence number.
    pub(crate) fn with_place(mut self, kind: &Kind) -> Self {
        let header = &mut self.header;
        if header.lease.is_none() && status_order(&kind.graph, header.code) == StatusOrder::Waiting {
            header.place = Some(header.place.unwrap_or_else(|| place_of_submission(self.task.seq)));
        }
        self
    }

    /// Whether the payload that waits could not be read.
    pub(crate) fn lacks_successor(&self) -> bool {
        self.header.successor && self.successor.is_none()
    }
}

impl<S: Source> Tables<S> {
    /// All rows of a task; `None` if there is no such task.
    pub(crate) fn task_rows(&mut self, task: TaskRef) -> Result<Option<TaskRows>> {
        let Some(header) = self.header(task)? else { return Ok(None) };
        let past_attempts = if header.ended > 0 { self.past_attempts(task)? } else { Vec::new() };
        let progress = if header.lease.is_some() { self.progress(task)? } else { None };
        let successor = if header.successor { self.successor(task)? } else { None };
        Ok(Some(TaskRows { task, row: self.task_row(task)?, header, past_attempts, progress, successor }))
    }
}
