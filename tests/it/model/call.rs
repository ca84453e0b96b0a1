//! One call of the tracker, encoded in four bytes, so that proptest and a fuzzer can generate and shrink it.

use serde::{Deserialize, Serialize};

/// How many kinds there are.
pub const KINDS: u8 = 4;
/// How many ids there are.
pub const IDS: u8 = 6;

/// A call. `kind` is the number of the kind, `held` that of a held execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    Submit {
        kind: u8,
        id: u8,
        etag: u8,
    },
    SubmitLater {
        kind: u8,
        id: u8,
        seconds: u8,
        priority: u8,
    },
    SubmitDebounced {
        kind: u8,
        id: u8,
        etag: u8,
        seconds: u8,
    },
    /// At most one with the key is accepted in the time.
    SubmitThrottled {
        kind: u8,
        id: u8,
        etag: u8,
        key: u8,
        seconds: u8,
    },
    /// The amount of memory that the tasks in progress may need; without a budget, it is not bounded.
    SetBudget {
        amount: Option<u8>,
    },
    Claim {
        kind: u8,
        worker: u8,
    },
    ClaimExtra {
        kind: u8,
    },
    Start {
        kind: u8,
        id: u8,
        force: bool,
        steal_lease: bool,
        extra: bool,
        short: bool,
    },
    End {
        held: u8,
        end: End,
    },
    Renew {
        held: u8,
    },
    Checkpoint {
        held: u8,
        value: u8,
    },
    Detach {
        held: u8,
    },
    Resume {
        ticket: u8,
    },
    Requeue {
        kind: u8,
        id: u8,
    },
    Cancel {
        kind: u8,
        id: u8,
    },
    Ignore {
        kind: u8,
        id: u8,
    },
    Move {
        kind: u8,
        id: u8,
        to_shelf: bool,
    },
    MoveToFront {
        kind: u8,
        id: u8,
    },
    MoveBefore {
        kind: u8,
        id: u8,
        other: u8,
    },
    SetPriority {
        kind: u8,
        id: u8,
        priority: u8,
    },
    SetDue {
        kind: u8,
        id: u8,
        seconds: i8,
    },
    PauseTask {
        kind: u8,
        id: u8,
        on: bool,
    },
    Update {
        kind: u8,
        id: u8,
        value: u8,
    },
    Remove {
        kind: u8,
        id: u8,
    },
    Prune {
        kind: u8,
    },
    Rescue,
    RescueLong {
        kind: u8,
        seconds: u8,
    },
    Pause {
        kind: u8,
        on: bool,
    },
    /// Both clocks go on.
    Advance {
        seconds: u8,
    },
    /// The wall clock is set, forwards or back.
    Jump {
        seconds: i8,
    },
    /// The program dies and starts again.
    Restart,
}

/// How a held execution ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Succeed { value: u8 },
    Fail { value: u8 },
    FailKeeping { value: u8 },
    FailRetryIn { seconds: u8 },
    GiveUp,
    Ignore,
    Snooze { seconds: u8 },
    Park,
    Release,
    Drop,
}

impl Call {
    pub fn of([what, a, b, c]: [u8; 4]) -> Self {
        let (kind, id) = (a % KINDS, b % IDS);
        match what % 52 {
            0..5 => Self::Submit { kind, id, etag: c % 3 },
            5 => Self::SubmitDebounced { kind, id, etag: c % 3, seconds: 1 + c / 3 % 20 },
            6 => Self::SubmitLater { kind, id, seconds: c % 20, priority: c % 3 },
            7..12 => Self::Claim { kind, worker: c % 3 },
            // Kinds with needs start from the statuses that they declare.
            12 => Self::ClaimExtra { kind: a & 1 },
            46..49 => Self::SubmitThrottled { kind, id, etag: c % 3, key: c / 3 % 2, seconds: 1 + c / 6 % 20 },
            49 => Self::SetBudget { amount: Some(c % 24).filter(|amount| *amount > 0) },
            50 => Self::Claim { kind: 2 + a % 2, worker: c % 3 },
            13 | 14 => {
                Self::Start { kind, id, force: c & 1 > 0, steal_lease: c & 2 > 0, extra: c & 4 > 0, short: c & 8 > 0 }
            }
            15..22 => {
                let end = match c % 12 {
                    0..3 => End::Succeed { value: b },
                    3 => End::Fail { value: b },
                    4 => End::FailKeeping { value: b },
                    5 => End::FailRetryIn { seconds: b % 30 },
                    6 => End::GiveUp,
                    7 => End::Ignore,
                    8 => End::Snooze { seconds: b % 30 },
                    9 => End::Park,
                    10 => End::Release,
                    _ => End::Drop,
                };
                Self::End { held: a, end }
            }
            22 => Self::Renew { held: a },
            23 => Self::Checkpoint { held: a, value: b % 30 },
            24 => Self::Detach { held: a },
            25 => Self::Resume { ticket: a },
            26 | 27 => Self::Requeue { kind, id },
            28 => Self::Cancel { kind, id },
            29 => Self::Ignore { kind, id },
            30 => Self::Move { kind, id, to_shelf: c & 1 > 0 },
            31 => Self::Update { kind, id, value: c % 30 },
            32 => Self::Remove { kind, id },
            33 => Self::Prune { kind },
            34 => {
                if c & 1 > 0 {
                    Self::Rescue
                } else {
                    Self::RescueLong { kind, seconds: b % 20 }
                }
            }
            35 => Self::Pause { kind, on: c % 3 == 0 },
            36 | 37 => Self::Advance { seconds: c % 16 },
            39 | 40 => Self::MoveBefore { kind, id, other: c % IDS },
            41 => Self::MoveToFront { kind, id },
            42 => Self::SetPriority { kind, id, priority: c % 3 },
            43 => Self::SetDue { kind, id, seconds: (c % 41).cast_signed() - 20 },
            44 => Self::PauseTask { kind, id, on: c % 3 > 0 },
            38 => Self::Jump { seconds: (c % 61).cast_signed() - 30 },
            _ => {
                if c % 4 == 0 {
                    Self::Restart
                } else {
                    Self::Advance { seconds: 1 }
                }
            }
        }
    }
}
