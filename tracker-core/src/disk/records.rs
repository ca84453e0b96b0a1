//! The values of the tables: a version byte, the record, a checksum. Domain types become records here and nowhere else.

use bincode::{Decode, Encode, config};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    error::{Error, ErrorKind, Result},
    rules::{Ended, Ending, Failure, Header, Lease, Remarks},
    status::{Graph, Role, StatusInfo},
    store::{Body, Kind, Progress, Pulse},
    task::{Backoff, Policy, Retention, TaskKey},
    time::micros_of,
};

/// The version of the records in this file's tables; it stands in each of them.
const VERSION: u8 = 1;
/// The longest record that is decoded: the largest payload and all that can stand beside it.
const LONGEST: usize = 64 << 20;

/// A domain type that is kept as a record.
pub(crate) trait Stored: Sized {
    /// How the record looks on disk.
    type Record: Encode + Decode<()>;

    fn to_record(&self) -> Self::Record;

    /// The value of a record; an error says what in it cannot be.
    fn from_record(record: Self::Record) -> Result<Self, &'static str>;
}

/// The bytes of a value.
pub(crate) fn encode<T: Stored>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = vec![VERSION];
    bincode::encode_into_std_write(value.to_record(), &mut bytes, config::standard())
        .map_err(|error| Error::caused(ErrorKind::Unwritable, "a record cannot be encoded", error))?;
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    Ok(bytes)
}

/// The value of bytes, after their version and checksum were checked; an error says what is wrong with them.
pub(crate) fn decode<T: Stored>(bytes: &[u8]) -> Result<T, String> {
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or("it is cut short")?;
    if checksum(content) != *sum {
        return Err("its checksum does not fit".to_owned());
    }
    let record = match content.split_first() {
        Some((&VERSION, record)) => record,
        Some((version, _)) => return Err(format!("its version is {version}, this program knows {VERSION}")),
        None => return Err("it is cut short".to_owned()),
    };
    let limited = config::standard().with_limit::<LONGEST>();
    let (record, read) = bincode::decode_from_slice(record, limited).map_err(|error| error.to_string())?;
    if read + 1 != content.len() {
        return Err("it is longer than its content".to_owned());
    }
    T::from_record(record).map_err(str::to_owned)
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(bytes).to_le_bytes();
    [a, b, c, d]
}

#[derive(Encode, Decode)]
pub(crate) struct HeaderRecord {
    code: i32,
    priority: u8,
    created: i64,
    updated: i64,
    due: i64,
    attempts: u32,
    failures: u32,
    crashes: u32,
    revision: u32,
    ended: u32,
    fingerprint: Option<u64>,
    lease: Option<LeaseRecord>,
    last: Option<EndedRecord>,
    flags: u8,
}

#[derive(Encode, Decode)]
struct LeaseRecord {
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

#[derive(Encode, Decode)]
pub(crate) struct EndedRecord {
    fence: u64,
    attempt: u32,
    step: u16,
    worker: String,
    started: i64,
    ended: i64,
    run: Option<u64>,
    ending: u8,
    failure: Option<FailureRecord>,
    notes: Vec<String>,
    metrics: Vec<(String, f64)>,
}

#[derive(Encode, Decode)]
struct FailureRecord {
    error: String,
    causes: Vec<String>,
    debug: String,
    panicked: bool,
}

#[derive(Encode, Decode)]
pub(crate) struct BodyRecord {
    id: Vec<u8>,
    indexes: Vec<Vec<u8>>,
    uniques: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

#[derive(Encode, Decode)]
pub(crate) struct ProgressRecord {
    done: u64,
    total: Option<u64>,
    message: String,
    at: i64,
}

#[derive(Encode, Decode)]
pub(crate) struct PulseRecord {
    next_seq: u64,
    next_fence: u64,
    mark: i64,
    instance: [u8; 16],
    batch: u64,
    change: u64,
    schema: u64,
}

#[derive(Encode, Decode)]
pub(crate) struct KindRecord {
    name: String,
    steps: Vec<String>,
    statuses: Vec<(i32, String, u8, u16)>,
    indexes: Vec<String>,
    uniques: Vec<(String, bool)>,
    policy: PolicyRecord,
    paused: bool,
}

#[derive(Encode, Decode)]
struct PolicyRecord {
    max_attempts: Option<u32>,
    max_crashes: u32,
    lease: i64,
    backoff: (u8, i64, i64),
    jitter: f32,
    time_limit: Option<i64>,
    priority: u8,
    history: u16,
    startable: Vec<i32>,
    retention: Vec<(u8, i64)>,
}

const CANCEL: u8 = 1;
const UNREADABLE: u8 = 2;
const SUCCESSOR: u8 = 4;

fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

impl Stored for Header {
    type Record = HeaderRecord;

