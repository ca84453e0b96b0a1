//! Every command that can be put to a task, in each form that could make a difference. Used by `enumerate`; plain values.

use std::time::Duration;

use uuid::Uuid;

use super::machines::Machine;
use crate::model::{
    status::Role,
    time::Micros,
    transition::{
        Annotations, Command, DependencyEffect, DependentOutcome, Failure, Finish, Header, Outcome, Owner, Requeue,
        ResolveDependency, Start, Submit,
    },
};

/// The moment at which every command is put; time passes by moving the header's times towards the past.
pub(super) const NOW: Micros = 1_000_000_000;
/// The fence and the token of the task's owner.
pub(super) const HOLDER_FENCE: u64 = 100;
/// The fence, and the token, that a command brings with it.
pub(super) const NEXT: u64 = 101;
/// The revision at which every command finds a payload.
pub(super) const REVISION: u32 = 5;
pub(super) const SNOOZE: Duration = Duration::from_secs(5);
pub(super) const RETRY: Duration = Duration::from_secs(3);

pub(super) fn token(of: u64) -> Uuid {
    Uuid::from_u128(u128::from(of))
}

/// Every command that makes sense to try on each task of this machine.
pub(super) fn commands(machine: &Machine) -> Vec<Command> {
    let mut all = submits();
    all.extend(starts(machine));
    all.extend(of_owners());
    all.extend(finishes(machine));
    all.extend(by_hand(machine));
    all
}

/// The commands beside these that make sense to try on this task.
pub(super) fn commands_on(header: Option<&Header>) -> Vec<Command> {
    let mut all = of_others(header);
    let fence = header.and_then(|header| header.lease.as_ref()).map_or(HOLDER_FENCE, |lease| lease.fence);
    all.push(Command::Rescue { fence, random: 0.5 });
    all.push(Command::Rescue { fence: HOLDER_FENCE - 1, random: 0.5 });
    all
}

/// How long debounced submits can move a due time.
const MAX_WAIT: Micros = 12_000_000;

fn submits() -> Vec<Command> {
    let submit = |due, fingerprint, max_wait| {
        let scheduled_at = None;
        Command::Submit(Submit {
            due,
            priority: 0,
            sets_priority: false,
            fingerprint,
            batch: None,
            scheduled_at,
            trace: None,
            max_wait,
        })
    };
    let (due, max_wait) = (Some(NOW + 11_000_000), Some(MAX_WAIT));
    vec![
        submit(None, Some(1), None),
        submit(None, None, None),
        submit(None, Some(2), None),
        submit(due, Some(2), None),
        submit(due, Some(1), max_wait),
        submit(due, None, max_wait),
        submit(due, Some(2), max_wait),
    ]
}

/// A start by id with no option.
pub(super) fn start(machine: &Machine, step: u16) -> Start {
    Start {
        step,
        startable: machine.policy.startable.to_vec(),
        fence: NEXT,
        token: token(NEXT),
        worker: "next".to_owned(),
        instance: Uuid::nil(),
        lease: machine.policy.lease,
        is_claim: false,
        steal_lease: false,
        force: false,
        reenter: None,
        begun: true,
        random: 0.5,
    }
}

fn starts(machine: &Machine) -> Vec<Command> {
    let mut all = Vec::new();
    for step in (0..).take(machine.graph.steps().len()) {
        let plain = || start(machine, step);
        let odd = |role: Role| matches!(role, Role::Parked | Role::Ignored | Role::Failed | Role::Succeeded);
        let startable = machine.graph.statuses().iter().filter(|status| odd(status.role)).map(|status| status.code);
        all.extend([
            Start { is_claim: true, ..plain() },
            Start { is_claim: true, begun: false, ..plain() },
            plain(),
            Start { steal_lease: true, ..plain() },
            Start { force: true, ..plain() },
            Start { force: true, steal_lease: true, ..plain() },
            Start { reenter: Some(token(HOLDER_FENCE)), ..plain() },
            Start { reenter: Some(token(HOLDER_FENCE - 1)), ..plain() },
            Start { startable: startable.collect(), ..plain() },
        ]);
    }
    all.into_iter().map(Command::Start).collect()
}

