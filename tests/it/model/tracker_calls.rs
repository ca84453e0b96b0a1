//! The tracker behind the calls of the model: kinds with different policies.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta};
use tracker_core::{
    Error, Execution, Submission, TaskStatus, Tasks, Tracker,
    error::Reason,
    execution::{StartOptions, Ticket},
    file::Sharing,
    redb_store::OptionsExt,
    submit::SubmitOptions,
    time::ManualClock,
};

use super::{
    call::{Call, End},
    kinds::{FixedLoad, Job, Load, POLICIES, Plain, Task},
    reference::{Answer, EPOCH, MAX_WAIT, ReferenceModel, State},
};
use crate::support::test_disk::Disk;

/// An execution of any kind.
trait AnyExecution {
    fn end(&mut self, end: End) -> Result<(), Error>;
    fn renew(&mut self) -> Result<(), Error>;
    fn checkpoint(&mut self, value: u8) -> Result<(), Error>;
    fn detach(self: Box<Self>) -> Result<Ticket, Error>;
    fn fence(&self) -> u64;
    /// Its program has died.
    fn forget(self: Box<Self>);
}

impl<T: Task + 'static> AnyExecution for Execution<T> {
    fn end(&mut self, end: End) -> Result<(), Error> {
        match end {
            End::Succeed { value } => {
                *self.task_mut().value() = value;
                self.succeed()
            }
            End::Fail { value } => {
                *self.task_mut().value() = value;
                self.fail("no luck")
            }
            End::FailKeeping { value } => {
                *self.task_mut().value() = value;
                self.fail_with_changes("no luck")
            }
            End::FailRetryIn { seconds } => self.fail_retry_in("no luck", Duration::from_secs(seconds.into())),
            End::GiveUp => self.give_up("never"),
            End::Ignore => self.ignore("not now"),
            End::Snooze { seconds } => self.snooze(Duration::from_secs(seconds.into())),
            End::Park => self.park(T::SHELF),
            End::Release => self.release(),
            End::Drop => Ok(()),
        }
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.renew()
    }

    fn checkpoint(&mut self, value: u8) -> Result<(), Error> {
        *self.task_mut().value() = value;
        self.checkpoint()
    }

    fn detach(self: Box<Self>) -> Result<Ticket, Error> {
        (*self).detach()
    }

    fn fence(&self) -> u64 {
        self.fence()
    }

    fn forget(self: Box<Self>) {
        std::mem::forget(*self);
    }
}

/// The claimed task: its id and the execution.
type ClaimedTask = Option<(u8, Box<dyn AnyExecution>)>;

/// A kind of any type.
trait Kind {
    fn call(&self, call: Call) -> Result<Answer, Error>;
    fn take(&self, call: Call) -> Result<ClaimedTask, Error>;
    fn resume(&self, ticket: &Ticket) -> Result<Box<dyn AnyExecution>, Error>;
    fn look(&self) -> Result<BTreeMap<u8, String>, Error>;
}

fn number(id: &tracker_core::task::TaskKey) -> u8 {
    id.as_int().and_then(|id| u8::try_from(id).ok()).expect("the ids are small numbers")
}

