//! The input of a simulation: a pool, its tasks, and the events that may happen. Plain values.

use std::time::Duration;

use crate::dispatch::{Bounds, ClaimedTask};

/// The number of a task, and the bytes of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub id: usize,
    pub bytes: usize,
}

impl ClaimedTask for Task {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How long short handlers take.
pub(super) const SHORT_TIME: Duration = Duration::from_micros(10);

/// A pool, its tasks, and the events that may happen to it.
#[expect(clippy::struct_excessive_bools, reason = "independent properties of a test's pool")]
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub name: &'static str,
    pub bounds: Bounds,
    pub tasks: Vec<TaskPlan>,
    pub limited: Vec<bool>,
    /// Whether a stop may come at any time.
    pub stops: bool,
    /// Whether the pool, which keeps running, may be told at any time to end when nothing is left.
    pub ends: bool,
    /// Handlers are shorter than the wake-up of a thread.
    pub short_handlers: bool,
    /// How many such handlers have run before the pool starts.
    pub ran_before: usize,
    /// A slot that waits for a place is woken from the back.
    pub wakes_last: bool,
    /// Whether a slot may end by an error while it runs a handler.
    pub abandons: bool,
    /// Whether each kind may get a limit, or lose it, once.
    pub limit_changes: bool,
    /// How often the pool may get another number of slots, 0 to 2.
    pub resizes: usize,
    /// How often a check of the start conditions may find that no task may start before the next tick.
    pub unready: usize,
    /// Answers come in the order of the commits.
    pub in_order: bool,
}

impl Plan {
    /// The highest number of slots that the pool may have.
    pub(super) fn most_slots(&self) -> usize {
        if self.resizes > 0 { self.bounds.slots.max(2) } else { self.bounds.slots }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "independent properties of a test's task")]
#[derive(Clone, Debug, Default)]
pub(super) struct TaskPlan {
    pub kind: usize,
    /// It crashed its process at least twice.
    pub isolated: bool,
    /// It crashed its process once: it is not prefetched.
    pub crashed: bool,
    /// How often it fails, to be tried again at a later time.
    pub fails: u8,
    pub bytes: usize,
    /// It is submitted at any time, not before the start.
    pub submitted_later: bool,
    /// It cannot be decoded.
    pub unreadable: bool,
    /// The first outcome that is queued for it is refused, and another one is queued in its place.
    pub refused: bool,
    /// Its handler returns when all other tasks are done.
    pub blocks: bool,
    /// Its handler takes long.
    pub long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Unsubmitted,
    Ready,
    /// Fails, and is due at this time.
    Delayed(i64),
    /// Claimed, and not given to a slot. `prefetched` if it was prefetched.
    Claimed {
        prefetched: bool,
    },
    Running,
    /// Its handler has returned, or the task is released: on its way to the file.
    Ended,
    Done,
}
/// One event of a simulation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// A slot asks, or its handler returns.
    Step(usize),
    /// The oldest call is committed.
    Commit,
    /// A committed call is answered.
    Answer(usize),
    Tick,
    Submit(usize),
    Stop,
    EndWhenEmpty,
    Abandon(usize),
    ChangeLimit(usize),
    /// The pool gets this number of slots.
    Resize(usize),
    /// The start conditions are checked: whether a task may start.
    Checked(usize, bool),
    /// The sleep of a slot ends by time.
    Timeout(usize),
    /// The driver reports that time has passed.
    TimePassed,
}

/// How long the handler of a task takes.
pub(super) fn took(plan: &Plan, task: usize) -> Duration {
    let is_short = plan.short_handlers && !plan.tasks[task].long;
    if is_short { SHORT_TIME } else { 100 * SHORT_TIME }
}
