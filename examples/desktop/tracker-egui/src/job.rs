//! `Job`: a task as the panel shows it, made of a record. Made by `feed`, kept by `list`; plain data.

use std::{sync::Arc, time::Duration};

use tracker_core::{
    Record, TaskStatus, TrackedTask,
    chrono::{DateTime, Utc},
    record::AttemptStatus,
    status::Role,
    task::TaskKey,
};

use crate::rate::Rate;

/// The text of a task, which the application makes of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobText {
    /// The first column.
    pub name: String,
    /// Where the job is or belongs, for example a folder.
    pub place: String,
    /// The result of a job that is done; empty before.
    pub result: String,
    /// Amount of work in the units of the handler's progress, for example bytes. Zero if it is not known.
    pub amount: u64,
}

/// The state of a job for people. Statuses of the application's own type are reduced to these by their roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// An attempt runs.
    Running,
    /// It waits for a worker, for its due time or for other tasks.
    Waiting,
    /// It is paused.
    Paused,
    /// It was given up.
    Failed,
    /// It was cancelled or ignored.
    Cancelled,
    /// It has succeeded.
    Done,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 6] = [Self::Running, Self::Waiting, Self::Paused, Self::Failed, Self::Cancelled, Self::Done];

    /// The state as a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Paused => "Paused",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Done => "Done",
        }
    }

    /// Whether no attempt follows without a command.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Failed | Self::Cancelled | Self::Done)
    }

    /// Whether it waits in the claim order, so that it can be moved.
    #[must_use]
    pub fn is_queued(self) -> bool {
        matches!(self, Self::Waiting | Self::Paused)
    }

    fn of<T: TrackedTask>(record: &Record<T, T::Status>) -> Self {
        let code = record.status.code();
        let role = <T::Status as TaskStatus>::GRAPH.statuses.iter().find(|status| status.code == code);
        match role.map(|status| status.role) {
            Some(Role::InProgress) => Self::Running,
            Some(Role::Succeeded) => Self::Done,
            Some(Role::Exhausted) => Self::Failed,
            Some(Role::Cancelled | Role::Ignored) => Self::Cancelled,
            _ if record.paused => Self::Paused,
            _ => Self::Waiting,
        }
    }
}

/// Progress of the running attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProgress {
    /// Amount done, in the units of the handler.
    pub done: u64,
    /// Amount in all, if it is known.
    pub total: Option<u64>,
    /// In words; may be empty.
    pub message: String,
}

/// An attempt that has ended, for the details of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLine {
    /// Its number, from 1.
    pub number: u32,
    /// How it ended.
    pub status: AttemptStatus,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How long its handler ran.
    pub duration: Duration,
    /// The error with all its causes; empty without a failure.
    pub error: String,
}

/// A task as the panel shows it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The task's id.
    pub id: TaskKey,
    /// Its text.
    pub text: JobText,
    /// Its state.
    pub state: JobState,
    /// Whether its running attempt is asked to end as cancelled.
    pub cancelling: bool,
    /// Whether its running attempt is asked to pause.
    pub pausing: bool,
    /// Number of claims.
    pub attempts: u32,
    /// The last attempts that ended, oldest first.
    pub history: Arc<[AttemptLine]>,
    /// When its status last changed.
    pub changed: DateTime<Utc>,
    /// When it is due, if it waits.
    pub due: DateTime<Utc>,
    /// Progress of the running attempt.
    pub progress: Option<JobProgress>,
    /// Amount per second of the running attempt.
    pub(crate) rate: Rate,
    /// Its place among the waiting jobs: lower starts first.
    pub(crate) place: u64,
    /// The searched text, in lower case.
    pub(crate) searched: String,
    /// The snapshot of which it was part last.
    pub(crate) generation: u64,
}

impl Job {
    pub(crate) fn of<T: TrackedTask>(record: &Record<T, T::Status>, text: JobText) -> Self {
        let history: Arc<[_]> = record.history.iter().map(AttemptLine::of).collect();
        let error = history.last().map_or("", |attempt| attempt.error.as_str());
        let searched = format!("{}\n{}\n{}\n{error}", text.name, text.place, text.result).to_lowercase();
        Self {
            id: record.id.clone(),
            state: JobState::of(record),
            cancelling: record.cancel_requested,
            pausing: record.paused,
            attempts: record.attempts,
            changed: record.updated_at,
            due: record.due_at,
            progress: record.progress.as_ref().map(|progress| JobProgress {
                done: progress.done,
                total: progress.total,
                message: progress.message.clone(),
            }),
            rate: Rate::default(),
            place: u64::MAX,
            generation: 0,
            text,
            history,
            searched,
        }
    }

    /// The error of the last attempt; empty if it did not fail.
    #[must_use]
    pub fn error(&self) -> &str {
        self.history.last().map_or("", |attempt| attempt.error.as_str())
    }

    /// Amount per second of the running attempt, once it is known.
    #[must_use]
    pub fn speed(&self) -> Option<f64> {
        self.rate.per_second().filter(|_| self.state == JobState::Running)
    }

    /// Time until the running attempt ends at its present speed.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let progress = self.progress.as_ref()?;
        crate::rate::time_left(progress.total?.saturating_sub(progress.done), self.speed()?)
    }
}

impl AttemptLine {
    fn of(attempt: &tracker_core::record::Attempt) -> Self {
        let error = attempt.failure.as_ref().map_or(String::new(), |failure| {
            let causes = failure.causes.iter().map(|cause| format!("\ncaused by: {cause}"));
            std::iter::once(failure.error.clone()).chain(causes).collect()
        });
        Self {
            number: attempt.attempt,
            status: attempt.status,
            ended_at: attempt.ended_at,
            duration: attempt.duration,
            error,
        }
    }
}