impl<T: Task + 'static> Kind for Tasks<T> {
    fn call(&self, call: Call) -> Result<Answer, Error> {
        let submission = |submission| match submission {
            Submission::New => Answer::Submitted("New"),
            Submission::Existing => Answer::Submitted("Existing"),
            Submission::Throttled => Answer::Submitted("Throttled"),
            _ => Answer::Submitted("Requeued"),
        };
        match call {
            Call::Submit { id, etag, .. } => Ok(submission(self.submit(&T::new(id, etag))?.submission)),
            Call::SubmitLater { id, seconds, priority, .. } => {
                let options = SubmitOptions::new().delay(Duration::from_secs(seconds.into())).priority(priority);
                Ok(submission(self.submit_with(&T::new(id, 0), &options)?.submission))
            }
            Call::SubmitDebounced { id, etag, seconds, .. } => {
                let delay = Duration::from_secs(seconds.into());
                let options = SubmitOptions::new().debounce(delay, MAX_WAIT);
                Ok(submission(self.submit_with(&T::new(id, etag), &options)?.submission))
            }
            Call::SubmitThrottled { id, etag, key, seconds, .. } => {
                let options = SubmitOptions::new().throttle(key, Duration::from_secs(seconds.into()));
                Ok(submission(self.submit_with(&T::new(id, etag), &options)?.submission))
            }
            Call::Requeue { id, .. } => self.requeue(id).map(|()| Answer::Done),
            Call::Cancel { id, .. } => self.cancel(id).map(|()| Answer::Done),
            Call::Ignore { id, .. } => self.ignore(id, "by an operator").map(|()| Answer::Done),
            Call::Move { id, to_shelf, .. } => {
                self.move_to(id, if to_shelf { T::SHELF } else { T::PENDING }).map(|()| Answer::Done)
            }
            Call::MoveToFront { id, .. } => self.move_to_front(id).map(|()| Answer::Done),
            Call::MoveBefore { id, other, .. } if id == other => Ok(Answer::Skipped),
            Call::MoveBefore { id, other, .. } => self.move_before(id, other).map(|()| Answer::Done),
            Call::SetPriority { id, priority, .. } => self.set_priority(id, priority).map(|()| Answer::Done),
            Call::SetDue { id, seconds, .. } => {
                let due = DateTime::from_timestamp(EPOCH + i64::from(seconds), 0).expect("it is a time");
                self.set_due(id, due).map(|()| Answer::Done)
            }
            Call::PauseTask { id, on, .. } => {
                if on { self.pause_task(id) } else { self.resume_task(id) }.map(|()| Answer::Done)
            }
            Call::Update { id, value, .. } => self.update(id, |task| *task.value() = value).map(|()| Answer::Done),
            Call::Remove { id, .. } => self.remove(id).map(|()| Answer::Done),
            Call::Prune { .. } => self.prune().map(Answer::Count),
            Call::RescueLong { seconds, .. } => {
                let rescued = self.rescue_running_longer_than(Duration::from_secs(seconds.into()))?;
                Ok(Answer::Count(rescued.len() as u64))
            }
            Call::Pause { on, .. } => if on { self.pause() } else { self.resume() }.map(|()| Answer::Done),
            _ => Ok(Answer::Skipped),
        }
    }

    fn take(&self, call: Call) -> Result<ClaimedTask, Error> {
        let extra = [T::SHELF, T::IGNORED];
        let taken = match call {
            Call::Claim { worker, .. } => self.worker_name(&format!("worker {worker}")).claim()?,
            Call::ClaimExtra { .. } => self.worker_name("unnamed").claim_with(&StartOptions::new().startable(extra))?,
            Call::Start { id, force, steal_lease, extra: with, short, .. } => {
                let mut options = StartOptions::new();
                if force {
                    options = options.force();
                }
                if steal_lease {
                    options = options.steal_lease();
                }
                if with {
                    options = options.startable(extra);
                }
                if short {
                    options = options.lease(Duration::from_secs(2));
                }
                Some(self.worker_name("unnamed").start_with(id, &options)?)
            }
            _ => None,
        };
        Ok(taken.map(|execution| (number(execution.id()), Box::new(execution) as Box<dyn AnyExecution>)))
    }

    fn resume(&self, ticket: &Ticket) -> Result<Box<dyn AnyExecution>, Error> {
        Ok(Box::new(self.resume_ticket(ticket)?))
    }

    fn look(&self) -> Result<BTreeMap<u8, String>, Error> {
        let mut found = BTreeMap::new();
        for mut record in self.query().fetch()? {
            let code = record.status.code();
            let state = [
                State::Pending,
                State::InProgress,
                State::Failed,
                State::Succeeded,
                State::Exhausted,
                State::Ignored,
                State::Cancelled,
                State::Shelf,
            ][usize::try_from(code).unwrap_or(0) - 1];
            let lease = record
                .lease
                .as_ref()
                .map(|lease| (lease.worker.clone(), lease.until.timestamp_micros(), lease.detached));
            let words = words(
                state,
                record.priority,
                record.due_at.timestamp_micros(),
                record.updated_at.timestamp_micros(),
                [record.attempts, record.failures, record.crashes, record.ended],
                &record.history.iter().map(|past| past.status.name()).collect::<Vec<_>>(),
                lease.as_ref(),
                [record.cancel_requested, record.paused],
                [record.task.etag(), *record.task.value()],
            );
            found.insert(number(&record.id), words);
        }
        assert_eq!(found.len() as u64, self.counts()?.total());
        Ok(found)
    }
}

