//! The model: the documented behaviour in memory, as a list of tasks that is searched from end to end. It shares no
//! code with the tracker.

#[path = "reference/admin.rs"]
mod admin;
#[path = "reference/executions.rs"]
mod executions;
#[path = "reference/needs.rs"]
mod needs;
#[path = "reference/order.rs"]
mod order;

use std::{collections::BTreeMap, time::Duration};

use super::call::{Call, KINDS};

/// Seconds since the clock's beginning, in microseconds.
pub type Time = i64;
pub const SECOND: Time = 1_000_000;
/// How long debounced submits can move a due time.
pub const MAX_WAIT: Duration = Duration::from_secs(25);
/// When the clock of the tests begins, in seconds since 1970.
pub const EPOCH: i64 = 1_893_456_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Pending,
    InProgress,
    Failed,
    Succeeded,
    Exhausted,
    Ignored,
    Cancelled,
    Shelf,
}

/// The properties in which kinds differ.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Where retries wait: failed, or pending.
    pub has_failed: bool,
    /// Where what is given up goes: exhausted, or ignored.
    pub has_exhausted: bool,
    /// Where cancelled tasks go: cancelled, or ignored.
    pub has_cancelled: bool,
    pub max_attempts: Option<u32>,
    pub max_crashes: u32,
    pub lease: Time,
    /// The delay after this number of failures in a row.
    pub delay: fn(u32) -> Time,
    pub keeps_succeeded: Option<Time>,
    pub max_waiting: Option<usize>,
    pub max_in_progress: Option<usize>,
    /// The amount of memory that a task with this value needs.
    pub need: Option<fn(u8) -> u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    owner: u64,
    pub worker: String,
    pub expires: Time,
    pub started: Time,
    length: Time,
    from: State,
    due: Time,
    pub detached: bool,
    instance: Instance,
}

/// The number of an open tracker; another one after a restart.
type Instance = u32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub state: State,
    pub priority: u8,
    pub due: Time,
    pub updated: Time,
    seq: u64,
    /// Orders the tasks of one due time.
    place: u128,
    pub paused: bool,
    pub attempts: u32,
    pub failures: u32,
    pub crashes: u32,
    pub ended: u32,
    pub history: Vec<&'static str>,
    pub lease: Option<Lease>,
    pub cancel: bool,
    pub etag: u8,
    pub value: u8,
    /// The fingerprint as submitted.
    fingerprint: u8,
    successor: Option<(u8, u8)>,
    /// The due time of the successor, if a debounced submit has set one.
    next_due: Option<Time>,
}

/// The answer of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Refused(&'static str),
    /// A number: of tasks pruned or rescued.
    Count(u64),
    NoTask,
    /// A claim or start of this id.
    Claimed(u8),
    Submitted(&'static str),
    /// There was no held execution or ticket for the call.
    Skipped,
}

/// A held execution, or a ticket.
#[derive(Clone, Copy, Debug)]
pub struct HeldLease {
    pub kind: u8,
    pub id: u8,
    owner: u64,
    etag: u8,
    instance: Instance,
}

pub struct ReferenceModel {
    policies: [Policy; KINDS as usize],
    pub tasks: [BTreeMap<u8, Task>; KINDS as usize],
    paused: [bool; KINDS as usize],
    /// The memory that the tasks in progress may need.
    budget: Option<u64>,
    /// By kind: the number of the task that did not fit, and how many later ones have started since.
    overtaken: [Option<(u64, u32)>; KINDS as usize],
    /// By kind and key: until when no further submit is accepted.
    throttled: BTreeMap<(u8, u8), Time>,
    pub held: Vec<HeldLease>,
    tickets: Vec<HeldLease>,
    wall: Time,
    monotonic: Time,
    now: Time,
    seen: Time,
    seq: u64,
    owner: u64,
    /// The open trackers.
    instances: Vec<Instance>,
    last_instance: Instance,
    /// The tracker that plays.
    instance: Instance,
    /// Whether a tracker that is opened frees the tasks of others at once: none of them lives.
    frees_at_open: bool,
}

impl Task {
    fn enter(&mut self, state: State, due: Time, now: Time) {
        self.set_due(due);
        (self.state, self.updated) = (state, now);
        (self.lease, self.cancel) = (None, false);
    }