    fn to_record(&self) -> HeaderRecord {
        HeaderRecord {
            code: self.code,
            priority: self.priority,
            created: self.created,
            updated: self.updated,
            due: self.due,
            attempts: self.attempts,
            failures: self.failures,
            crashes: self.crashes,
            revision: self.revision,
            ended: self.ended,
            fingerprint: self.fingerprint,
            lease: self.lease.as_ref().map(lease_record),
            last: self.last.as_ref().map(Stored::to_record),
            flags: flag(self.cancel, CANCEL) | flag(self.unreadable, UNREADABLE) | flag(self.successor, SUCCESSOR),
        }
    }

    fn from_record(record: HeaderRecord) -> Result<Self, &'static str> {
        Ok(Self {
            code: record.code,
            priority: record.priority,
            created: record.created,
            updated: record.updated,
            due: record.due,
            attempts: record.attempts,
            failures: record.failures,
            crashes: record.crashes,
            revision: record.revision,
            ended: record.ended,
            fingerprint: record.fingerprint,
            lease: record.lease.map(lease_of),
            last: record.last.map(Stored::from_record).transpose()?,
            cancel: record.flags & CANCEL != 0,
            unreadable: record.flags & UNREADABLE != 0,
            successor: record.flags & SUCCESSOR != 0,
        })
    }
}

fn lease_record(lease: &Lease) -> LeaseRecord {
    LeaseRecord {
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

fn lease_of(record: LeaseRecord) -> Lease {
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

impl Stored for Ended {
    type Record = EndedRecord;

    fn to_record(&self) -> EndedRecord {
        EndedRecord {
            fence: self.fence,
            attempt: self.attempt,
            step: self.step,
            worker: self.worker.clone(),
            started: self.started,
            ended: self.ended,
            run: self.run,
            ending: ending_code(self.ending),
            failure: self.failure.as_ref().map(|failure| FailureRecord {
                error: failure.error.clone(),
                causes: failure.causes.clone(),
                debug: failure.debug.clone(),
                panicked: failure.panicked,
            }),
            notes: self.remarks.notes.clone(),
            metrics: self.remarks.metrics.clone(),
        }
    }

    fn from_record(record: EndedRecord) -> Result<Self, &'static str> {
        let ending = Ending::ALL.into_iter().find(|ending| ending_code(*ending) == record.ending);
        Ok(Self {
            fence: record.fence,
            attempt: record.attempt,
            step: record.step,
            worker: record.worker,
            started: record.started,
            ended: record.ended,
            run: record.run,
            ending: ending.ok_or("its ending is unknown")?,
            failure: record.failure.map(|failure| Failure {
                error: failure.error,
                causes: failure.causes,
                debug: failure.debug,
                panicked: failure.panicked,
            }),
            remarks: Remarks { notes: record.notes, metrics: record.metrics },
        })
    }
}

/// The number of an ending on disk. Stable.
fn ending_code(ending: Ending) -> u8 {
    match ending {
        Ending::Succeeded => 0,
        Ending::Failed => 1,
        Ending::GaveUp => 2,
        Ending::Ignored => 3,
        Ending::Snoozed => 4,
        Ending::Parked => 5,
        Ending::Released => 6,
        Ending::Crashed => 7,
        Ending::TakenOver => 8,
        Ending::Cancelled => 9,
    }
}

/// The number of a role on disk. Stable.
fn role_code(role: Role) -> u8 {
    match role {
        Role::Pending => 0,
        Role::InProgress => 1,
        Role::Failed => 2,
        Role::Succeeded => 3,
        Role::Exhausted => 4,
        Role::Ignored => 5,
        Role::Cancelled => 6,
        Role::Parked => 7,
    }
}

fn role_of(code: u8) -> Result<Role, &'static str> {
    Role::ALL.into_iter().find(|role| role_code(*role) == code).ok_or("its role is unknown")
}

impl Stored for Body {
    type Record = BodyRecord;

    fn to_record(&self) -> BodyRecord {
        BodyRecord {
            id: self.id.as_bytes().to_vec(),
            indexes: self.indexes.clone(),
            uniques: self.uniques.clone(),
            payload: self.payload.clone(),
        }
    }

    fn from_record(record: BodyRecord) -> Result<Self, &'static str> {
        Ok(Self {
            id: TaskKey::from_bytes(&record.id).ok_or("its id is no id")?,
            indexes: record.indexes,
            uniques: record.uniques,
            payload: record.payload,
        })
    }
}

impl Stored for Progress {
    type Record = ProgressRecord;

    fn to_record(&self) -> ProgressRecord {
        ProgressRecord { done: self.done, total: self.total, message: self.message.clone(), at: self.at }
    }

    fn from_record(record: ProgressRecord) -> Result<Self, &'static str> {
        Ok(Self { done: record.done, total: record.total, message: record.message, at: record.at })
    }
}

impl Stored for Pulse {
    type Record = PulseRecord;

