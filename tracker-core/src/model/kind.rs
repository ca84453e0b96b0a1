//! `Kind` is the definition of a kind, made of a `KindSpec`, the checked form that the user's type gives. It also decides whether limits of the
//! kind have room. Used by `model/bounds`, `storage`, `engine`, `api`, `worker`, `portable` and `maintenance`; runs the type's `policy`, and touches
//! no row.

use std::time::Duration;

use uuid::Uuid;

use crate::model::{
    bounds::{NAME, RATE, check_kind},
    error::{Error, ErrorKind, Reason, Refusal, Result},
    status::{Graph, Role, TaskStatus},
    task::{IndexLimit, Need, NeededAmount, Policy, Retention, SharedLimit, TaskKey, TaskRef, TrackedTask},
    time::Micros,
    transition::{Header, Rules},
};

/// A kind as the file describes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    /// Its number in the file.
    pub id: u32,
    pub name: String,
    pub graph: Graph,
    pub indexes: Vec<String>,
    /// Name, and whether only unfinished tasks hold the key.
    pub uniques: Vec<(String, bool)>,
    /// The field that holds the priority.
    pub priority_field: Option<String>,
    pub policy: Policy,
    pub paused: bool,
    /// Whether tasks were imported without their type. Then their keys are rebuilt when the type opens the kind.
    pub stale: bool,
}

/// A kind as a type declares it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KindSpec {
    pub name: String,
    pub graph: Graph,
    pub indexes: Vec<String>,
    pub uniques: Vec<(String, bool)>,
    pub priority_field: Option<String>,
    pub policy: Policy,
}

impl KindSpec {
    /// The checked declaration of a type under a name.
    pub(crate) fn of<T: TrackedTask>(name: &str) -> Result<Self> {
        let graph = Graph::of(&T::Status::GRAPH)
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("{}: {error}", T::Status::GRAPH.name)))?;
        let spec = Self {
            name: name.to_owned(),
            graph,
            indexes: T::INDEXES.iter().map(ToString::to_string).collect(),
            uniques: T::UNIQUES.iter().map(|unique| (unique.name.to_owned(), unique.while_unfinished)).collect(),
            priority_field: T::PRIORITY_FIELD.map(str::to_owned),
            policy: T::policy(),
        };
        spec.checked()
    }

    /// The declaration, if every value is within its range.
    pub(crate) fn checked(self) -> Result<Self> {
        check_kind(&self)?;
        check_policy(&self.name, &self.policy, &self.indexes)?;
        Ok(self)
    }

    /// The kind in a file, under a number.
    pub(crate) fn kind(self, id: u32, paused: bool) -> Kind {
        let Self { name, graph, indexes, uniques, priority_field, policy } = self;
        Kind { id, name, graph, indexes, uniques, priority_field, policy, paused, stale: false }
    }
}

fn check_policy(name: &str, policy: &Policy, indexes: &[String]) -> Result<()> {
    let wrong = if policy.max_attempts == Some(0) {
        "max_attempts is 0: give at least 1, or none to retry for ever"
    } else if policy.max_crashes == 0 {
        "max_crashes is 0: give at least 1"
    } else if policy.lease.as_millis() == 0 {
        "the lease is shorter than a millisecond"
    } else if !(0.0..=1.0).contains(&policy.jitter) {
        "the jitter is not between 0 and 1"
    } else if policy.history == 0 {
        "the history keeps 0 attempts: give at least 1"
    } else if policy.timeout.is_some_and(|limit| limit.is_zero()) {
        "the timeout is zero"
    } else if let Some(wrong) = wrong_limits(policy, indexes) {
        wrong
    } else if policy.rate.is_some_and(|rate| !(1..=RATE).contains(&rate.starts) || rate.period.as_millis() == 0) {
        "the rate is not 1 to 10,000 starts in at least a millisecond"
    } else if policy.max_in_progress == Some(0) {
        "max_in_progress is 0, so that no task would start: give at least 1, or pause the kind"
    } else if !are_shared_limits_valid(&policy.shared_limits) {
        "a shared limit is 0, has a name that is empty or longer than 128 bytes, or is named twice: give each name once, and at least 1"
    } else if let Some(wrong) = wrong_needs(policy, indexes) {
        wrong
    } else if policy.max_waiting == Some(0) {
        "max_waiting is 0, so that every submit would be refused: give at least 1"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("kind {name:?}: {wrong}")))
}

