//! `Player`: an open tracker that plays requests. `LocalPlayer` is one in this process. Used by `Pair`, and by the processes of the model test.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tracker_core::{Error, Options, Tracker, error::Reason, execution::Ticket, time::ManualClock};

use super::{
    call::Call,
    kinds::{FixedLoad, Job, Load, Plain},
    reference::Answer,
    tracker_calls::{AnyExecution, Kind, number},
};

/// Opens a tracker on the tasks of a pair.
pub type OpenTracker = Rc<dyn Fn(Options) -> Result<Tracker, Error>>;

/// A request that a tracker plays. `number` identifies an execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Both clocks go on.
    Advance { seconds: u8 },
    /// The wall clock is set.
    Jump { microseconds: i64 },
    /// A call of the tracker or of a kind.
    Call { call: Call, kind: u8 },
    /// A claim or start.
    Take { call: Call, kind: u8, number: u64 },
    /// Takes up a ticket.
    Resume { ticket: Ticket, kind: u8, number: u64 },
    /// A call of an execution.
    Held { call: Call, number: u64 },
    /// Commits what is deferred. The tracker sees the time.
    Flush,
    /// Reads all tasks.
    Look,
    /// Verifies all rows.
    Verify,
}

/// The result of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// An [`Answer`] in words.
    Answer(String),
    /// The execution of a task with this id.
    Claimed {
        id: u8,
        fence: u64,
    },
    Detached(Ticket),
    /// All tasks of each kind.
    Tasks(Vec<BTreeMap<u8, String>>),
    /// An error that the model does not know.
    Failed(String),
}

impl Reply {
    pub fn of(answer: &Answer) -> Self {
        Self::Answer(format!("{answer:?}"))
    }
}

/// An open tracker, in any process.
pub trait Player {
    fn play(&mut self, request: &Request) -> Reply;

    /// The program dies and starts again, with a wall clock that is `microseconds` after the start of the tests' clock.
    fn restart(&mut self, microseconds: i64);
}

/// A tracker in this process.
pub struct LocalPlayer {
    open: OpenTracker,
    clock: ManualClock,
    tracker: Tracker,
    kinds: Vec<Box<dyn Kind>>,
    held: BTreeMap<u64, Box<dyn AnyExecution>>,
}

impl LocalPlayer {
    /// Opens a tracker, with a wall clock that is `microseconds` after the start of the tests' clock.
    pub fn new(open: OpenTracker, microseconds: i64) -> Self {
        let clock = ManualClock::new();
        clock.jump(TimeDelta::microseconds(microseconds));
        let tracker =
            open(Tracker::options().prune_every(None).clock(clock.clone())).expect("the tracker opens and closes");
        let kinds: Vec<Box<dyn Kind>> = vec![
            Box::new(tracker.tasks::<Job>().expect("the type fits")),
            Box::new(tracker.tasks::<Plain>().expect("the type fits")),
            Box::new(tracker.tasks::<Load>().expect("the type fits")),
            Box::new(tracker.tasks::<FixedLoad>().expect("the type fits")),
        ];
        Self { open, clock, tracker, kinds, held: BTreeMap::new() }
    }

    fn kind(&self, kind: u8) -> &dyn Kind {
        &*self.kinds[usize::from(kind)]
    }

    fn held(&mut self, number: u64) -> &mut dyn AnyExecution {
        &mut **self.held.get_mut(&number).expect("it is held")
    }

    /// Holds an execution.
    fn hold(&mut self, id: u8, number: u64, held: Box<dyn AnyExecution>) -> Reply {
        let fence = held.fence();
        self.held.insert(number, held);
        Reply::Claimed { id, fence }
    }

