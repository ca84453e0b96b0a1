//! Definitions of kinds as JSON. Called by `line`, `export` and `import`; pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    engine::Writer,
    model::{
        error::{Error, Result},
        kind::{Kind, KindSpec},
        status::{Graph, Role, StatusInfo},
        task::{Backoff, IndexLimit, Policy, QueueEnd, Rate, Retention},
        time::{Micros, between, micros_of},
    },
};

/// The line that defines a kind. Spans are microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableKind {
    pub define: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
    statuses: Vec<PortableStatus>,
    #[serde(default)]
    indexes: Vec<String>,
    #[serde(default)]
    uniques: Vec<PortableUnique>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority_field: Option<String>,
    #[serde(default)]
    policy: PortablePolicy,
    #[serde(default)]
    pub paused: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableStatus {
    code: i32,
    name: String,
    role: String,
    /// By name; the first one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableUnique {
    name: String,
    #[serde(default)]
    while_unfinished: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PortablePolicy {
    max_attempts: Option<u32>,
    max_crashes: u32,
    interrupted: String,
    lease_us: Micros,
    backoff: PortableBackoff,
    jitter: f32,
    timeout_us: Option<Micros>,
    priority: u8,
    history: u16,
    startable: Vec<i32>,
    retention: Vec<PortableRetention>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<PortableLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<PortableRate>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PortableBackoff {
    None,
    Fixed { delay_us: Micros },
    Linear { step_us: Micros, max_us: Micros },
    Exponential { first_us: Micros, max_us: Micros },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableRetention {
    role: String,
    keep_us: Micros,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableLimit {
    index: String,
    most: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortableRate {
    starts: u32,
    period_us: Micros,
}

impl Default for PortablePolicy {
    fn default() -> Self {
        Self::from(&Policy::DEFAULT)
    }
}

impl From<&Policy> for PortablePolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            max_attempts: policy.max_attempts,
            max_crashes: policy.max_crashes,
            interrupted: policy.interrupted.name().to_owned(),
            lease_us: micros_of(policy.lease),
            backoff: match policy.backoff {
                Backoff::None => PortableBackoff::None,
                Backoff::Fixed(delay) => PortableBackoff::Fixed { delay_us: micros_of(delay) },
                Backoff::Linear { step, max } => {
                    PortableBackoff::Linear { step_us: micros_of(step), max_us: micros_of(max) }
                }
                Backoff::Exponential { first, max } => {
                    PortableBackoff::Exponential { first_us: micros_of(first), max_us: micros_of(max) }
                }
            },
            jitter: policy.jitter,
            timeout_us: policy.timeout.map(micros_of),
            priority: policy.priority,
            history: policy.history,
            startable: policy.startable.to_vec(),
            retention: policy
                .retention
                .iter()
                .map(|rule| PortableRetention { role: rule.role.name().to_owned(), keep_us: micros_of(rule.keep) })
                .collect(),
            limit: policy
                .limit
                .as_ref()
                .map(|limit| PortableLimit { index: limit.index.to_string(), most: limit.most }),
            rate: policy.rate.map(|rate| PortableRate { starts: rate.starts, period_us: micros_of(rate.period) }),
        }
    }
}

impl PortablePolicy {
    fn policy(self) -> Result<Policy> {
        let span = |micros| between(0, micros);
        let retention = |rule: PortableRetention| Ok(Retention { role: role(&rule.role)?, keep: span(rule.keep_us) });
        let mut policy = Policy::DEFAULT;
        policy.max_attempts = self.max_attempts;
        policy.max_crashes = self.max_crashes;
        policy.interrupted = QueueEnd::from_name(&self.interrupted).ok_or_else(|| {
            Error::invalid(format!("unknown end of the queue {:?}: write \"front\" or \"back\"", self.interrupted))
        })?;
        policy.lease = span(self.lease_us);
        policy.backoff = match self.backoff {
            PortableBackoff::None => Backoff::None,
            PortableBackoff::Fixed { delay_us } => Backoff::Fixed(span(delay_us)),
            PortableBackoff::Linear { step_us, max_us } => Backoff::Linear { step: span(step_us), max: span(max_us) },
            PortableBackoff::Exponential { first_us, max_us } => {
                Backoff::Exponential { first: span(first_us), max: span(max_us) }
            }
        };
        policy.jitter = self.jitter;
        policy.timeout = self.timeout_us.map(span);
        policy.priority = self.priority;
        policy.history = self.history;
        policy.startable = self.startable.into();
        policy.retention = self.retention.into_iter().map(retention).collect::<Result<Vec<_>>>()?.into();
        policy.limit = self.limit.map(|limit| IndexLimit { index: Cow::Owned(limit.index), most: limit.most });
        policy.rate = self.rate.map(|rate| Rate { starts: rate.starts, period: span(rate.period_us) });
        Ok(policy)
    }
}

pub(super) fn role(name: &str) -> Result<Role> {
    Role::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        Error::invalid(format!("there is no role {name:?}; there are {}", known.join(", ")))
    })
}