/// A task in words that the tracker's and the model's can be held against each other by.
#[expect(clippy::too_many_arguments, reason = "all that is known of a task")]
fn words(
    state: State,
    priority: u8,
    due: i64,
    updated: i64,
    counters: [u32; 4],
    history: &[&str],
    lease: Option<&(String, i64, bool)>,
    [cancel, paused]: [bool; 2],
    payload: [u8; 2],
) -> String {
    // A running task has no due time.
    let due = if lease.is_some() { 0 } else { due };
    format!(
        "{state:?} priority {priority} due {due} updated {updated} counters {counters:?} {history:?} {lease:?} cancel {cancel} paused {paused} payload {payload:?}"
    )
}

impl ReferenceModel {
    fn look(&self, kind: usize) -> BTreeMap<u8, String> {
        let words = |task: &super::reference::Task| {
            let lease = task.lease.as_ref().map(|lease| (lease.worker.clone(), lease.expires, lease.detached));
            words(
                task.state,
                task.priority,
                task.due,
                task.updated,
                [task.attempts, task.failures, task.crashes, task.ended],
                &task.history,
                lease.as_ref(),
                [task.cancel, task.paused],
                [task.etag, task.value],
            )
        };
        self.tasks[kind].iter().map(|(id, task)| (*id, words(task))).collect()
    }
}

/// The tracker and the model, playing the same calls.
pub struct Pair {
    disk: Disk,
    clock: ManualClock,
    tracker: Option<Tracker>,
    kinds: Vec<Box<dyn Kind>>,
    held: Vec<Box<dyn AnyExecution>>,
    tickets: Vec<(u8, Ticket)>,
    fence: u64,
    pub model: ReferenceModel,
}

impl Pair {
    pub fn new() -> Self {
        let clock = ManualClock::new();
        let wall = tracker_core::time::Clock::now(&clock).wall.timestamp_micros();
        let mut pair = Self {
            disk: Disk::default(),
            clock,
            tracker: None,
            kinds: Vec::new(),
            held: Vec::new(),
            tickets: Vec::new(),
            fence: 0,
            model: ReferenceModel::new(&POLICIES, wall),
        };
        pair.open();
        pair
    }

    fn open(&mut self) {
        let disk = self.disk.clone();
        let options = Tracker::options().sharing(Sharing::Exclusive).prune_every(None).clock(self.clock.clone());
        let tracker = options.open_backend(move || disk.open()).expect("the disk is well");
        self.kinds = vec![
            Box::new(tracker.tasks::<Job>().expect("the type fits")),
            Box::new(tracker.tasks::<Plain>().expect("the type fits")),
            Box::new(tracker.tasks::<Load>().expect("the type fits")),
            Box::new(tracker.tasks::<FixedLoad>().expect("the type fits")),
        ];
        self.tracker = Some(tracker);
    }

    /// Both play a call; what differs, if anything does.
    pub fn play(&mut self, call: Call) -> Result<(), String> {
        let (wall, kind) = (self.model.wall(), self.model.kind_of(call));
        let expected = self.model.play(call);
        let answer = match self.really(call, self.model.wall() - wall, kind) {
            Ok(answer) => answer,
            Err(error) => match error.refusal().map(|refusal| &refusal.reason) {
                Some(Reason::AlreadySucceeded) => Answer::Refused("AlreadySucceeded"),
                Some(Reason::Exhausted { .. }) => Answer::Refused("Exhausted"),
                Some(Reason::Ignored) => Answer::Refused("Ignored"),
                Some(Reason::Cancelled) => Answer::Refused("Cancelled"),
                Some(Reason::Paused) => Answer::Refused("Paused"),
                Some(Reason::OtherPriority { .. }) => Answer::Refused("OtherPriority"),
                Some(Reason::NotFound) => Answer::Refused("NotFound"),
                Some(Reason::Leased { .. }) => Answer::Refused("Leased"),
                Some(Reason::Full { .. }) => Answer::Refused("Full"),
                Some(Reason::ExceedsBudget { .. }) => Answer::Refused("ExceedsBudget"),
                None if matches!(call, Call::SetBudget { amount: None }) => Answer::Refused("NoBudget"),
                Some(Reason::LeaseLost) => Answer::Refused("LeaseLost"),
                Some(Reason::NotStartable { .. } | Reason::NotEnterable { .. }) => Answer::Refused("NotStartable"),
                _ => return Err(format!("{call:?} gave {error:?}")),
            },
        };
        if answer != expected {
            return Err(format!("{call:?} was answered {answer:?} and should be {expected:?}"));
        }
        let tracker = self.tracker.as_ref().ok_or("it is closed")?;
        tracker.flush().map_err(|error| error.to_string())?;
        for (number, kind) in self.kinds.iter().enumerate() {
            let (found, expected) = (kind.look().map_err(|error| error.to_string())?, self.model.look(number));
            if found != expected {
                return Err(format!("after {call:?}, kind {number} is\n{found:#?}\nand should be\n{expected:#?}"));
            }
        }
        let differences = tracker.verify().map_err(|error| error.to_string())?;
        if differences.is_empty() { Ok(()) } else { Err(format!("after {call:?}: {differences:?}")) }
    }