    fn really(&mut self, request: &Request) -> Result<Reply, Error> {
        match *request {
            Request::Advance { seconds } => self.clock.advance(Duration::from_secs(seconds.into())),
            Request::Jump { microseconds } => self.clock.jump(TimeDelta::microseconds(microseconds)),
            Request::Call { call: Call::SetBudget { amount: Some(amount) }, .. } => {
                self.tracker.set_budget("mem", amount.into())?;
            }
            Request::Call { call: Call::SetBudget { amount: None }, .. } => self.tracker.remove_budget("mem")?,
            Request::Call { call: Call::Rescue, .. } => {
                return Ok(Reply::of(&Answer::Count(self.tracker.rescue()?.len() as u64)));
            }
            Request::Call { call, kind } => return Ok(Reply::of(&self.kind(kind).call(call)?)),
            Request::Take { call, kind, number } => {
                let Some((id, held)) = self.kind(kind).take(call)? else { return Ok(Reply::of(&Answer::NoTask)) };
                return Ok(self.hold(id, number, held));
            }
            Request::Resume { ref ticket, kind, number: held_as } => {
                let held = self.kind(kind).resume(ticket)?;
                return Ok(self.hold(number(ticket.id()), held_as, held));
            }
            Request::Held { call, number } => return self.really_held(call, number),
            Request::Flush => self.tracker.flush()?,
            Request::Look => {
                return Ok(Reply::Tasks(self.kinds.iter().map(|kind| kind.look()).collect::<Result<_, _>>()?));
            }
            Request::Verify => {
                let differences = self.tracker.verify()?;
                if !differences.is_empty() {
                    return Ok(Reply::Failed(format!("{differences:?}")));
                }
            }
        }
        Ok(Reply::of(&Answer::Done))
    }

    fn really_held(&mut self, call: Call, number: u64) -> Result<Reply, Error> {
        let end = |player: &mut Self| player.held.remove(&number).expect("it is held");
        match call {
            Call::End { end: how, .. } => end(self).end(how)?,
            Call::Renew { .. } => self.held(number).renew()?,
            Call::Checkpoint { value, .. } => self.held(number).checkpoint(value)?,
            Call::Detach { .. } => return end(self).detach().map(Reply::Detached),
            other => panic!("expected a call of an execution, not {other:?}"),
        }
        Ok(Reply::of(&Answer::Done))
    }
}

impl Player for LocalPlayer {
    fn play(&mut self, request: &Request) -> Reply {
        self.really(request).unwrap_or_else(|error| match refusal(request, &error) {
            Some(name) => Reply::of(&Answer::Refused(name)),
            None => Reply::Failed(format!("{error:?}")),
        })
    }

    fn restart(&mut self, microseconds: i64) {
        // Executions keep handles of the tracker, so it is closed explicitly. Dropped after that, they release nothing, as those of a program that dies.
        self.tracker.clone().close().expect("the tracker opens and closes");
        self.held.clear();
        *self = Self::new(self.open.clone(), microseconds);
    }
}

/// The name of a refusal in the model.
fn refusal(request: &Request, error: &Error) -> Option<&'static str> {
    Some(match error.refusal().map(|refusal| &refusal.reason) {
        Some(Reason::AlreadySucceeded) => "AlreadySucceeded",
        Some(Reason::Exhausted { .. }) => "Exhausted",
        Some(Reason::Ignored) => "Ignored",
        Some(Reason::Cancelled) => "Cancelled",
        Some(Reason::Paused) => "Paused",
        Some(Reason::OtherPriority { .. }) => "OtherPriority",
        Some(Reason::NotFound) => "NotFound",
        Some(Reason::Leased { .. }) => "Leased",
        Some(Reason::Full { .. }) => "Full",
        Some(Reason::ExceedsBudget { .. }) => "ExceedsBudget",
        Some(Reason::LeaseLost) => "LeaseLost",
        Some(Reason::NotStartable { .. } | Reason::NotEnterable { .. }) => "NotStartable",
        None if matches!(request, Request::Call { call: Call::SetBudget { amount: None }, .. }) => "NoBudget",
        _ => return None,
    })
}