    fn to_record(&self) -> PulseRecord {
        PulseRecord {
            next_seq: self.next_seq,
            next_fence: self.next_fence,
            mark: self.mark,
            instance: self.instance.into_bytes(),
            batch: self.batch,
            change: self.change,
            schema: self.schema,
        }
    }

    fn from_record(record: PulseRecord) -> Result<Self, &'static str> {
        Ok(Self {
            next_seq: record.next_seq,
            next_fence: record.next_fence,
            mark: record.mark,
            instance: Uuid::from_bytes(record.instance),
            batch: record.batch,
            change: record.change,
            schema: record.schema,
        })
    }
}

impl Stored for Kind {
    type Record = KindRecord;

    fn to_record(&self) -> KindRecord {
        KindRecord {
            name: self.name.clone(),
            steps: self.graph.steps().map(str::to_owned).collect(),
            statuses: self
                .graph
                .statuses()
                .iter()
                .map(|status| (status.code, status.name.clone(), role_code(status.role), status.step))
                .collect(),
            indexes: self.indexes.clone(),
            uniques: self.uniques.clone(),
            policy: policy_record(&self.policy),
            paused: self.paused,
        }
    }

    fn from_record(record: KindRecord) -> Result<Self, &'static str> {
        let status = |(code, name, role, step): (i32, String, u8, u16)| {
            Ok(StatusInfo { code, name, role: role_of(role)?, step })
        };
        let statuses = record.statuses.into_iter().map(status).collect::<Result<_, &'static str>>()?;
        Ok(Self {
            id: 0,
            name: record.name,
            graph: Graph::new(record.steps, statuses).map_err(|_| "its statuses do not make a kind")?,
            indexes: record.indexes,
            uniques: record.uniques,
            policy: policy_of(record.policy)?,
            paused: record.paused,
        })
    }
}

fn policy_record(policy: &Policy) -> PolicyRecord {
    let backoff = match policy.backoff {
        Backoff::None => (0, 0, 0),
        Backoff::Fixed(delay) => (1, micros_of(delay), 0),
        Backoff::Linear { step, max } => (2, micros_of(step), micros_of(max)),
        Backoff::Exponential { first, max } => (3, micros_of(first), micros_of(max)),
    };
    PolicyRecord {
        max_attempts: policy.max_attempts,
        max_crashes: policy.max_crashes,
        lease: micros_of(policy.lease),
        backoff,
        jitter: policy.jitter,
        time_limit: policy.time_limit.map(micros_of),
        priority: policy.priority,
        history: policy.history,
        startable: policy.startable.to_vec(),
        retention: policy.retention.iter().map(|rule| (role_code(rule.role), micros_of(rule.keep))).collect(),
    }
}

fn policy_of(record: PolicyRecord) -> Result<Policy, &'static str> {
    let span = |micros| crate::time::between(0, micros);
    let (form, first, max) = record.backoff;
    let retention =
        record.retention.into_iter().map(|(role, keep)| Ok(Retention { role: role_of(role)?, keep: span(keep) }));
    let mut policy = Policy::DEFAULT;
    policy.max_attempts = record.max_attempts;
    policy.max_crashes = record.max_crashes;
    policy.lease = span(record.lease);
    policy.backoff = match form {
        0 => Backoff::None,
        1 => Backoff::Fixed(span(first)),
        2 => Backoff::Linear { step: span(first), max: span(max) },
        3 => Backoff::Exponential { first: span(first), max: span(max) },
        _ => return Err("its backoff is unknown"),
    };
    policy.jitter = record.jitter;
    policy.time_limit = record.time_limit.map(span);
    policy.priority = record.priority;
    policy.history = record.history;
    policy.startable = record.startable.into();
    policy.retention = retention.collect::<Result<Vec<_>, &'static str>>()?.into();
    Ok(policy)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn sample() -> Progress {
        Progress { done: 7, total: Some(300), message: "half way".to_owned(), at: -1 }
    }

    #[test]
    fn a_record_comes_back() {
        assert_eq!(decode::<Progress>(&encode(&sample()).unwrap()), Ok(sample()));
    }

    #[test]
    fn a_record_with_any_bit_flipped_is_refused() {
        let bytes = encode(&sample()).unwrap();
        for at in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(decode::<Progress>(&damaged).is_err(), "bit {at}");
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_refused() {
        let bytes = encode(&sample()).unwrap();
        for length in 0..bytes.len() {
            assert!(decode::<Progress>(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_record_of_another_version_is_refused_by_its_version() {
        let mut bytes = encode(&sample()).unwrap();
        bytes.truncate(bytes.len() - 4);
        bytes[0] = VERSION + 1;
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        assert_eq!(
            decode::<Progress>(&bytes),
            Err(format!("its version is {}, this program knows {VERSION}", VERSION + 1))
        );
    }
}
