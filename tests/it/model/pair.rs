//! Trackers and the model, playing the same calls.

use std::time::Duration;

use chrono::TimeDelta;
use tracker_core::{
    Error, Options, Tracker, error::Reason, execution::Ticket, file::Sharing, redb_store::OptionsExt, time::ManualClock,
};

use super::{
    call::Call,
    kinds::{FixedLoad, Job, Load, POLICIES, Plain},
    reference::{Answer, EPOCH, ReferenceModel, SECOND},
    tracker_calls::{AnyExecution, Kind, number},
};
use crate::support::test_disk::Disk;

/// Opens a tracker on the tasks of a pair.
pub type OpenTracker = Box<dyn Fn(Options) -> Result<Tracker, Error>>;

/// One or several trackers of the same tasks, and the model.
pub struct Pair {
    open: OpenTracker,
    clock: ManualClock,
    trackers: Vec<Opened>,
    /// The executions with the numbers of their trackers.
    held: Vec<(usize, Box<dyn AnyExecution>)>,
    tickets: Vec<(u8, Ticket)>,
    fence: u64,
    /// Number of calls so far, and after how many of them the place is verified.
    calls: usize,
    verify_every: usize,
    pub model: ReferenceModel,
}

/// An open tracker.
struct Opened {
    tracker: Tracker,
    kinds: Vec<Box<dyn Kind>>,
}

impl Opened {
    fn new(open: &OpenTracker, clock: &ManualClock) -> Self {
        let tracker = open(Tracker::options().prune_every(None).clock(clock.clone())).expect("the place is well");
        let kinds: Vec<Box<dyn Kind>> = vec![
            Box::new(tracker.tasks::<Job>().expect("the type fits")),
            Box::new(tracker.tasks::<Plain>().expect("the type fits")),
            Box::new(tracker.tasks::<Load>().expect("the type fits")),
            Box::new(tracker.tasks::<FixedLoad>().expect("the type fits")),
        ];
        Self { tracker, kinds }
    }
}

impl Pair {
    /// One tracker in exclusive mode, on a disk in memory.
    pub fn on_disk() -> Self {
        let disk = Disk::default();
        let open = move |options: Options| {
            let disk = disk.clone();
            options.sharing(Sharing::Exclusive).open_backend(move || disk.open())
        };
        Self::new(1, Box::new(open), ReferenceModel::new(&POLICIES, EPOCH * SECOND))
    }

    /// Several trackers that share a store, which is verified after every so many calls.
    pub fn of_trackers(count: u32, open: OpenTracker, verify_every: usize) -> Self {
        let model = ReferenceModel::of_trackers(count, &POLICIES, EPOCH * SECOND);
        Self { verify_every, ..Self::new(count, open, model) }
    }

    fn new(count: u32, open: OpenTracker, model: ReferenceModel) -> Self {
        let clock = ManualClock::new();
        Self {
            trackers: (0..count).map(|_| Opened::new(&open, &clock)).collect(),
            open,
            clock,
            held: Vec::new(),
            tickets: Vec::new(),
            fence: 0,
            calls: 0,
            verify_every: 1,
            model,
        }
    }

    /// The model and one of the trackers play a call; what differs, if anything does.
    pub fn play(&mut self, tracker: usize, call: Call) -> Result<(), String> {
        let (wall, kind) = (self.model.wall(), self.model.kind_of(call));
        let expected = self.model.play(tracker, call);
        let answer = match self.really(tracker, call, self.model.wall() - wall, kind) {
            Ok(answer) => answer,
            Err(error) => refusal(call, &error).ok_or_else(|| format!("{call:?} gave {error:?}"))?,
        };
        if answer != expected {
            return Err(format!("{call:?} was answered {answer:?} and should be {expected:?}"));
        }
        // Each tracker sees the time, and the deferred end of a dropped execution is committed.
        for opened in &self.trackers {
            opened.tracker.flush().map_err(|error| error.to_string())?;
        }
        // Another tracker than that of the call, if there is one.
        let opened = &self.trackers[(tracker + 1) % self.trackers.len()];
        for (number, kind) in opened.kinds.iter().enumerate() {
            let (found, expected) = (kind.look().map_err(|error| error.to_string())?, self.model.look(number));
            if found != expected {
                return Err(format!("after {call:?}, kind {number} is\n{found:#?}\nand should be\n{expected:#?}"));
            }
        }
        self.calls += 1;
        if self.calls.is_multiple_of(self.verify_every) {
            self.verify(tracker + 1).map_err(|what| format!("after {call:?}: {what}"))?;
        }
        Ok(())
    }