/// The highest number of limits per value of an index.
const MOST_LIMITS: usize = 8;

fn wrong_limits(policy: &Policy, indexes: &[String]) -> Option<&'static str> {
    let limits = &policy.limits;
    let is_named_before =
        |(number, limit): (usize, &IndexLimit)| limits.iter().take(number).any(|other| other.index == limit.index);
    if limits.iter().any(|limit| limit.most == 0 || !indexes.iter().any(|index| *index == limit.index)) {
        Some("the limit is 0, or of a field that has no index: give at least 1, for a field with #[task(index)]")
    } else if limits.len() > MOST_LIMITS || (0..).zip(limits.iter()).any(is_named_before) {
        Some("it has more than 8 limits, or two of the same field: keep one for each field")
    } else {
        None
    }
}

/// The highest number of needs of a kind.
const NEEDS_MAX: usize = 8;

fn wrong_needs(policy: &Policy, indexes: &[String]) -> Option<&'static str> {
    let needs = &policy.needs;
    let is_valid = |(number, need): (usize, &Need)| {
        let is_named_before = needs.iter().take(number).any(|other| other.resource == need.resource);
        (1..=NAME).contains(&need.resource.len()) && !is_named_before
    };
    let lacks_index =
        |need: &Need| matches!(&need.amount, NeededAmount::Field(field) if !indexes.iter().any(|index| index == field));
    if needs.len() > NEEDS_MAX || !(0..).zip(needs.iter()).all(is_valid) {
        Some("it has more than 8 needs, or a resource whose name is empty, longer than 128 bytes, or given twice")
    } else if needs.iter().any(|need| need.amount == NeededAmount::Fixed(0)) {
        Some("it needs 0 of a resource: give at least 1, or remove the need")
    } else if needs.iter().any(lacks_index) {
        Some("a need names a field that has no index: mark the field with #[task(index)]")
    } else {
        None
    }
}

fn are_shared_limits_valid(limits: &[SharedLimit]) -> bool {
    (0..).zip(limits).all(|(number, limit)| {
        let is_named_before = limits.iter().take(number).any(|other| other.name == limit.name);
        limit.most > 0 && (1..=NAME).contains(&limit.name.len()) && !is_named_before
    })
}