    /// The end of a task ends its pause.
    fn end_pause(&mut self) {
        self.paused &= self.closed().is_none();
    }

    fn end(&mut self, ending: &'static str) {
        self.ended += 1;
        self.history.push(ending);
        if self.history.len() > 3 {
            self.history.remove(0);
        }
    }

    fn restart(&mut self, due: Time, now: Time) {
        self.enter(State::Pending, due, now);
        (self.failures, self.crashes) = (0, 0);
    }

    fn take_successor(&mut self, now: Time) {
        if let Some((etag, value)) = self.successor.take() {
            (self.etag, self.value) = (etag, value);
            self.restart(self.next_due.unwrap_or(now).max(now), now);
        }
        self.next_due = None;
        self.end_pause();
    }

    /// Why a task that has ended refuses.
    fn closed(&self) -> Option<&'static str> {
        match self.state {
            State::Succeeded => Some("AlreadySucceeded"),
            State::Exhausted => Some("Exhausted"),
            State::Ignored => Some("Ignored"),
            State::Cancelled => Some("Cancelled"),
            _ => None,
        }
    }

    fn expired(&self, now: Time) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.expires <= now)
    }
}

impl Policy {
    fn retry(&self) -> State {
        if self.has_failed { State::Failed } else { State::Pending }
    }

    fn given_up(&self) -> State {
        if self.has_exhausted { State::Exhausted } else { State::Ignored }
    }

    fn cancelled(&self) -> State {
        if self.has_cancelled { State::Cancelled } else { State::Ignored }
    }

    /// The lease ended without an outcome.
    fn rescue(&self, task: &mut Task, now: Time, rescuer: Instance) {
        task.crashes += 1;
        let interrupted = task.lease.as_ref().is_some_and(|lease| lease.instance != rescuer && !lease.detached);
        task.end(if interrupted { "interrupted" } else { "crashed" });
        if task.cancel {
            task.enter(self.cancelled(), now, now);
        } else if task.crashes >= self.max_crashes {
            task.enter(self.given_up(), now, now);
        } else {
            task.enter(self.retry(), now + (self.delay)(task.crashes), now);
        }
        task.take_successor(now);
    }
}

/// Whether a task can be started without force.
fn startable(state: State, extra: bool) -> bool {
    matches!(state, State::Pending | State::Failed) || extra && matches!(state, State::Shelf | State::Ignored)
}

impl ReferenceModel {
    /// A model of one tracker that has its file alone.
    pub fn new(policies: &[Policy; KINDS as usize], wall: Time) -> Self {
        Self { frees_at_open: true, ..Self::of_trackers(1, policies, wall) }
    }

    /// A model of several trackers on one store.
    pub fn of_trackers(count: u32, policies: &[Policy; KINDS as usize], wall: Time) -> Self {
        Self {
            policies: *policies,
            tasks: Default::default(),
            paused: Default::default(),
            budget: None,
            overtaken: Default::default(),
            throttled: BTreeMap::new(),
            held: Vec::new(),
            tickets: Vec::new(),
            wall,
            monotonic: 0,
            now: wall,
            seen: 0,
            seq: 0,
            owner: 0,
            instances: (0..count).collect(),
            last_instance: count,
            instance: 0,
            frees_at_open: false,
        }
    }

    /// Time never goes back, and passes at least as fast as the monotonic clock.
    fn tick(&mut self) -> Time {
        self.now = self.wall.max(self.now + (self.monotonic - self.seen));
        self.seen = self.monotonic;
        self.now
    }

    pub fn wall(&self) -> Time {
        self.wall
    }

    /// The kind that a call is about.
    pub fn kind_of(&self, call: Call) -> Option<u8> {
        match call {
            Call::Submit { kind, .. }
            | Call::SubmitLater { kind, .. }
            | Call::SubmitDebounced { kind, .. }
            | Call::SubmitThrottled { kind, .. }
            | Call::Requeue { kind, .. }
            | Call::Cancel { kind, .. }
            | Call::Ignore { kind, .. }
            | Call::Move { kind, .. }
            | Call::MoveToFront { kind, .. }
            | Call::MoveBefore { kind, .. }
            | Call::SetPriority { kind, .. }
            | Call::SetDue { kind, .. }
            | Call::PauseTask { kind, .. }
            | Call::Update { kind, .. }
            | Call::Remove { kind, .. }
            | Call::Prune { kind }
            | Call::RescueLong { kind, .. }
            | Call::Pause { kind, .. } => Some(kind),
            Call::Detach { held } if !self.held.is_empty() => Some(self.held[usize::from(held) % self.held.len()].kind),
            _ => None,
        }
    }

