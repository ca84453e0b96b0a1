//! The kinds of the model: with every status and with the fewest, and two that need memory.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

use super::{
    call::KINDS,
    reference::{Policy, SECOND},
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
    Exhausted = 5,
    Ignored = 6,
    Cancelled = 7,
    #[status(parked)]
    Shelf = 8,
}

/// No failed, exhausted or cancelled: others stand in for them.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    Pending = 1,
    InProgress = 2,
    Succeeded = 4,
    Ignored = 6,
    #[status(parked)]
    Shelf = 8,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Full, max_attempts = 3, max_crashes = 3, lease = "10s", backoff = "linear(1s, 5s)")]
#[task(history = 3, retention(succeeded = "20s"), max_waiting = 4)]
pub struct Job {
    #[task(id)]
    id: u8,
    #[task(fingerprint)]
    etag: u8,
    value: u8,
    #[task(priority)]
    priority: u8,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job2", status = Bare, max_attempts = "unlimited", max_crashes = 2, lease = "7s", history = 3)]
#[task(max_in_progress = 2)]
pub struct Plain {
    #[task(id)]
    id: u8,
    #[task(fingerprint)]
    etag: u8,
    #[task(index)]
    value: u8,
    #[task(priority)]
    priority: u8,
}

/// Needs as much memory as its value.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "load", status = Full, max_attempts = 3, max_crashes = 3, lease = "10s", backoff = "linear(1s, 5s)")]
#[task(history = 3, needs(mem = "value"))]
pub struct Load {
    #[task(id)]
    id: u8,
    #[task(fingerprint)]
    etag: u8,
    #[task(index)]
    value: u8,
    #[task(priority)]
    priority: u8,
}

/// Needs 9 of the same memory.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "load2", status = Bare, max_attempts = "unlimited", max_crashes = 2, lease = "7s", history = 3)]
#[task(needs(mem = 9))]
pub struct FixedLoad {
    #[task(id)]
    id: u8,
    #[task(fingerprint)]
    etag: u8,
    value: u8,
    #[task(priority)]
    priority: u8,
}

/// The policies of the kinds, in the model's words.
pub const POLICIES: [Policy; KINDS as usize] = [
    FULL,
    BARE,
    Policy { keeps_succeeded: None, max_waiting: None, need: Some(rounded), ..FULL },
    Policy { max_in_progress: None, need: Some(|_| 9), ..BARE },
];

/// An amount rounded up to three significant binary digits.
fn rounded(value: u8) -> u64 {
    let step = 1 << (u8::BITS - value.leading_zeros()).saturating_sub(3);
    u64::from(value).next_multiple_of(step)
}

const FULL: Policy = Policy {
    has_failed: true,
    has_exhausted: true,
    has_cancelled: true,
    max_attempts: Some(3),
    max_crashes: 3,
    lease: 10 * SECOND,
    delay: |times| if times < 5 { i64::from(times) * SECOND } else { 5 * SECOND },
    keeps_succeeded: Some(20 * SECOND),
    max_waiting: Some(4),
    max_in_progress: None,
    need: None,
};

const BARE: Policy = Policy {
    has_failed: false,
    has_exhausted: false,
    has_cancelled: false,
    max_attempts: None,
    max_crashes: 2,
    lease: 7 * SECOND,
    delay: |_| 0,
    keeps_succeeded: None,
    max_waiting: None,
    max_in_progress: Some(2),
    need: None,
};

/// The fields and statuses that the model sets and reads.
pub(super) trait Task: TrackedTask {
    const IGNORED: Self::Status;
    const SHELF: Self::Status;
    const PENDING: Self::Status;

    fn new(id: u8, etag: u8) -> Self;
    fn value(&mut self) -> &mut u8;
    fn etag(&self) -> u8;
}

macro_rules! task {
    ($task:ident, $status:ident) => {
        impl Task for $task {
            const IGNORED: $status = $status::Ignored;
            const SHELF: $status = $status::Shelf;
            const PENDING: $status = $status::Pending;

            fn new(id: u8, etag: u8) -> Self {
                Self { id, etag, value: 0, priority: id % 2 }
            }

            fn value(&mut self) -> &mut u8 {
                &mut self.value
            }

            fn etag(&self) -> u8 {
                self.etag
            }
        }
    };
}

task!(Job, Full);
task!(Plain, Bare);
task!(Load, Full);
task!(FixedLoad, Bare);
