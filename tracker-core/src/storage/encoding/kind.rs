//! Encodes `Kind` and its policy, and roles as numbers. Used as `Encodable` by `storage/tables` and `storage/store/stored_kind`; the numbers of
//! roles by `encoding/batch` and `encoding/dependency_end`. Pure.

use bincode::{Decode, Encode};

use super::Encodable;
use crate::model::{
    kind::Kind,
    status::{Graph, Role, StatusInfo},
    task::{Backoff, IndexLimit, Need, NeededAmount, Policy, QueueEnd, Rate, Retention, SharedLimit},
    time::micros_of,
};

#[derive(Encode, Decode)]
pub(crate) struct EncodedKind {
    name: String,
    steps: Vec<String>,
    statuses: Vec<(i32, String, u8, u16)>,
    indexes: Vec<String>,
    uniques: Vec<(String, bool)>,
    priority_field: Option<String>,
    policy: EncodedPolicy,
    paused: bool,
    stale: bool,
}

#[derive(Encode, Decode)]
struct EncodedPolicy {
    max_attempts: Option<u32>,
    max_crashes: u32,
    lease: i64,
    backoff: (u8, i64, i64),
    jitter: f32,
    timeout: Option<i64>,
    priority: u8,
    history: u16,
    startable: Vec<i32>,
    retention: Vec<(u8, i64)>,
    limits: Vec<(String, u32)>,
    rate: Option<(u32, i64)>,
    /// Whether interrupted tasks go to the front.
    interrupted_first: bool,
    max_in_progress: Option<u32>,
    max_waiting: Option<u64>,
    shared_limits: Vec<(String, u32)>,
    /// Resource, fixed amount (0 for the amount of a field), and the name of the field.
    needs: Vec<(String, u64, String)>,
}

impl Encodable for Kind {
    type Encoded = EncodedKind;

    fn to_encoded(&self) -> EncodedKind {
        EncodedKind {
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
            priority_field: self.priority_field.clone(),
            policy: policy_record(&self.policy),
            paused: self.paused,
            stale: self.stale,
        }
    }

    fn from_encoded(record: EncodedKind) -> Result<Self, &'static str> {
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
            priority_field: record.priority_field,
            policy: policy_of(record.policy)?,
            paused: record.paused,
            stale: record.stale,
        })
    }
}

fn policy_record(policy: &Policy) -> EncodedPolicy {
    let backoff = match policy.backoff {
        Backoff::None => (0, 0, 0),
        Backoff::Fixed(delay) => (1, micros_of(delay), 0),
        Backoff::Linear { step, max } => (2, micros_of(step), micros_of(max)),
        Backoff::Exponential { first, max } => (3, micros_of(first), micros_of(max)),
    };
    EncodedPolicy {
        max_attempts: policy.max_attempts,
        max_crashes: policy.max_crashes,
        lease: micros_of(policy.lease),
        backoff,
        jitter: policy.jitter,
        timeout: policy.timeout.map(micros_of),
        priority: policy.priority,
        history: policy.history,
        startable: policy.startable.to_vec(),
        retention: policy.retention.iter().map(|rule| (role_code(rule.role), micros_of(rule.keep))).collect(),
        limits: policy.limits.iter().map(|limit| (limit.index.to_string(), limit.most)).collect(),
        rate: policy.rate.map(|rate| (rate.starts, micros_of(rate.period))),
        interrupted_first: policy.interrupted == QueueEnd::Front,
        max_in_progress: policy.max_in_progress,
        max_waiting: policy.max_waiting,
        shared_limits: policy.shared_limits.iter().map(|limit| (limit.name.to_string(), limit.most)).collect(),
        needs: policy.needs.iter().map(need_record).collect(),
    }
}

fn need_record(need: &Need) -> (String, u64, String) {
    let (amount, field) = match &need.amount {
        NeededAmount::Fixed(amount) => (*amount, String::new()),
        NeededAmount::Field(field) => (0, field.to_string()),
    };
    (need.resource.to_string(), amount, field)
}

fn need_of((resource, amount, field): (String, u64, String)) -> Need {
    let amount = if amount == 0 { NeededAmount::Field(field.into()) } else { NeededAmount::Fixed(amount) };
    Need { resource: resource.into(), amount }
}

fn policy_of(record: EncodedPolicy) -> Result<Policy, &'static str> {
    let span = |micros| crate::model::time::between(0, micros);
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
    policy.timeout = record.timeout.map(span);
    policy.priority = record.priority;
    policy.history = record.history;
    policy.startable = record.startable.into();
    policy.retention = retention.collect::<Result<Vec<_>, &'static str>>()?.into();
    policy.limits = record.limits.into_iter().map(|(index, most)| IndexLimit { index: index.into(), most }).collect();
    policy.rate = record.rate.map(|(starts, period)| Rate { starts, period: span(period) });
    policy.max_in_progress = record.max_in_progress;
    policy.max_waiting = record.max_waiting;
    policy.shared_limits =
        record.shared_limits.into_iter().map(|(name, most)| SharedLimit { name: name.into(), most }).collect();
    policy.needs = record.needs.into_iter().map(need_of).collect();
    policy.interrupted = if record.interrupted_first { QueueEnd::Front } else { QueueEnd::Back };
    Ok(policy)
}

/// The number of a role on disk. Stable.
pub(crate) fn role_code(role: Role) -> u8 {
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

pub(crate) fn role_of(code: u8) -> Result<Role, &'static str> {
    Role::ALL.into_iter().find(|role| role_code(*role) == code).ok_or("its role is unknown")
}
