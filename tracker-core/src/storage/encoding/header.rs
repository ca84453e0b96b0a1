//! Encodes `Header` and its lease. Used as `Encodable` by `storage/tables`, `storage/write` and `storage/store/task_times`; pure.

use std::sync::Arc;

use bincode::{Decode, Encode, config};
use uuid::Uuid;

use super::{Encodable, VERSION, attempt::EncodedAttempt};
use crate::model::{
    trace_context::TraceContext,
    transition::{Header, Lease},
};

#[derive(Encode, Decode)]
pub(crate) struct EncodedHeader {
    code: i32,
    priority: u8,
    created: i64,
    updated: i64,
    due: i64,
    place: Option<u64>,
    attempts: u32,
    failures: u32,
    crashes: u32,
    revision: u32,
    ended: u32,
    fingerprint: Option<u64>,
    lease: Option<EncodedLease>,
    last: Option<EncodedAttempt>,
    flags: u8,
    waits: u32,
    batch: Option<u64>,
    origin: EncodedOrigin,
}

/// Values of the submit that only some tasks have. The variant is one byte.
#[derive(Encode, Decode)]
enum EncodedOrigin {
    Plain,
    Scheduled(i64),
    Traced(EncodedTrace),
    ScheduledAndTraced(i64, EncodedTrace),
}

#[derive(Encode, Decode)]
struct EncodedTrace {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    flags: u8,
    state: String,
}

#[derive(Encode, Decode)]
struct EncodedLease {
    token: [u8; 16],
    fence: u64,
    worker: String,
    instance: [u8; 16],
    started: i64,
    expires: i64,
    length: i64,
    from: i32,
    due: i64,
    begun: bool,
    detached: bool,
}

const CANCEL: u8 = 1;
const UNREADABLE: u8 = 2;
const SUCCESSOR: u8 = 4;
const DOUBTFUL: u8 = 8;
const HAS_DEPENDENTS: u8 = 16;
const PAUSED: u8 = 32;

fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

impl Encodable for Header {
    type Encoded = EncodedHeader;

    fn to_encoded(&self) -> EncodedHeader {
        EncodedHeader {
            code: self.code,
            priority: self.priority,
            created: self.created,
            updated: self.updated,
            due: self.due,
            place: self.place,
            attempts: self.attempts,
            failures: self.failures,
            crashes: self.crashes,
            revision: self.revision,
            ended: self.ended,
            fingerprint: self.fingerprint,
            lease: self.lease.as_ref().map(lease_record),
            last: self.last.as_ref().map(Encodable::to_encoded),
            flags: flag(self.cancel, CANCEL)
                | flag(self.unreadable, UNREADABLE)
                | flag(self.successor, SUCCESSOR)
                | flag(self.doubtful, DOUBTFUL)
                | flag(self.has_dependents, HAS_DEPENDENTS)
                | flag(self.paused, PAUSED),
            waits: self.waits,
            batch: self.batch,
            origin: origin_record(self.scheduled_at, self.trace.as_deref()),
        }
    }

    fn from_encoded(record: EncodedHeader) -> Result<Self, &'static str> {
        let (scheduled_at, trace) = origin_of(record.origin)?;
        Ok(Self {
            code: record.code,
            priority: record.priority,
            created: record.created,
            updated: record.updated,
            due: record.due,
            place: record.place,
            attempts: record.attempts,
            failures: record.failures,
            crashes: record.crashes,
            revision: record.revision,
            ended: record.ended,
            fingerprint: record.fingerprint,
            lease: record.lease.map(lease_of),
            last: record.last.map(Encodable::from_encoded).transpose()?,
            cancel: record.flags & CANCEL != 0,
            unreadable: record.flags & UNREADABLE != 0,
            paused: record.flags & PAUSED != 0,
            successor: record.flags & SUCCESSOR != 0,
            waits: record.waits,
            has_dependents: record.flags & HAS_DEPENDENTS != 0,
            batch: record.batch,
            scheduled_at,
            trace,
            doubtful: record.flags & DOUBTFUL != 0,
        })
    }
}

/// The created and the updated time of a header, without a look at its checksum. `None` if it is cut short or of another version.
pub(crate) fn times(bytes: &[u8]) -> Option<(i64, i64)> {
    let fields = bytes.strip_prefix(&[VERSION])?;
    // The first fields of `EncodedHeader`.
    let ((_, _, created, updated), _): ((i32, u8, i64, i64), _) =
        bincode::decode_from_slice(fields, config::standard()).ok()?;
    Some((created, updated))
}