    /// Verifies all rows through one of the trackers.
    pub fn verify(&self, tracker: usize) -> Result<(), String> {
        let differences = self.trackers[tracker % self.trackers.len()].tracker.verify();
        let differences = differences.map_err(|error| error.to_string())?;
        if differences.is_empty() { Ok(()) } else { Err(format!("{differences:?}")) }
    }

    /// A tracker plays a call. `jumped` is by how much the model has set the wall clock for it.
    fn really(&mut self, tracker: usize, call: Call, jumped: i64, kind: Option<u8>) -> Result<Answer, Error> {
        let at = |held: u8, of: usize| usize::from(held) % of;
        let opened = &self.trackers[tracker];
        match call {
            Call::Advance { seconds } => self.clock.advance(Duration::from_secs(seconds.into())),
            Call::Jump { seconds } => self.clock.jump(TimeDelta::seconds(seconds.into())),
            Call::SetBudget { amount: Some(amount) } => opened.tracker.set_budget("mem", amount.into())?,
            Call::SetBudget { amount: None } => opened.tracker.remove_budget("mem")?,
            Call::Rescue => return Ok(Answer::Count(opened.tracker.rescue()?.len() as u64)),
            Call::Restart => {
                let (gone, left): (Vec<_>, _) = self.held.drain(..).partition(|(owner, _)| *owner == tracker);
                self.held = left;
                for (_, held) in gone {
                    held.forget();
                }
                // A forgotten execution keeps a handle of the tracker, so the tracker is closed explicitly.
                self.trackers[tracker].tracker.clone().close()?;
                self.clock.jump(TimeDelta::microseconds(jumped));
                self.trackers[tracker] = Opened::new(&self.open, &self.clock);
            }
            Call::End { .. } | Call::Renew { .. } | Call::Checkpoint { .. } | Call::Detach { .. }
                if self.held.is_empty() =>
            {
                return Ok(Answer::Skipped);
            }
            Call::End { held, end } => {
                let (_, mut held) = self.held.remove(at(held, self.held.len()));
                held.end(end)?;
            }
            Call::Renew { held } => {
                let at = at(held, self.held.len());
                self.held[at].1.renew()?;
            }
            Call::Checkpoint { held, value } => {
                let at = at(held, self.held.len());
                self.held[at].1.checkpoint(value)?;
            }
            Call::Detach { held } => {
                let (_, held) = self.held.remove(at(held, self.held.len()));
                let ticket = held.detach()?;
                self.tickets.push((kind.unwrap_or(0), ticket));
            }
            Call::Resume { .. } if self.tickets.is_empty() => return Ok(Answer::Skipped),
            Call::Resume { ticket } => {
                let (kind, ticket) = &self.tickets[at(ticket, self.tickets.len())];
                self.held.push((tracker, opened.kinds[usize::from(*kind)].resume(ticket)?));
                return Ok(Answer::Claimed(number(ticket.id())));
            }
            Call::Claim { kind, .. } | Call::ClaimExtra { kind } | Call::Start { kind, .. } => {
                let Some((id, held)) = opened.kinds[usize::from(kind)].take(call)? else { return Ok(Answer::NoTask) };
                assert!(held.fence() > self.fence, "the fence fell from {} to {}", self.fence, held.fence());
                self.fence = held.fence();
                self.held.push((tracker, held));
                return Ok(Answer::Claimed(id));
            }
            other => return opened.kinds[usize::from(kind.unwrap_or(0))].call(other),
        }
        Ok(Answer::Done)
    }
}

/// The answer that a refusal is in the model.
fn refusal(call: Call, error: &Error) -> Option<Answer> {
    let name = match error.refusal().map(|refusal| &refusal.reason) {
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
        None if matches!(call, Call::SetBudget { amount: None }) => "NoBudget",
        _ => return None,
    };
    Some(Answer::Refused(name))
}
