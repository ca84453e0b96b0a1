//! `Record` is a stored task with everything known of it. Made by `api/tasks` and `api/query`, read by users, `tracker-cli` and `tracker-web`;
//! `api/inspect/leases` uses its parts. Plain data; making it decodes the payload, which runs code of the type.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    api::{page::UnreadableTask, schema::Schema},
    model::{
        codec::PayloadCodecs,
        error::{Error, ErrorKind, Result},
        kind::Kind,
        task::TaskKey,
        task_row::Progress,
        time::{between, utc},
        trace_context::TraceContext,
        transition::{AttemptStatus, Failure, Lease, StoredAttempt},
    },
    storage::read::task_rows::TaskRows,
};

/// A task with all that the tracker knows of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the task")]
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
    /// When it is due, if it waits.
    pub due_at: DateTime<Utc>,
    /// Claims since the submit, less those given back.
    pub attempts: u32,
    /// Failures in a row.
    pub failures: u32,
    /// Leases in a row that ended without an outcome.
    pub crashes: u32,
    /// The lease of the running attempt.
    pub lease: Option<LeaseInfo>,
    /// How far the running attempt is.
    pub progress: Option<ProgressInfo>,
    /// The last attempts that ended, oldest first.
    pub history: Vec<Attempt>,
    /// How many attempts have ended in all.
    pub ended: u32,
    /// Whether the running attempt was asked to end as cancelled.
    pub cancel_requested: bool,
    /// For how many others it waits; [`Tasks::dependencies`](crate::Tasks::dependencies) names them.
    pub waits_for: u32,
    /// The number of the batch that it belongs to.
    pub batch: Option<u64>,
    /// Rises with every change of the stored task.
    pub revision: u32,
    /// The fingerprint of the task as it was submitted, if its type has one.
    pub fingerprint: Option<u64>,
    /// The nominal time of the task, if it is an occurrence of a schedule.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The trace context of the submitter.
    pub trace_context: Option<TraceContext>,
    /// Whether a worker could not decode it: no claim finds it then.
    pub unreadable: bool,
    /// Whether the task is paused: no claim finds it until [`Tasks::resume_task`](crate::Tasks::resume_task).
    pub paused: bool,
    /// Whether it was submitted with another fingerprint while it ran: it starts again when the run ends.
    pub has_successor: bool,
}

/// The lease of a task.
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
    /// Whether the execution was detached into a ticket.
    pub detached: bool,
}

impl LeaseInfo {
    /// Returns whether the lease still keeps others out at this time: at the very instant of its expiry the task is free.
    #[must_use]
    pub fn is_live(&self, at: DateTime<Utc>) -> bool {
        at < self.until
    }
}

/// How far a running attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressInfo {
    /// How much is done, in units of the handler's own.
    pub done: u64,
    /// How much there is, if it is known.
    pub total: Option<u64>,
    /// In words.
    pub message: String,
    /// When it was reported.
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
    /// How long the handler ran by a monotonic clock; from claim to end if it was not measured.
    pub duration: Duration,
    /// How it ended.
    pub status: AttemptStatus,
    /// The failure, if the attempt failed.
    pub failure: Option<Failure>,
    /// The notes of the handler.
    pub notes: Vec<String>,
    /// The metrics of the handler.
    pub metrics: Vec<(String, f64)>,
}

impl From<StoredAttempt> for Attempt {
    fn from(ended: StoredAttempt) -> Self {
        let measured = ended.run.map(Duration::from_micros);
        Self {
            fence: ended.fence,
            attempt: ended.attempt,
            step: ended.step,
            worker: ended.worker,
            started_at: utc(ended.started),
            ended_at: utc(ended.ended),
            duration: measured.unwrap_or_else(|| between(ended.started, ended.ended)),
            status: ended.status,
            failure: ended.failure,
            notes: ended.annotations.notes,
            metrics: ended.annotations.metrics,
        }
    }
}

impl From<Progress> for ProgressInfo {
    fn from(progress: Progress) -> Self {
        Self { done: progress.done, total: progress.total, message: progress.message, at: utc(progress.at) }
    }
}

impl<T, S> Record<T, S> {
    /// Makes a record of the rows of a task, with its type or without.
    pub(crate) fn of<V: Schema<Task = T, Status = S>>(
        codecs: &PayloadCodecs,
        kind: &Kind,
        task_rows: TaskRows,
    ) -> Result<Self> {
        Self::read::<V>(codecs, kind, task_rows).map_err(|unreadable| unreadable.error)
    }

    /// Makes a record of one of many tasks. A task that cannot be decoded keeps its id.
    pub(crate) fn read<V: Schema<Task = T, Status = S>>(
        codecs: &PayloadCodecs,
        kind: &Kind,
        task_rows: TaskRows,
    ) -> Result<Self, UnreadableTask> {
        let TaskRows { header, row, past_attempts, progress, successor, .. } = task_rows;
        let status = || {
            kind.graph.status(header.code).and_then(V::status).ok_or_else(|| {
                let what = format!("{} \"{}\" has the unknown status code {}", kind.name, row.id, header.code);
                Error::new(ErrorKind::SchemaMismatch, what)
            })
        };
        let decoded = V::task(codecs, &kind.name, &row.id, &row.payload).and_then(|task| Ok((task, status()?)));
        let (task, status) = match decoded {
            Ok(decoded) => decoded,
            Err(error) => return Err(UnreadableTask { id: row.id, error }),
        };
        Ok(Self {
            id: row.id,
            task,
            status,
            priority: header.priority,
            created_at: utc(header.created),
            updated_at: utc(header.updated),
            due_at: utc(header.due),
            attempts: header.attempts,
            failures: header.failures,
            crashes: header.crashes,
            lease: header.lease.as_ref().map(Into::into),
            progress: progress.map(Into::into),
            history: past_attempts.into_iter().chain(header.last).map(Into::into).collect(),
            ended: header.ended,
            cancel_requested: header.cancel,
            waits_for: header.waits,
            batch: header.batch,
            revision: header.revision,
            fingerprint: header.fingerprint,
            scheduled_at: header.scheduled_at.map(utc),
            trace_context: header.trace.map(Arc::unwrap_or_clone),
            unreadable: header.unreadable,
            paused: header.paused,
            has_successor: successor.is_some(),
        })
    }
}

impl From<&Lease> for LeaseInfo {
    fn from(lease: &Lease) -> Self {
        Self {
            worker: lease.worker.clone(),
            fence: lease.fence,
            since: utc(lease.started),
            until: utc(lease.expires),
            detached: lease.detached,
        }
    }
}