impl PortableKind {
    pub(super) fn of(kind: &Kind) -> Self {
        let steps: Vec<_> = kind.graph.steps().map(str::to_owned).collect();
        let plain = steps.len() == 1 && steps.iter().all(String::is_empty);
        let step = |status: &StatusInfo| if plain { None } else { steps.get(usize::from(status.step)).cloned() };
        let statuses = kind.graph.statuses().iter().map(|status| PortableStatus {
            code: status.code,
            name: status.name.clone(),
            role: status.role.name().to_owned(),
            step: step(status),
        });
        Self {
            define: kind.name.clone(),
            statuses: statuses.collect(),
            indexes: kind.indexes.clone(),
            uniques: kind
                .uniques
                .iter()
                .map(|(name, passing)| PortableUnique { name: name.clone(), while_unfinished: *passing })
                .collect(),
            priority_field: kind.priority_field.clone(),
            policy: PortablePolicy::from(&kind.policy),
            paused: kind.paused,
            steps: if plain { Vec::new() } else { steps },
        }
    }

    /// Makes the kind known; false if the file has it already, and it is the same as far as tasks can tell.
    pub(super) fn put(self, writer: &mut Writer<'_>) -> Result<bool> {
        let paused = self.paused;
        let spec = self.spec()?;
        let Some(known) = writer.kinds().find(|kind| kind.name == spec.name) else {
            writer.define(spec, paused)?;
            return Ok(true);
        };
        if known.graph != spec.graph {
            return Err(Error::invalid(format!(
                "the file has a kind {:?} with other statuses: import into a file that has not, or under another name",
                spec.name
            )));
        }
        Ok(false)
    }

    /// The kind that it defines, checked like a type's own definition.
    fn spec(self) -> Result<KindSpec> {
        let steps = if self.steps.is_empty() { vec![String::new()] } else { self.steps };
        let position = |step: Option<&String>| match step {
            None => Ok(0),
            Some(name) => (0..).zip(&steps).find(|(_, step)| *step == name).map(|(at, _)| at).ok_or_else(|| {
                Error::invalid(format!("kind {:?}: no step is called {name:?}; there are {steps:?}", self.define))
            }),
        };
        let statuses = self.statuses.iter().map(|status| {
            Ok(StatusInfo {
                code: status.code,
                name: status.name.clone(),
                role: role(&status.role)?,
                step: position(status.step.as_ref())?,
            })
        });
        let statuses = statuses.collect::<Result<Vec<_>>>()?;
        let graph =
            Graph::new(steps, statuses).map_err(|error| Error::invalid(format!("kind {:?}: {error}", self.define)))?;
        KindSpec {
            name: self.define,
            graph,
            indexes: self.indexes,
            uniques: self.uniques.into_iter().map(|unique| (unique.name, unique.while_unfinished)).collect(),
            priority_field: self.priority_field,
            policy: self.policy.policy()?,
        }
        .checked()
    }
}
