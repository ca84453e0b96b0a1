//! `PortableTask` is the JSON form of a task: its fields, payload, keys, attempts and dependencies. Used by `export`, `line` and
//! `imported_task`; `batch` uses `HexNumber`. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    attempt::{History, PortableAttempt},
    dependency::PortableDependency,
    payload::{Keys, PortablePayload},
    timestamp::{Recorded, Timestamp},
    value::PortableId,
};
use crate::{
    model::{
        kind::Kind,
        payload::Payload,
        trace_context::TraceContext,
        transition::{Header, Lease, NEVER, StoredAttempt},
    },
    storage::read::task_rows::TaskRows,
};

/// The line of a task. Only the id and the payload are needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableTask {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub id: PortableId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The place among waiting tasks of the same priority and due time, in 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<HexNumber>,
    #[serde(default)]
    pub attempts: u32,
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub crashes: u32,
    #[serde(default)]
    pub revision: u32,
    /// How many attempts have ended in all; the history may hold fewer.
    #[serde(default)]
    pub ended: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<HexNumber>,
    /// The nominal time of an occurrence of a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<Timestamp>,
    /// The trace context of the submitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tracestate: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// The label of its batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<PortableDependency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<PortableLease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<PortableProgress>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Values by the names of the kind's indexes. Missing ones are read from the payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indexes: Option<Keys>,
    /// Values by the names of the kind's unique keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniques: Option<Keys>,
    pub payload: Payload,
    /// The payload that replaces the present one when the running attempt ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<PortablePayload>,
    /// The sequence number that was reserved while the line waited for other lines.
    #[serde(skip)]
    pub reserved: Option<u64>,
}

/// A status by its name or its code.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum StatusRef {
    Code(i32),
    Name(String),
}

/// The lease at the time of the export. An import does not restore it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableLease {
    pub worker: String,
    pub fence: u64,
    pub since: Timestamp,
    pub until: Timestamp,
    /// The status of the task if the attempt is released.
    pub from: StatusRef,
    pub due: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel_requested: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableProgress {
    done: u64,
    total: Option<u64>,
    message: String,
    at: Timestamp,
}

impl PortableTask {
    pub(super) fn of(kind: &Kind, task_rows: &TaskRows) -> Self {
        let TaskRows { header, row, past_attempts, progress, successor, .. } = task_rows;
        let name = |code: i32| match kind.graph.status(code) {
            Some(status) => StatusRef::Name(status.name.clone()),
            None => StatusRef::Code(code),
        };
        let lease = header.lease.as_ref().map(|lease| PortableLease {
            worker: lease.worker.clone(),
            fence: lease.fence,
            since: Timestamp(lease.started),
            until: Timestamp(lease.expires),
            from: name(lease.from),
            due: Timestamp(lease.due),
            detached: lease.detached,
            cancel_requested: header.cancel,
        });
        let PortablePayload { indexes, uniques, payload } = PortablePayload::of_row(kind, row);
        Self {
            kind: Some(kind.name.clone()),
            id: PortableId(row.id.clone()),
            status: Some(name(header.code)),
            code: Some(header.code),
            priority: Some(header.priority),
            created: Some(Timestamp(header.created)),
            updated: Some(Timestamp(header.updated)),
            due: Some(Timestamp(header.due)),
            place: header.place.map(HexNumber),
            attempts: header.attempts,
            failures: header.failures,
            crashes: header.crashes,
            revision: header.revision,
            ended: header.ended,
            fingerprint: header.fingerprint.map(HexNumber),
            scheduled_at: header.scheduled_at.map(Timestamp),
            traceparent: header.trace.as_ref().map(ToString::to_string),
            tracestate: header.trace.as_ref().map(|trace| trace.state().to_owned()).unwrap_or_default(),
            unreadable: header.unreadable,
            paused: header.paused,
            doubtful: header.doubtful,
            batch: None,
            dependencies: Vec::new(),
            lease,
            progress: progress.as_ref().map(|progress| PortableProgress {
                done: progress.done,
                total: progress.total,
                message: progress.message.clone(),
                at: Timestamp(progress.at),
            }),
            history: past_attempts
                .iter()
                .chain(&header.last)
                .map(|ended| History::Attempt(Box::new(PortableAttempt::of(kind, ended))))
                .collect(),
            indexes,
            uniques,
            payload,
            successor: successor.as_ref().map(|row| PortablePayload::of_row(kind, row)),
            reserved: None,
        }
    }
}

/// The parts of a line besides its keys, by the definition of the file's kind.
pub(super) struct PortableHistory {
    pub header: Header,
    pub past_attempts: Vec<StoredAttempt>,
    /// Whether the attempts need fences of this file.
    pub fenceless: bool,
}

/// A fence that no file reaches.
const FENCES: u64 = u64::MAX / 2;

