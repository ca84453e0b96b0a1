//! Status graphs for tests: one of every allowed shape, with policies that end soon. Used by `enumerate` and by the tests in `rules/`.

use std::time::Duration;

use uuid::Uuid;

use crate::model::{
    status::{
        Graph,
        Role::{self, Cancelled, Exhausted, Failed, Ignored, InProgress, Parked, Pending, Succeeded},
        StatusInfo,
    },
    task::{Backoff, Policy, QueueEnd},
};

/// A status graph with a policy.
pub(super) struct Machine {
    pub name: &'static str,
    pub graph: Graph,
    pub policy: Policy,
    /// The open tracker that decides. Leases are of the tracker nil, so that the process of each has ended if this is another one.
    pub instance: Uuid,
}

/// The code of a role in a step; a step's second parked status has the code after the first's.
pub(super) fn code(step: u16, role: Role) -> i32 {
    i32::from(step) * 100 + 10 * (role as i32 + 1)
}

/// A graph with these roles in these steps, coded as [`code`] says.
pub(super) fn graph(steps: &[&[Role]]) -> Graph {
    let mut statuses: Vec<StatusInfo> = Vec::new();
    for (step, roles) in (0..).zip(steps) {
        for role in *roles {
            let twins = statuses.iter().filter(|status| status.role == *role && status.step == step).count();
            let code = code(step, *role) + i32::try_from(twins).unwrap_or(0);
            statuses.push(StatusInfo { code, name: format!("{role}{code}"), role: *role, step });
        }
    }
    let names = (0..steps.len()).map(|step| if steps.len() == 1 { String::new() } else { format!("step {step}") });
    Graph::new(names.collect(), statuses).unwrap_or_else(|error| panic!("{error}"))
}

/// Every role, and two parked statuses.
pub(super) fn full() -> Graph {
    graph(&[&[Pending, InProgress, Failed, Succeeded, Exhausted, Ignored, Cancelled, Parked, Parked]])
}

pub(super) fn only_failed() -> Graph {
    graph(&[&[Pending, InProgress, Failed, Succeeded]])
}

/// One with `ignored` and no `exhausted`.
pub(super) fn no_exhausted() -> Graph {
    graph(&[&[Pending, InProgress, Failed, Succeeded, Ignored, Parked]])
}

pub(super) fn no_failed() -> Graph {
    graph(&[&[Pending, InProgress, Succeeded, Exhausted, Ignored, Cancelled]])
}

/// Three steps; the second starts from the first's succeeded, the third from a pending of its own.
pub(super) fn pipeline() -> Graph {
    graph(&[
        &[Pending, InProgress, Failed, Succeeded, Exhausted, Cancelled, Parked],
        &[InProgress, Failed, Succeeded, Ignored, Cancelled],
        &[Pending, InProgress, Succeeded, Exhausted, Cancelled, Parked],
    ])
}

/// Two steps; the second has neither pending nor failed: what fails in it goes back to the first's succeeded.
pub(super) fn bare_second_step() -> Graph {
    graph(&[&[Pending, InProgress, Failed, Succeeded, Parked], &[InProgress, Succeeded, Exhausted, Ignored]])
}

fn policy(max_attempts: Option<u32>, max_crashes: u32, startable: Vec<i32>, backoff: Backoff) -> Policy {
    let lease = Duration::from_secs(60);
    Policy { max_attempts, max_crashes, lease, startable: startable.into(), backoff, ..Policy::DEFAULT }
}

pub(super) fn machines() -> Vec<Machine> {
    let parked = code(0, Parked);
    let (none, slow) = (Backoff::None, Backoff::Fixed(Duration::from_secs(7)));
    let machine = |name, graph, policy| Machine { name, graph, policy, instance: Uuid::nil() };
    let later = |name, graph, policy| Machine { instance: Uuid::from_u128(9), ..machine(name, graph, policy) };
    let front = |policy: Policy| Policy { interrupted: QueueEnd::Front, ..policy };
    vec![
        machine("every role, one attempt", full(), policy(Some(1), 1, vec![], none)),
        machine("every role, two attempts", full(), policy(Some(2), 2, vec![parked], slow)),
        machine("every role, no limit", full(), policy(None, 2, vec![code(0, Cancelled)], none)),
        machine("only failed, one attempt", only_failed(), policy(Some(1), 2, vec![], slow)),
        machine("only failed, two attempts", only_failed(), policy(Some(2), 1, vec![], none)),
        machine("no exhausted", no_exhausted(), policy(Some(2), 2, vec![parked + 1, parked], none)),
        machine("no failed, one attempt", no_failed(), policy(Some(1), 2, vec![], none)),
        machine("no failed, two attempts", no_failed(), policy(Some(2), 2, vec![], slow)),
        machine("three steps", pipeline(), policy(Some(2), 2, vec![parked], none)),
        machine("three steps, one attempt", pipeline(), policy(Some(1), 1, vec![], slow)),
        machine("bare second step", bare_second_step(), policy(Some(2), 2, vec![], none)),
        machine("front, in one process", full(), front(policy(Some(1), 2, vec![], slow))),
        later("back, after the process", full(), policy(Some(1), 3, vec![parked], slow)),
        later("front, after the process", full(), front(policy(Some(1), 3, vec![parked], slow))),
        later("front, after the process, no failed", no_failed(), front(policy(Some(1), 2, vec![], slow))),
        later("front, after the process, steps", bare_second_step(), front(policy(Some(1), 2, vec![], slow))),
    ]
}