impl Kind {
    pub(crate) fn rules(&self, now: Micros) -> Rules<'_> {
        Rules { graph: &self.graph, policy: &self.policy, now, instance: Uuid::nil() }
    }

    pub(crate) fn task(&self, seq: u64) -> TaskRef {
        TaskRef { kind: self.id, seq }
    }

    /// The refusal of a task of this kind.
    pub(crate) fn refuse(&self, id: TaskKey, reason: Reason) -> Error {
        Error::refused(Refusal { kind: self.name.clone(), id, reason })
    }

    /// The number of the index on a field.
    pub(crate) fn index_number(&self, field: &str) -> Result<u16> {
        let number = self.indexes.iter().position(|name| name == field);
        number.and_then(|number| u16::try_from(number).ok()).ok_or_else(|| {
            Error::invalid(format!("kind {:?} has no index {field:?}: mark the field with #[task(index)]", self.name))
        })
    }

    /// Whether a task has a terminal status.
    pub(crate) fn is_finished(&self, header: &Header) -> bool {
        self.graph.status(header.code).is_some_and(|status| self.graph.is_terminal(status))
    }

    /// The statuses whose tasks the retention deletes, and how long each is kept.
    pub(crate) fn retention(&self) -> Vec<(i32, Duration)> {
        let of = |rule: &Retention| {
            let (role, keep) = (rule.role, rule.keep);
            let statuses = self.graph.statuses().iter().filter(move |status| status.role == role);
            statuses.map(move |status| (status.code, keep))
        };
        self.policy.retention.iter().flat_map(of).collect()
    }

    /// Whether its waiting tasks are in queues of limit keys, beside the claim order.
    pub(crate) fn has_queues(&self) -> bool {
        !self.policy.limits.is_empty() || self.has_needs()
    }

    /// Whether a limit, a rate or needs can keep a due task from a claim.
    pub(crate) fn is_limited(&self) -> bool {
        self.policy.rate.is_some() || self.has_concurrency_limit()
    }

    /// Whether the end of an attempt can make another task startable.
    pub(crate) fn has_concurrency_limit(&self) -> bool {
        !self.policy.limits.is_empty()
            || self.policy.max_in_progress.is_some()
            || !self.policy.shared_limits.is_empty()
            || self.has_needs()
    }

    /// Number of tasks in progress, from the numbers of tasks by status code.
    pub(crate) fn in_progress(&self, counts: &[(i32, u64)]) -> u64 {
        let is_in_progress = |code| self.graph.status(code).is_some_and(|status| status.role == Role::InProgress);
        counts.iter().filter(|(code, _)| is_in_progress(*code)).map(|(_, count)| count).sum()
    }

    /// Refuses a further task if as many wait as may.
    pub(crate) fn check_room(&self, waiting: u64) -> Result<(), Reason> {
        match self.policy.max_waiting {
            Some(most) if waiting >= most => Err(Reason::Full { most }),
            _ => Ok(()),
        }
    }

    /// The first shared limit of the kind that is reached. `in_progress` counts the tasks in progress of a kind.
    pub(crate) fn reached_shared_limit(
        &self,
        kinds: &[&Self],
        mut in_progress: impl FnMut(&Self) -> Result<u64>,
    ) -> Result<Option<&SharedLimit>> {
        for limit in self.policy.shared_limits.iter() {
            let mut used = 0_u64;
            let shares = |kind: &&&Self| kind.policy.shared_limits.iter().any(|other| other.name == limit.name);
            for kind in kinds.iter().filter(shares) {
                used = used.saturating_add(in_progress(kind)?);
            }
            if used >= u64::from(limit.most) {
                return Ok(Some(limit));
            }
        }
        Ok(None)
    }

    /// Whether a further task may start while so many are in progress.
    pub(crate) fn has_free_start(&self, in_progress: u64) -> bool {
        self.policy.max_in_progress.is_none_or(|most| in_progress < u64::from(most))
    }

    /// Whether a task can wait for one of several limits: the kind has several limits per value of an index, or one and needs.
    pub(crate) fn has_limit_lists(&self) -> bool {
        self.policy.limits.len() > 1 || (!self.policy.limits.is_empty() && self.has_needs())
    }

    /// The limit per value of an index in a kind without limit lists: the field's number, and how many tasks at a time.
    pub(crate) fn limit(&self) -> Option<(usize, u32)> {
        let limit = self.policy.limits.first().filter(|_| !self.has_limit_lists())?;
        Some((self.indexes.iter().position(|index| *index == limit.index)?, limit.most))
    }

    /// Whether claims start tasks from this status, without an option of the call that allows it.
    pub(crate) fn is_claimable(&self, code: i32) -> bool {
        self.graph.status(code).is_some_and(|status| self.rules(0).is_claimable(status))
    }

    /// Whether some unique key is held only while a task is unfinished.
    pub(crate) fn has_passing_keys(&self) -> bool {
        self.uniques.iter().any(|(_, passing)| *passing)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::model::task::Rate;

    fn needs(needs: &[(&'static str, NeededAmount)]) -> Cow<'static, [Need]> {
        needs.iter().map(|(name, amount)| Need { resource: Cow::Borrowed(name), amount: amount.clone() }).collect()
    }

    /// A kind with an index on its host, whose policy differs from the usual one in this.
    fn checked(change: impl FnOnce(&mut Policy)) -> Result<KindSpec> {
        let mut spec = KindSpec { indexes: vec!["host".to_owned()], ..KindSpec::sample() };
        change(&mut spec.policy);
        spec.checked()
    }

    fn limits(limits: &[(&'static str, u32)]) -> Cow<'static, [IndexLimit]> {
        limits.iter().map(|(index, most)| IndexLimit { index: Cow::Borrowed(index), most: *most }).collect()
    }

    fn shared(limits: &[(&'static str, u32)]) -> Cow<'static, [SharedLimit]> {
        limits.iter().map(|(name, most)| SharedLimit { name: Cow::Borrowed(name), most: *most }).collect()
    }

    fn host() -> NeededAmount {
        NeededAmount::Field(Cow::Borrowed("host"))
    }

    /// The result of a change of a policy, and the text of its refusal.
    type Wrong = (fn(&mut Policy), &'static str);

    #[test]
    fn policy_out_of_range_is_refused_with_kind_and_range() {
        let wrong: [Wrong; 22] = [
            (|policy| policy.max_attempts = Some(0), "max_attempts is 0"),
            (|policy| policy.max_crashes = 0, "max_crashes is 0"),
            (|policy| policy.lease = Duration::from_micros(999), "the lease is shorter"),
            (|policy| policy.jitter = -0.01, "the jitter is not"),
            (|policy| policy.jitter = 1.01, "the jitter is not"),
            (|policy| policy.history = 0, "the history keeps 0"),
            (|policy| policy.timeout = Some(Duration::ZERO), "the timeout is zero"),
            (|policy| policy.limits = limits(&[("host", 0)]), "the limit is 0"),
            (|policy| policy.limits = limits(&[("host", 1), ("port", 1)]), "a field that has no index"),
            (|policy| policy.limits = limits(&[("host", 1), ("host", 2)]), "two of the same field"),
            (
                |policy| policy.rate = Some(Rate { starts: 0, period: Duration::from_secs(1) }),
                "the rate is not 1 to 10,000",
            ),
            (
                |policy| policy.rate = Some(Rate { starts: 10_001, period: Duration::from_secs(1) }),
                "the rate is not 1 to 10,000",
            ),
            (
                |policy| policy.rate = Some(Rate { starts: 1, period: Duration::from_micros(999) }),
                "at least a millisecond",
            ),
            (|policy| policy.max_in_progress = Some(0), "max_in_progress is 0"),
            (|policy| policy.max_waiting = Some(0), "max_waiting is 0"),
            (|policy| policy.shared_limits = shared(&[("net", 0)]), "a shared limit is 0"),
            (|policy| policy.shared_limits = shared(&[("", 1)]), "a name that is empty"),
            (|policy| policy.shared_limits = shared(&[("net", 1), ("disk", 1), ("net", 2)]), "named twice"),
            (|policy| policy.needs = needs(&[("", NeededAmount::Fixed(1))]), "whose name is empty"),
            (|policy| policy.needs = needs(&[("gpu", NeededAmount::Fixed(1)), ("gpu", host())]), "given twice"),
            (|policy| policy.needs = needs(&[("gpu", NeededAmount::Fixed(0))]), "it needs 0"),
            (|policy| policy.needs = needs(&[("mem", NeededAmount::Field(Cow::Borrowed("port")))]), "no index"),
        ];
        for (change, words) in wrong {
            let refused = checked(change).map(|_| ()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
            assert!(refused.to_string().contains("\"job\"") && refused.to_string().contains(words), "{refused}");
        }
    }

    #[test]
    fn a_policy_at_the_edges_of_its_ranges_is_taken() {
        let at_the_edges: [fn(&mut Policy); 8] = [
            |policy| policy.needs = needs(&[("gpu", NeededAmount::Fixed(u64::MAX)), ("mem", host())]),
            |policy| (policy.max_attempts, policy.max_crashes, policy.history) = (Some(1), 1, 1),
            |policy| policy.max_attempts = None,
            |policy| (policy.lease, policy.jitter) = (Duration::from_millis(1), 1.0),
            |policy| policy.timeout = Some(Duration::from_micros(1)),
            |policy| (policy.needs, policy.limits) = (needs(&[("mem", host())]), limits(&[("host", 1)])),
            |policy| policy.rate = Some(Rate { starts: 10_000, period: Duration::from_millis(1) }),
            |policy| (policy.max_in_progress, policy.max_waiting) = (Some(1), Some(1)),
        ];
        for change in at_the_edges {
            checked(change).map(drop).unwrap();
        }
    }
}
