//! `JobCommand`: the commands for chosen jobs, and the deferred calls that perform them. Called by `panel`; never waits.

use std::{fmt::Display, sync::mpsc::Sender, thread};

use egui::Context;
use tracker_core::{
    TrackedTask,
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

/// The number of calls that wait for a commit at once. The tracker refuses calls while 16,384 wait.
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
        let (command, tasks, reports) = (self.clone(), tasks.tasks().deferred(), errors.clone());
        let in_parts = move || match tasks {
            Ok(tasks) => ids.chunks(DEFERRED).for_each(|part| command.perform(part, &tasks, &reports)),
            Err(error) => reports.send(&error),
        };
        if let Err(error) = thread::Builder::new().name("job-commands".into()).spawn(in_parts) {
            errors.send(&error);
        }
    }

    /// Defers the command on some jobs and waits until all of them have been answered.
    fn perform<T: TrackedTask>(&self, ids: &[TaskKey], tasks: &DeferredTasks<T>, errors: &Reports) {
        let pending: Vec<_> = ids.iter().map(|id| self.call(id, tasks)).collect();
        for error in pending.into_iter().filter_map(|pending| pending.wait().err()) {
            errors.send(&error);
        }
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
}

/// Where errors of deferred calls go, and the window that shows them.
#[derive(Clone)]
pub(crate) struct Reports {
    pub sender: Sender<String>,
    pub context: Context,
}

impl Reports {
    fn send(&self, error: &dyn Display) {
        // The panel may be gone.
        drop(self.sender.send(error.to_string()));
        self.context.request_repaint();
    }
}

/// Sends the error of a deferred call to the panel.
pub(crate) fn report<R: Send + 'static>(pending: Pending<R>, errors: &Reports) {
    let errors = errors.clone();
    pending.on_done(move |result| {
        if let Err(error) = result {
            errors.send(&error);
        }
    });
}
