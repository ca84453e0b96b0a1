//! `TaskFixture`: one task in memory, a clock that a test advances, and a method for each command. Used by the tests in `rules/`.

use std::time::Duration;

use uuid::Uuid;

use super::machines::code;
use crate::model::{
    error::Reason,
    status::{Graph, Role},
    task::Policy,
    time::{Micros, micros_of},
    transition::{
        Annotations, AttemptStatus, Command, Decision, Explanation, Failure, Finish, Header, Outcome, Owner, Requeue,
        Rules, Start, StartContext, StoredAttempt, Submit,
    },
};

pub(super) const FAIL: Outcome = Outcome::Fail { retry_in: None };
pub(super) const LEASE: Duration = Duration::from_secs(60);

pub(super) struct TaskFixture {
    graph: Graph,
    policy: Policy,
    pub now: Micros,
    pub header: Option<Header>,
    fence: u64,
    /// The open tracker that decides. Leases belong to the tracker with the nil UUID.
    pub instance: Uuid,
    pub history: Vec<StoredAttempt>,
}

impl TaskFixture {
    /// A task just submitted, with three attempts, ten crashes and a lease of a minute.
    pub fn of(graph: Graph) -> Self {
        Self::with(graph, |_| ())
    }

    /// Submits a task under a changed policy.
    pub fn with(graph: Graph, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy { lease: LEASE, ..Policy::DEFAULT };
        change(&mut policy);
        let mut fixture = Self {
            graph,
            policy,
            now: 1_000_000_000,
            header: None,
            fence: 0,
            instance: Uuid::nil(),
            history: Vec::new(),
        };
        fixture.submit(1);
        fixture
    }

    /// Applies a command: decides, and keeps the new header and the history.
    pub fn try_apply(&mut self, command: &Command) -> Result<Decision, Reason> {
        let decision = self.rules().decide(self.header.as_ref(), command)?;
        self.history.extend(decision.history.clone());
        self.header.clone_from(&decision.header);
        Ok(decision)
    }

    /// Applies a command that must not be refused.
    pub fn apply(&mut self, command: &Command) -> Decision {
        self.try_apply(command).unwrap_or_else(|reason| panic!("{command:?} was refused: {reason}"))
    }

    /// Submits the task with this fingerprint.
    pub fn submit(&mut self, fingerprint: u64) -> Decision {
        self.apply(&Command::Submit(Submit {
            due: None,
            priority: 0,
            sets_priority: false,
            fingerprint: Some(fingerprint),
            batch: None,
            scheduled_at: None,
            max_wait: None,
            trace: None,
        }))
    }

    /// Starts the task by id in the first step, with the options that `choose` sets.
    pub fn start(&mut self, choose: impl FnOnce(&mut Start)) -> Result<Owner, Reason> {
        self.fence += 1;
        let owner = Owner { fence: self.fence, token: Uuid::from_u128(self.fence.into()) };
        let mut start = Start {
            step: 0,
            startable: self.policy.startable.to_vec(),
            fence: owner.fence,
            token: owner.token,
            worker: format!("worker {}", self.fence),
            instance: Uuid::nil(),
            lease: self.policy.lease,
            is_claim: false,
            steal_lease: false,
            force: false,
            reenter: None,
            begun: true,
            random: 0.5,
        };
        choose(&mut start);
        self.try_apply(&Command::Start(start)).map(|_| owner)
    }

    /// Claims the task for a step.
    pub fn claim_in(&mut self, step: u16) -> Result<Owner, Reason> {
        self.start(|start| (start.step, start.is_claim) = (step, true))
    }

    /// Claims the task for the first step.
    pub fn claim(&mut self) -> Owner {
        self.claim_in(0).unwrap_or_else(|reason| panic!("the claim was refused: {reason}"))
    }

    pub fn finish(&mut self, owner: Owner, outcome: Outcome) -> Result<Decision, Reason> {
        let failed = matches!(outcome, Outcome::Fail { .. } | Outcome::GiveUp);
        let failure = failed.then(|| Failure::new("it broke"));
        let annotations = Annotations::default();
        self.try_apply(&Command::Finish(Finish {
            owner,
            outcome,
            with_changes: false,
            priority: None,
            failure,
            annotations,
            run: None,
            random: 0.5,
        }))
    }

    /// Ends an attempt. The outcome must not be refused.
    pub fn end(&mut self, owner: Owner, outcome: Outcome) -> Decision {
        self.finish(owner, outcome).unwrap_or_else(|reason| panic!("{outcome:?} was refused: {reason}"))
    }

    /// Claims the task and ends the attempt with this outcome.
    pub fn run(&mut self, outcome: Outcome) {
        let owner = self.claim();
        self.end(owner, outcome);
    }

    /// Claims the task and ends its expired lease by a rescue.
    pub fn crash(&mut self) {
        let owner = self.claim();
        self.pass(LEASE);
        self.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
    }

    /// Claims the task and rescues it as another open tracker does: the process of the attempt has ended.
    pub fn interrupt(&mut self) {
        let owner = self.claim();
        self.instance = Uuid::from_u128(1);
        self.apply(&Command::Rescue { fence: owner.fence, random: 0.5 });
        self.instance = Uuid::nil();
    }

    pub fn requeue(&mut self, from_start: bool) {
        self.apply(&Command::Requeue(Requeue { from_start, ..Requeue::default() }));
    }

    /// Cancels the task as an operator does.
    pub fn cancel(&mut self) {
        self.apply(&Command::Cancel);
    }

    pub fn pass(&mut self, by: Duration) {
        self.now = self.now.saturating_add(micros_of(by));
    }

    pub fn task(&self) -> &Header {
        self.header.as_ref().unwrap_or_else(|| panic!("the task is deleted"))
    }

    /// The role of the task's status, which must be in the first step.
    pub fn role(&self) -> Role {
        self.role_in(0)
    }

    /// The role of the task's status, which must be in this step.
    pub fn role_in(&self, step: u16) -> Role {
        let status = self.graph.status(self.task().code).unwrap_or_else(|| panic!("an unknown code"));
        assert_eq!(status.step, step, "its status is {}", status.name);
        status.role
    }

    /// Failures and crashes.
    pub fn counters(&self) -> (u32, u32) {
        (self.task().failures, self.task().crashes)
    }

    /// The statuses of all ended attempts, the latest last.
    pub fn attempt_statuses(&self) -> Vec<AttemptStatus> {
        self.history.iter().chain(&self.task().last).map(|ended| ended.status).collect()
    }

    pub fn rules(&self) -> Rules<'_> {
        Rules { graph: &self.graph, policy: &self.policy, now: self.now, instance: self.instance }
    }

    pub fn explain(&self) -> Explanation {
        self.rules().explain(self.task(), &StartContext::default())
    }

    /// Moves the task as an operator does, into this role of the first step.
    pub fn move_to(&mut self, role: Role) -> Result<Decision, Reason> {
        self.try_apply(&Command::Move { code: code(0, role) })
    }
}