fn origin_record(scheduled_at: Option<i64>, trace: Option<&TraceContext>) -> EncodedOrigin {
    let encoded = |trace: &TraceContext| EncodedTrace {
        trace_id: trace.trace_id().to_be_bytes(),
        parent_id: trace.parent_id().to_be_bytes(),
        flags: trace.flags(),
        state: trace.state().to_owned(),
    };
    match (scheduled_at, trace.map(encoded)) {
        (None, None) => EncodedOrigin::Plain,
        (Some(time), None) => EncodedOrigin::Scheduled(time),
        (None, Some(trace)) => EncodedOrigin::Traced(trace),
        (Some(time), Some(trace)) => EncodedOrigin::ScheduledAndTraced(time, trace),
    }
}

fn origin_of(record: EncodedOrigin) -> Result<(Option<i64>, Option<Arc<TraceContext>>), &'static str> {
    let (scheduled_at, trace) = match record {
        EncodedOrigin::Plain => (None, None),
        EncodedOrigin::Scheduled(time) => (Some(time), None),
        EncodedOrigin::Traced(trace) => (None, Some(trace)),
        EncodedOrigin::ScheduledAndTraced(time, trace) => (Some(time), Some(trace)),
    };
    let decoded = |trace: EncodedTrace| {
        let (trace_id, parent_id) = (u128::from_be_bytes(trace.trace_id), u64::from_be_bytes(trace.parent_id));
        let context =
            TraceContext::new(trace_id, parent_id, false).ok_or("its trace context has an id that is zero")?;
        let context = context.with_flags(trace.flags).with_state(trace.state);
        context.map(Arc::new).map_err(|_| "its trace context has an invalid tracestate")
    };
    Ok((scheduled_at, trace.map(decoded).transpose()?))
}

fn lease_record(lease: &Lease) -> EncodedLease {
    EncodedLease {
        token: lease.token.into_bytes(),
        fence: lease.fence,
        worker: lease.worker.clone(),
        instance: lease.instance.into_bytes(),
        started: lease.started,
        expires: lease.expires,
        length: lease.length,
        from: lease.from,
        due: lease.due,
        begun: lease.begun,
        detached: lease.detached,
    }
}

fn lease_of(record: EncodedLease) -> Lease {
    Lease {
        token: Uuid::from_bytes(record.token),
        fence: record.fence,
        worker: record.worker,
        instance: Uuid::from_bytes(record.instance),
        started: record.started,
        expires: record.expires,
        length: record.length,
        from: record.from,
        due: record.due,
        begun: record.begun,
        detached: record.detached,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn header_without_trace_context_needs_no_further_byte() {
        fn bytes(value: impl Encode) -> Vec<u8> {
            let mut bytes = Vec::new();
            bincode::encode_into_std_write(value, &mut bytes, bincode::config::standard()).unwrap();
            bytes
        }
        // A header that could not hold a trace context would end with this option.
        for scheduled_at in [None, Some(0), Some(i64::MAX)] {
            assert_eq!(bytes(origin_record(scheduled_at, None)), bytes(scheduled_at), "{scheduled_at:?}");
        }
    }

    #[test]
    fn each_flag_comes_back_alone() {
        let bare = Header {
            code: -1,
            priority: 7,
            created: 1,
            updated: 2,
            due: 3,
            place: Some(12),
            attempts: 4,
            failures: 5,
            crashes: 6,
            revision: 7,
            ended: 8,
            fingerprint: Some(9),
            lease: None,
            last: None,
            cancel: false,
            unreadable: false,
            paused: false,
            successor: false,
            waits: 10,
            has_dependents: false,
            batch: Some(11),
            scheduled_at: Some(12),
            trace: None,
            doubtful: false,
        };
        let traced = TraceContext::new(1 << 100, 2, true).unwrap().with_state("a=b").unwrap();
        let traced = Some(Arc::new(traced));
        let each = [
            bare.clone(),
            Header { cancel: true, ..bare.clone() },
            Header { unreadable: true, ..bare.clone() },
            Header { successor: true, ..bare.clone() },
            Header { doubtful: true, ..bare.clone() },
            Header { has_dependents: true, ..bare.clone() },
            Header { paused: true, place: None, ..bare.clone() },
            Header { scheduled_at: None, ..bare.clone() },
            Header { trace: traced.clone(), ..bare.clone() },
            Header { scheduled_at: None, trace: traced, ..bare.clone() },
            Header {
                cancel: true,
                unreadable: true,
                successor: true,
                doubtful: true,
                has_dependents: true,
                paused: true,
                ..bare
            },
        ];
        for header in each {
            assert_eq!(times(&super::super::encode(&header).unwrap()), Some((1, 2)));
            assert_eq!(Header::from_encoded(header.to_encoded()), Ok(header));
        }
    }
}
