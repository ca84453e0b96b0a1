//! `JobCommand`: the commands for chosen jobs, and the deferred calls that perform them. Called by `panel`; never waits.

use std::sync::mpsc::Sender;

use egui::Context;
use tracker_core::{
    Tasks, TrackedTask,
    deferred::{DeferredTasks, Pending},
    task::TaskKey,
};

use crate::job::{Job, JobState};

/// A command on chosen jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobCommand {
    /// No attempt starts before a resume. A running attempt is asked to pause.
    Pause,
    /// Ends a pause.
    Resume,
    /// Ends unfinished jobs as cancelled.
    Cancel,
    /// Makes ended jobs wait again.
    Retry,
    /// Deletes jobs that do not run.
    Remove,
    /// Moves waiting jobs before all others.
    MoveToFront,
    /// Moves waiting jobs directly before another one.
    MoveBefore(TaskKey),
}

/// Calls that may wait for a commit at once; more run one after the other on a thread of the tracker.
const DEFERRED: usize = 4_096;

impl JobCommand {
    /// Whether a job can follow the command in its state.
    #[must_use]
    pub fn applies_to(&self, job: &Job) -> bool {
        match self {
            Self::Pause => !job.pausing && !job.state.has_ended(),
            Self::Resume => job.pausing && !job.state.has_ended(),
            Self::Cancel => !job.state.has_ended() && !job.cancelling,
            Self::Retry => job.state.has_ended(),
            Self::Remove => job.state != JobState::Running,
            Self::MoveToFront => job.state == JobState::Waiting,
            Self::MoveBefore(other) => job.state == JobState::Waiting && job.id != *other,
        }
    }

    /// Defers the command on jobs, in the order in which they are shown. Errors arrive at `errors`.
    pub(crate) fn defer<T: TrackedTask>(&self, mut ids: Vec<TaskKey>, tasks: &DeferredTasks<T>, errors: &Reports) {
        // The last one is moved to the front first, so that they keep their order.
        if *self == Self::MoveToFront {
            ids.reverse();
        }
        if ids.len() <= DEFERRED {
            for id in ids {
                report(self.call(&id, tasks), errors);
            }
            return;
        }
        let command = self.clone();
        let done = tasks.call(move |tasks| ids.iter().try_for_each(|id| command.perform(id, tasks)));
        report(done, errors);
    }

    fn call<T: TrackedTask>(&self, id: &TaskKey, tasks: &DeferredTasks<T>) -> Pending<()> {
        match self {
            Self::Pause => tasks.pause_task(id),
            Self::Resume => tasks.resume_task(id),
            Self::Cancel => tasks.cancel(id),
            Self::Retry => tasks.requeue(id),
            Self::Remove => tasks.remove(id),
            Self::MoveToFront => tasks.move_to_front(id),
            Self::MoveBefore(other) => tasks.move_before(id, other),
        }
    }

    fn perform<T: TrackedTask>(&self, id: &TaskKey, tasks: &Tasks<T>) -> tracker_core::Result<()> {
        match self {
            Self::Pause => tasks.pause_task(id),
            Self::Resume => tasks.resume_task(id),
            Self::Cancel => tasks.cancel(id),
            Self::Retry => tasks.requeue(id),
            Self::Remove => tasks.remove(id),
            Self::MoveToFront => tasks.move_to_front(id),
            Self::MoveBefore(other) => tasks.move_before(id, other),
        }
    }
}

/// Where errors of deferred calls go, and the window that shows them.
#[derive(Clone)]
pub(crate) struct Reports {
    pub sender: Sender<String>,
    pub context: Context,
}

/// Sends the error of a deferred call to the panel.
pub(crate) fn report<R: Send + 'static>(pending: Pending<R>, errors: &Reports) {
    let errors = errors.clone();
    pending.on_done(move |result| {
        if let Err(error) = result {
            // The panel may be gone.
            drop(errors.sender.send(error.to_string()));
            errors.context.request_repaint();
        }
    });
}