    /// The tracker plays a call. `jumped` is by how much the model has set the wall clock for it.
    fn really(&mut self, call: Call, jumped: i64, kind: Option<u8>) -> Result<Answer, Error> {
        let at = |held: u8, of: usize| usize::from(held) % of;
        match call {
            Call::Advance { seconds } => self.clock.advance(Duration::from_secs(seconds.into())),
            Call::Jump { seconds } => self.clock.jump(TimeDelta::seconds(seconds.into())),
            Call::SetBudget { amount } => {
                let tracker = self.tracker.as_ref();
                tracker.map_or(Ok(()), |tracker| match amount {
                    Some(amount) => tracker.set_budget("mem", amount.into()),
                    None => tracker.remove_budget("mem"),
                })?;
            }
            Call::Rescue => {
                let rescued = self.tracker.as_ref().map_or(Ok(Vec::new()), Tracker::rescue)?;
                return Ok(Answer::Count(rescued.len() as u64));
            }
            Call::Restart => {
                self.held.drain(..).for_each(AnyExecution::forget);
                self.kinds.clear();
                // A forgotten execution keeps a handle of the tracker, so the tracker is closed explicitly.
                self.tracker.take().map_or(Ok(()), Tracker::close)?;
                self.clock.jump(TimeDelta::microseconds(jumped));
                self.open();
            }
            Call::End { .. } | Call::Renew { .. } | Call::Checkpoint { .. } | Call::Detach { .. }
                if self.held.is_empty() =>
            {
                return Ok(Answer::Skipped);
            }
            Call::End { held, end } => {
                let mut held = self.held.remove(at(held, self.held.len()));
                held.end(end)?;
            }
            Call::Renew { held } => {
                let at = at(held, self.held.len());
                self.held[at].renew()?;
            }
            Call::Checkpoint { held, value } => {
                let at = at(held, self.held.len());
                self.held[at].checkpoint(value)?;
            }
            Call::Detach { held } => {
                let held = self.held.remove(at(held, self.held.len()));
                let ticket = held.detach()?;
                self.tickets.push((kind.unwrap_or(0), ticket));
            }
            Call::Resume { .. } if self.tickets.is_empty() => return Ok(Answer::Skipped),
            Call::Resume { ticket } => {
                let (kind, ticket) = &self.tickets[at(ticket, self.tickets.len())];
                self.held.push(self.kinds[usize::from(*kind)].resume(ticket)?);
                return Ok(Answer::Claimed(number(ticket.id())));
            }
            Call::Claim { kind, .. } | Call::ClaimExtra { kind } | Call::Start { kind, .. } => {
                let Some((id, held)) = self.kinds[usize::from(kind)].take(call)? else { return Ok(Answer::NoTask) };
                assert!(held.fence() > self.fence, "the fence fell from {} to {}", self.fence, held.fence());
                self.fence = held.fence();
                self.held.push(held);
                return Ok(Answer::Claimed(id));
            }
            other => return self.kinds[usize::from(kind.unwrap_or(0))].call(other),
        }
        Ok(Answer::Done)
    }
}