impl PortableTask {
    /// The header and the history. Fields that the line lacks are as in a task that is submitted now.
    pub(super) fn header_and_history(&mut self, kind: &Kind, times: Recorded) -> Result<PortableHistory, String> {
        let code = self.resolve(kind)?;
        let updated = self.updated.map_or(Ok(times.now), |stamp| stamp.recorded("updated", times))?;
        let created = self.created.map_or(Ok(updated), |stamp| stamp.recorded("created", times))?;
        let due = self.due.map_or(created, |stamp| stamp.0);
        let lease = self.lease.take().map(|lease| lease.of(kind, times)).transpose()?;
        let cancel = lease.as_ref().is_some_and(|(_, cancel)| *cancel);
        let mut past_attempts = Vec::new();
        let mut fenceless = false;
        for (number, attempt) in (1..).zip(std::mem::take(&mut self.history)) {
            let attempt = attempt.attempt();
            fenceless |= attempt.fence.is_none();
            past_attempts.push(attempt.ended(kind, number, u64::from(number), (updated, times))?);
        }
        if !fenceless
            && (!past_attempts.is_sorted_by(|one, other| one.fence < other.fence)
                || past_attempts.iter().any(|one| one.fence > FENCES))
        {
            return Err(
                "the fences of a history rise from attempt to attempt; leave them out to have them given".to_owned()
            );
        }
        // The header holds the last attempt, if that has neither a failure nor annotations.
        let plain = |ended: &StoredAttempt| ended.failure.is_none() && ended.annotations.is_empty();
        let ended = self.ended.max(u32::try_from(past_attempts.len()).unwrap_or(u32::MAX));
        let last = past_attempts.pop_if(|ended| plain(ended));
        let header = Header {
            code,
            priority: self.priority.unwrap_or(kind.policy.priority),
            created,
            updated,
            due,
            place: self.place.map(|place| place.0),
            attempts: self.attempts,
            failures: self.failures,
            crashes: self.crashes,
            revision: self.revision,
            ended,
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint.0),
            lease: lease.map(|(lease, _)| lease),
            last,
            cancel,
            scheduled_at: self.scheduled_at.map(|stamp| stamp.0),
            trace: self.trace()?,
            unreadable: self.unreadable,
            paused: self.paused,
            successor: self.successor.is_some(),
            doubtful: self.doubtful,
            waits: 0,
            has_dependents: false,
            batch: None,
        };
        check(kind, &header)?;
        Ok(PortableHistory { header, past_attempts, fenceless })
    }

    fn trace(&self) -> Result<Option<Arc<TraceContext>>, String> {
        let Some(traceparent) = &self.traceparent else {
            let refused = || Err("it has a tracestate, and no traceparent: leave the tracestate out".to_owned());
            return if self.tracestate.is_empty() { Ok(None) } else { refused() };
        };
        let context =
            traceparent.parse().and_then(|context: TraceContext| context.with_state(self.tracestate.as_str()));
        context.map(|context| Some(Arc::new(context))).map_err(|error| error.to_string())
    }

    fn resolve(&self, kind: &Kind) -> Result<i32, String> {
        let named = self.status.as_ref().map(|status| status.code(kind)).transpose()?;
        let code = match (named, self.code) {
            (Some(one), Some(other)) if one != other => {
                return Err(format!("its status has the code {one}, but its field `code` is {other}: leave one out"));
            }
            (named, code) => named.or(code).unwrap_or_else(|| kind.graph.start_of(0)),
        };
        let code = StatusRef::Code(code).code(kind)?;
        // The owner of the lease does not run the task in this file.
        let left = kind
            .graph
            .status(code)
            .filter(|status| status.role == crate::model::status::Role::InProgress && self.lease.is_none());
        Ok(left.map_or(code, |status| kind.graph.start_of(status.step)))
    }
}

/// Refuses combinations of fields that no task can have.
fn check(kind: &Kind, header: &Header) -> Result<(), String> {
    let status = kind.graph.status(header.code);
    let running = status.is_some_and(|status| status.role == crate::model::status::Role::InProgress);
    if header.lease.is_some() && !running {
        return Err("it has a lease, and its status is not one in progress: leave the lease out".to_owned());
    }
    if header.successor && header.lease.is_none() {
        return Err("it has a successor, and no lease: only a running task has one".to_owned());
    }
    if header.due == NEVER && running {
        return Err("it is in progress, and never due".to_owned());
    }
    Ok(())
}

impl StatusRef {
    fn code(&self, kind: &Kind) -> Result<i32, String> {
        let text = match self {
            Self::Code(code) => code.to_string(),
            Self::Name(name) => name.clone(),
        };
        crate::api::query::named(kind, &text).map_err(|error| error.to_string())
    }
}

impl PortableLease {
    fn of(self, kind: &Kind, times: Recorded) -> Result<(Lease, bool), String> {
        if self.fence > FENCES {
            return Err(format!("its fence {} is larger than any file's", self.fence));
        }
        let lease = Lease {
            token: uuid::Uuid::nil(),
            fence: self.fence,
            worker: self.worker,
            instance: uuid::Uuid::nil(),
            started: self.since.recorded("since", times)?,
            expires: self.until.0,
            length: self.until.0.saturating_sub(self.since.0),
            from: self.from.code(kind)?,
            due: self.due.0,
            begun: true,
            detached: self.detached,
        };
        Ok((lease, self.cancel_requested))
    }
}

/// A number as text of 16 hexadecimal digits, because readers of JSON lose digits of large numbers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct HexNumber(pub u64);

impl From<HexNumber> for String {
    fn from(number: HexNumber) -> Self {
        format!("{:016x}", number.0)
    }
}

impl TryFrom<String> for HexNumber {
    type Error = String;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        let number = u64::from_str_radix(&digits, 16);
        number.map(Self).map_err(|_| format!("expected text of 16 hexadecimal digits, found {digits:?}"))
    }
}
