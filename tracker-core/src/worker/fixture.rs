//! `Fixture` is a tracker in memory with tasks that are claimed as a worker claims them. Used by the unit tests of `worker`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use crate::{
    Tracker,
    engine::{Claim, Claimed, Claims, Register},
    model::{
        kind::KindSpec,
        needs::Budgets,
        new_task::NewTask,
        transition::{Header, Start},
    },
    time::ManualClock,
};

pub(super) struct Fixture {
    pub tracker: Tracker,
    pub clock: ManualClock,
    pub kind: u32,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let clock = ManualClock::new();
        Self::of(Tracker::options().clock(clock.clone()).in_memory().unwrap(), clock)
    }

    /// The fixture in a tracker that has this clock.
    pub(super) fn of(tracker: Tracker, clock: ManualClock) -> Self {
        let spec = KindSpec::sample();
        let kind = tracker.shared.engine.call(Register { spec, id_type: None, values: Box::new(|_| None) }).unwrap().id;
        Self { tracker, clock, kind }
    }

    pub(super) fn submit(&self, tasks: usize) {
        for _ in 0..tasks {
            self.tracker.shared.engine.call(NewTask::sample(self.kind, uuid::Uuid::new_v4())).unwrap();
        }
    }

    /// A claim of up to `most` tasks with a lease of one minute, of which none starts at once.
    pub(super) fn claim(&self, most: usize) -> Claim {
        let start = Start {
            step: 0,
            startable: Vec::new(),
            fence: 0,
            token: uuid::Uuid::nil(),
            worker: "one".to_owned(),
            instance: self.tracker.shared.engine.instance(),
            lease: Duration::from_secs(60),
            is_claim: true,
            steal_lease: false,
            force: false,
            reenter: None,
            begun: false,
            random: 0.5,
        };
        Claim {
            kind: self.kind,
            start,
            most,
            begin: 0,
            prefetch_bytes: usize::MAX,
            isolated: false,
            budgets: Budgets::default(),
            held: true,
        }
    }

    /// Submits this number of tasks, and claims them.
    pub(super) fn claimed(&self, tasks: usize) -> Claims {
        self.submit(tasks);
        self.tracker.shared.engine.call(self.claim(tasks)).unwrap()
    }

    pub(super) fn headers(&self, claimed: &[Claimed]) -> Vec<Header> {
        let engine = &self.tracker.shared.engine;
        self.tracker.flush().unwrap();
        claimed.iter().map(|claimed| engine.read(|rows| rows.header(claimed.task)).unwrap().unwrap()).collect()
    }

    /// Whether a worker of this process holds the lease.
    pub(super) fn holds(&self, claimed: &Claimed) -> bool {
        self.tracker.shared.engine.held().has(claimed.owner.fence)
    }
}