    /// Plays a call through one of the trackers.
    pub fn play(&mut self, tracker: usize, call: Call) -> Answer {
        self.instance = self.instances[tracker];
        match call {
            Call::Advance { seconds } => {
                self.wall += Time::from(seconds) * SECOND;
                self.monotonic += Time::from(seconds) * SECOND;
            }
            Call::Jump { seconds } => self.wall += Time::from(seconds) * SECOND,
            _ => {}
        }
        // Also after a jump: the flush that follows each call sees the time.
        let now = self.tick();
        match call {
            // The time was looked at.
            Call::Advance { .. } | Call::Jump { .. } => Answer::Done,
            Call::Submit { kind, id, etag } => self.submit(kind, id, etag, None, None),
            Call::SubmitLater { kind, id, seconds, priority } => {
                self.submit(kind, id, 0, Some(now + Time::from(seconds) * SECOND), Some(priority))
            }
            Call::SubmitDebounced { kind, id, etag, seconds } => {
                self.submit_debounced(kind, id, etag, now + Time::from(seconds) * SECOND)
            }
            Call::SubmitThrottled { kind, id, etag, key, seconds } => {
                self.submit_throttled(kind, id, etag, key, now + Time::from(seconds) * SECOND)
            }
            Call::SetBudget { amount } => self.set_budget(amount),
            Call::Claim { kind, worker } => self.claim(kind, Some(worker), false),
            Call::ClaimExtra { kind } => self.claim(kind, None, true),
            Call::Start { .. } => self.start(call),
            Call::End { held, end } => self.end(held, end),
            Call::Renew { held } => self.owned(held, |task, _| {
                if let Some(lease) = &mut task.lease {
                    lease.expires = lease.expires.max(now + lease.length);
                }
            }),
            Call::Checkpoint { held, value } => self.owned(held, |task, etag| (task.value, task.etag) = (value, etag)),
            Call::Detach { held } => {
                let answer = self.owned(held, |task, _| {
                    if let Some(lease) = &mut task.lease {
                        lease.detached = true;
                    }
                });
                if answer != Answer::Skipped {
                    let held = self.held.remove(usize::from(held) % self.held.len());
                    if answer == Answer::Done {
                        self.tickets.push(held);
                    }
                }
                answer
            }
            Call::Resume { ticket } => self.resume(ticket),
            Call::Requeue { kind, id } => self.admin_call(kind, id, |task, _| {
                task.restart(now, now);
                task.paused = false;
                Ok(())
            }),
            Call::Cancel { kind, id } => self.cancel(kind, id),
            Call::Ignore { kind, id } => self.admin_call(kind, id, |task, _| {
                task.closed().map_or(Ok(()), Err)?;
                task.end("ignored");
                task.enter(State::Ignored, now, now);
                Ok(())
            }),
            Call::Move { kind, id, to_shelf } => self.admin_call(kind, id, |task, _| {
                task.closed().map_or(Ok(()), Err)?;
                task.enter(if to_shelf { State::Shelf } else { State::Pending }, now, now);
                Ok(())
            }),
            Call::Update { kind, id, value } => self.admin_call(kind, id, |task, _| {
                task.value = value;
                Ok(())
            }),
            Call::Remove { kind, id } => {
                let answer = self.admin_call(kind, id, |_, _| Ok(()));
                if answer == Answer::Done {
                    self.tasks[usize::from(kind)].remove(&id);
                }
                answer
            }
            Call::Prune { kind } => self.prune(kind),
            Call::Rescue => self.rescue(None, |task| task.expired(now)),
            Call::RescueLong { kind, seconds } => self.rescue(Some(kind), |task| {
                task.lease.as_ref().is_some_and(|lease| lease.started + Time::from(seconds) * SECOND < now)
            }),
            Call::Pause { kind, on } => {
                self.paused[usize::from(kind)] = on;
                Answer::Done
            }
            Call::Restart => self.restart(tracker),
            _ => self.reorder(call),
        }
    }
}