/// The owner of the task, and three other owners.
pub(super) fn owners() -> [Owner; 4] {
    [
        (HOLDER_FENCE, HOLDER_FENCE),
        (HOLDER_FENCE - 1, HOLDER_FENCE - 1),
        (HOLDER_FENCE, HOLDER_FENCE - 1),
        (HOLDER_FENCE - 1, HOLDER_FENCE),
    ]
    .map(|(fence, bearer)| Owner { fence, token: token(bearer) })
}

fn of_owners() -> Vec<Command> {
    let longer = Some(Duration::from_secs(90));
    let mut all = Vec::new();
    for owner in owners() {
        all.extend([
            Command::Renew { owner, lease: None, begin: false },
            Command::Renew { owner, lease: None, begin: true },
            Command::Renew { owner, lease: longer, begin: false },
            Command::Checkpoint { owner, priority: None },
            Command::Detach { owner },
            Command::Resume { owner, instance: Uuid::nil(), lease: None },
            Command::Unreadable { owner },
        ]);
    }
    all
}

fn finishes(machine: &Machine) -> Vec<Command> {
    let mut outcomes = vec![
        Outcome::Succeed,
        Outcome::Fail { retry_in: None },
        Outcome::Fail { retry_in: Some(RETRY) },
        Outcome::GiveUp,
        Outcome::Ignore,
        Outcome::Snooze { delay: SNOOZE },
        Outcome::Release,
    ];
    let odd = |role: Role| matches!(role, Role::Parked | Role::Pending);
    let codes = machine.graph.statuses().iter().filter(|status| odd(status.role)).map(|status| status.code);
    outcomes.extend(codes.chain([-1]).map(|code| Outcome::Park { code }));
    let mut all = Vec::new();
    for owner in owners() {
        for outcome in &outcomes {
            let failed = matches!(outcome, Outcome::Fail { .. } | Outcome::GiveUp);
            all.push(Command::Finish(Finish {
                owner,
                outcome: *outcome,
                with_changes: *outcome == Outcome::Succeed,
                priority: None,
                failure: failed.then(|| Failure::new("it broke")),
                annotations: Annotations::default(),
                run: None,
                random: 0.5,
            }));
        }
    }
    all
}

/// Commands that follow from other tasks. Only a task that was just submitted, without a lease, gets dependencies.
fn of_others(header: Option<&Header>) -> Vec<Command> {
    let Some(header) = header else { return Vec::new() };
    let resolve = |resolved, outcome| {
        let reason = "the other one is exhausted".to_owned();
        Command::ResolveDependency(ResolveDependency {
            effect: DependencyEffect { resolved, outcome },
            fence: NEXT,
            reason,
        })
    };
    let mut all =
        vec![Command::SetHasDependents(true), Command::SetHasDependents(false), Command::SetBatch { batch: Some(7) }];
    if header.lease.is_none() {
        all.extend([1, 2].map(|dependencies| Command::SetDependencyCount { dependencies }));
    }
    if header.waits > 0 {
        all.extend([
            resolve(true, None),
            resolve(false, Some(DependentOutcome::Ignore)),
            resolve(true, Some(DependentOutcome::Cancel)),
        ]);
    }
    all
}

fn by_hand(machine: &Machine) -> Vec<Command> {
    let requeue = |from_start, due| Command::Requeue(Requeue { from_start, due, ..Requeue::default() });
    let mut all = vec![
        Command::Readable,
        Command::Cancel,
        Command::Ignore { fence: NEXT, reason: String::new() },
        Command::Ignore { fence: NEXT, reason: "not wanted".to_owned() },
        requeue(false, None),
        requeue(true, None),
        requeue(false, Some(NOW + 13_000_000)),
        Command::Requeue(Requeue { failed_only: true, ..Requeue::default() }),
        Command::Update { revision: REVISION, priority: None },
        Command::Update { revision: REVISION, priority: Some(9) },
        Command::Update { revision: REVISION - 1, priority: None },
        Command::Update { revision: REVISION + 1, priority: None },
        Command::Delete,
        Command::Move { code: -1 },
        Command::SetPriority(9),
        Command::SetDue(NOW - 1),
        Command::SetDue(NOW + 13_000_000),
        Command::SetDue(Micros::MAX),
        Command::SetPlace { due: NOW - 1, place: None },
        Command::SetPlace { due: NOW, place: Some(2) },
        Command::SetPaused(true),
        Command::SetPaused(false),
    ];
    all.extend(machine.graph.statuses().iter().map(|status| Command::Move { code: status.code }));
    all
}
