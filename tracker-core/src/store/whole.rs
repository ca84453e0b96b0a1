use super::{Body, Handles, Progress, Source};
use crate::{
    disk::keys::TaskRef,
    error::Result,
    rules::{Ended, Header},
};

/// A task with all its rows, before it is known as its type.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub task: TaskRef,
    pub header: Header,
    pub body: Body,
    /// The attempts that the history holds, oldest first; the latest one may stand in the header instead.
    pub past: Vec<Ended>,
    pub progress: Option<Progress>,
    /// The body that waits for the end of the running attempt.
    pub successor: Option<Body>,
}

impl Whole {
    /// Whether the body that waits could not be read.
    pub(crate) fn lacks_successor(&self) -> bool {
        self.header.successor && self.successor.is_none()
    }
}

impl<S: Source> Handles<S> {
    /// All rows of a task; `None` where there is no such task.
    pub(crate) fn whole(&mut self, task: TaskRef) -> Result<Option<Whole>> {
        let Some(header) = self.header(task)? else { return Ok(None) };
        let past = if header.ended > 0 { self.past(task)? } else { Vec::new() };
        let progress = if header.lease.is_some() { self.progress(task)? } else { None };
        let successor = if header.successor { self.successor(task)? } else { None };
        Ok(Some(Whole { task, body: self.body_of(task)?, header, past, progress, successor }))
    }
}
