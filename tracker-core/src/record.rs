use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    disk::keys::TaskRef,
    error::Result,
    rules::{Ended, Ending, Failure, Header},
    store::{Body, Handles, Progress, Source},
    task::TaskKey,
    time::{between, utc},
};

/// A task with all that the tracker knows of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Record<T, S> {
    /// Its id.
    pub id: TaskKey,
    /// The task as it is stored.
    pub task: T,
    /// Its status.
    pub status: S,
    /// Higher first.
    pub priority: u8,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// When its status last changed.
    pub updated_at: DateTime<Utc>,
    /// When it is due, where it waits.
    pub due_at: DateTime<Utc>,
    /// Claims since the submit, less those given back.
    pub attempts: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Leases in a row that ended without an outcome.
    pub crashes: u32,
    /// Who has it.
    pub lease: Option<LeaseInfo>,
    /// How far the running attempt is.
    pub progress: Option<ProgressInfo>,
    /// The last attempts that ended, oldest first.
    pub history: Vec<Attempt>,
    /// How many attempts have ended in all.
    pub ended: u32,
    /// Whether the running attempt was asked to end as cancelled.
    pub cancel_requested: bool,
    /// For how many others it waits; [`Tasks::needs`](crate::Tasks::needs) names them.
    pub waits_for: u32,
    /// The number of the batch that it belongs to.
    pub batch: Option<u64>,
}

/// Who has a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseInfo {
    /// The worker's name.
    pub worker: String,
    /// The number of the claim.
    pub fence: u64,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when, unless it is renewed.
    pub until: DateTime<Utc>,
    /// Whether a ticket stands for the execution.
    pub detached: bool,
}

impl LeaseInfo {
    /// Whether the lease still keeps others out at this time: at the very instant of its expiry the task is free.
    #[must_use]
    pub fn is_live(&self, at: DateTime<Utc>) -> bool {
        at < self.until
    }
}

/// How far a running attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressInfo {
    /// How much is done, in units of the body's own.
    pub done: u64,
    /// How much there is, if it is known.
    pub total: Option<u64>,
    /// In words.
    pub message: String,
    /// When it was told.
    pub at: DateTime<Utc>,
}

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the claim: it rises over the whole file.
    pub fence: u64,
    /// Which attempt of the task it was, from 1.
    pub attempt: u32,
    /// The position of the step in the pipeline.
    pub step: u16,
    /// The worker's name.
    pub worker: String,
    /// When it was claimed.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How long the body ran by a monotonic clock; where nobody measured it, from claim to end.
    pub duration: Duration,
    /// How it ended.
    pub ending: Ending,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// What the body noted.
    pub notes: Vec<String>,
    /// What the body measured.
    pub metrics: Vec<(String, f64)>,
}

impl From<Ended> for Attempt {
    fn from(ended: Ended) -> Self {
        let measured = ended.run.map(Duration::from_micros);
        Self {
            fence: ended.fence,
            attempt: ended.attempt,
            step: ended.step,
            worker: ended.worker,
            started_at: utc(ended.started),
            ended_at: utc(ended.ended),
            duration: measured.unwrap_or_else(|| between(ended.started, ended.ended)),
            ending: ended.ending,
            failure: ended.failure,
            notes: ended.remarks.notes,
            metrics: ended.remarks.metrics,
        }
    }
}

impl From<Progress> for ProgressInfo {
    fn from(progress: Progress) -> Self {
        Self { done: progress.done, total: progress.total, message: progress.message, at: utc(progress.at) }
    }
}

/// What rows say of a task, before it is known as its type.
pub(crate) struct Raw {
    pub header: Header,
    pub past: Vec<Ended>,
    pub progress: Option<Progress>,
}

impl Raw {
    /// The rows of a task, and its body.
    pub(crate) fn read<S: Source>(rows: &mut Handles<S>, task: TaskRef) -> Result<Option<(Self, Body)>> {
        let Some(header) = rows.header(task)? else { return Ok(None) };
        let raw = Self { past: rows.past(task)?, progress: rows.progress(task)?, header };
        Ok(Some((raw, rows.body_of(task)?)))
    }

    pub(crate) fn record<T, S>(self, id: TaskKey, task: T, status: S) -> Record<T, S> {
        let Self { header, past, progress } = self;
        let lease = header.lease.as_ref().map(|lease| LeaseInfo {
            worker: lease.worker.clone(),
            fence: lease.fence,
            since: utc(lease.started),
            until: utc(lease.expires),
            detached: lease.detached,
        });
        Record {
            id,
            task,
            status,
            priority: header.priority,
            created_at: utc(header.created),
            updated_at: utc(header.updated),
            due_at: utc(header.due),
            attempts: header.attempts,
            failures: header.failures,
            crashes: header.crashes,
            lease,
            progress: progress.map(Into::into),
            history: past.into_iter().chain(header.last).map(Into::into).collect(),
            ended: header.ended,
            cancel_requested: header.cancel,
            waits_for: header.waits,
            batch: header.batch,
        }
    }
}
