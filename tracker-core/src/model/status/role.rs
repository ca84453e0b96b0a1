//! `Role` states the meaning of a status to the tracker, such as waiting or succeeded. Used by all other folders except `dispatch` and
//! `worker`; plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The meaning of a status to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Waiting for its first start, or for the next one after a requeue.
    Pending,
    /// Claimed: its lease names the worker and the time until which it holds the task.
    InProgress,
    /// Ended badly, and due to be tried again.
    Failed,
    /// Done.
    Succeeded,
    /// Given up after too many failures or crashes.
    Exhausted,
    /// Set aside on purpose.
    Ignored,
    /// Cancelled by an operator.
    Cancelled,
    /// A state of the user's own, from which only a call or the kind's policy starts a task.
    Parked,
}

impl Role {
    /// All roles, in the order in which people read them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::InProgress,
        Self::Failed,
        Self::Succeeded,
        Self::Exhausted,
        Self::Ignored,
        Self::Cancelled,
        Self::Parked,
    ];

    /// Returns the role's name as the derive, the file and the tools write it, e.g. `in_progress`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
            Self::Exhausted => "exhausted",
            Self::Ignored => "ignored",
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }
}

impl Role {
    /// Returns the place of the role in a bar of the tasks of a kind, from 0: done first, then given up or set aside, failed, in progress, parked, and
    /// waiting last. For the tools of the tracker.
    #[doc(hidden)]
    #[must_use]
    pub const fn position_in_bar(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Exhausted | Self::Ignored | Self::Cancelled => 1,
            Self::Failed => 2,
            Self::InProgress => 3,
            Self::Parked => 4,
            Self::Pending => 5,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
