//! The refusal that each command must get, in the documented order of reasons. Called by `invariants`; pure.

use super::{
    commands::{HOLDER_FENCE, NOW, token},
    invariants::Case,
};
use crate::model::{
    status::Role,
    transition::{Command, Outcome, Requeue, Start},
};

impl Case<'_> {
    /// The name of the reason that must refuse this command: the first in the documented order.
    pub(super) fn refusal(&self) -> Option<&'static str> {
        let (found, graph) = (self.found, self.rules.graph);
        let held = found.lease.is_some().then_some("Leased");
        let has = |role| graph.code(self.home(found), role).is_some();
        let missing = |lacks: bool| lacks.then_some("MissingRole");
        let unknown = |code: i32| graph.status(code).map_or(Some("MissingRole"), |_| None);
        let role = |code: i32| graph.status(code).map(|status| status.role);
        if let Some(owner) = self.owner() {
            let owns = found.lease.is_some() && (owner.fence, owner.token) == (HOLDER_FENCE, token(HOLDER_FENCE));
            let ends_cancelled = found.cancel;
            return match self.outcome() {
                _ if !owns => Some("LeaseLost"),
                _ if ends_cancelled => None,
                Some(Outcome::Ignore) => missing(!has(Role::Ignored)),
                Some(Outcome::Park { code }) if role(code) != Some(Role::Parked) => {
                    unknown(code).or(Some("NotEnterable"))
                }
                _ => None,
            };
        }
        match self.command {
            Command::Start(start) => self.refusal_of_start(start),
            Command::Rescue { fence, .. } if held.is_none() || *fence != HOLDER_FENCE => Some("LeaseLost"),
            Command::Cancel if held.is_some() => missing(!has(Role::Cancelled) && !has(Role::Ignored)),
            Command::Cancel => self.ended().or(missing(!has(Role::Cancelled) && !has(Role::Ignored))),
            Command::Ignore { .. } => held.or(self.ended()).or(missing(!has(Role::Ignored))),
            Command::Move { code } => {
                let to = role(*code).is_some_and(|role| match role {
                    Role::Pending | Role::Failed | Role::Parked => true,
                    Role::Succeeded => (0..).take(graph.steps().len()).any(|step| graph.startable(step).contains(code)),
                    _ => false,
                });
                let bad = if to { None } else { unknown(*code).or(Some("NotEnterable")) };
                held.or(self.ended()).or(bad)
            }
            Command::SetPriority(_) | Command::SetPaused(_) => self.ended(),
            Command::SetDue(_) => held.or(self.ended()),
            Command::SetPlace { .. } => {
                let waits = (found.waits > 0).then_some("Waiting");
                let paused = found.paused.then_some("Paused");
                let starts = (0..).take(graph.steps().len()).any(|step| graph.startable(step).contains(&found.code))
                    || self.rules.policy.startable.contains(&found.code);
                let closed = (found.unreadable || !starts).then_some("NotStartable");
                held.or(self.ended()).or(waits).or(paused).or(closed)
            }
            Command::Update { revision, .. } if *revision != found.revision => held.or(Some("Stale")),
            Command::Requeue(Requeue { failed_only: true, .. }) => held.or(self.not_failed()),
            Command::Requeue(_) | Command::Update { .. } | Command::Delete => held,
            _ => None,
        }
    }

    fn refusal_of_start(&self, start: &Start) -> Option<&'static str> {
        let (found, status) = (self.found, self.status(self.found));
        let elsewhere = (status.step != start.step).then_some("WrongStep");
        if let Some(lease) = &found.lease {
            let passes = start.steal_lease || start.reenter == Some(lease.token);
            return if passes { elsewhere } else { Some("Leased") };
        }
        let own = self.rules.graph.startable(start.step).contains(&found.code);
        let named = own || start.startable.contains(&found.code);
        if named && !self.given_up(found) {
            if found.waits > 0 && !self.terminal(found) {
                return (!start.force).then_some("Waiting");
            }
            let waits = found.due > NOW || found.unreadable || found.paused;
            return (start.is_claim && waits).then_some("NotStartable");
        }
        let elsewhere = if named { None } else { elsewhere };
        elsewhere.or_else(|| match status.role {
            Role::Pending | Role::Parked | Role::InProgress => Some("NotStartable"),
            Role::Failed if !self.given_up(found) => Some("NotStartable"),
            _ if start.force => None,
            _ => self.closed(),
        })
    }

    /// The refusal of a task that has ended.
    fn ended(&self) -> Option<&'static str> {
        if self.terminal(self.found) { self.closed() } else { None }
    }

    fn not_failed(&self) -> Option<&'static str> {
        match self.status(self.found).role {
            Role::Failed | Role::Exhausted => None,
            Role::Pending | Role::InProgress | Role::Parked => Some("NotStartable"),
            Role::Succeeded | Role::Ignored | Role::Cancelled => self.closed(),
        }
    }

    fn closed(&self) -> Option<&'static str> {
        match self.status(self.found).role {
            Role::Succeeded => Some("AlreadySucceeded"),
            Role::Exhausted | Role::Failed => Some("Exhausted"),
            Role::Ignored => Some("Ignored"),
            Role::Cancelled => Some("Cancelled"),
            _ => None,
        }
    }
}
