//! The columns of the tables: what every peer is asked to do, and how much of it.

use serde::{Deserialize, Serialize};

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    Submit,
    Bulk,
    Drain1,
    Drain8,
    Drain64,
    DrainMs,
    Latency,
    Crash,
    Processes1,
    Processes2,
    Processes4,
    Processes8,
    ClaimSmall,
    ClaimLarge,
    ClaimDead,
}

/// The size of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub tasks: u64,
    pub seconds: u64,
    /// A run stops after so many seconds without progress.
    pub standstill: u64,
}

impl Column {
    pub const ALL: [Self; 15] = [
        Self::Submit,
        Self::Bulk,
        Self::Drain1,
        Self::Drain8,
        Self::Drain64,
        Self::DrainMs,
        Self::Latency,
        Self::Crash,
        Self::Processes1,
        Self::Processes2,
        Self::Processes4,
        Self::Processes8,
        Self::ClaimSmall,
        Self::ClaimLarge,
        Self::ClaimDead,
    ];

    pub const PROCESSES: [Self; 4] = [Self::Processes1, Self::Processes2, Self::Processes4, Self::Processes8];

    /// The columns of long queues.
    pub const CLAIMS: [Self; 3] = [Self::ClaimSmall, Self::ClaimLarge, Self::ClaimDead];

    /// The head of the column.
    pub fn title(self) -> &'static str {
        match self {
            Self::Submit => "submit one by one, tasks/s",
            Self::Bulk => "submit in bulk, tasks/s",
            Self::Drain1 => "drain, 1 worker, tasks/s",
            Self::Drain8 => "drain, 8 workers, tasks/s",
            Self::Drain64 => "drain, 64 workers, tasks/s",
            Self::DrainMs => "1 ms handlers, 8 workers, tasks/s",
            Self::Latency => "submit to start, ms",
            Self::Crash => "first orphan runs again, ms",
            Self::Processes1 => "1 process of 8 workers, tasks/s",
            Self::Processes2 => "2 processes, tasks/s",
            Self::Processes4 => "4 processes, tasks/s",
            Self::Processes8 => "8 processes, tasks/s",
            Self::ClaimSmall => "first tasks of 10,000, tasks/s",
            Self::ClaimLarge => "first tasks of 1,000,000, tasks/s",
            Self::ClaimDead => "10,000 behind 1,000,000 dead rows, tasks/s",
        }
    }

    /// The title without its unit.
    pub fn name(self) -> &'static str {
        let title = self.title();
        title.strip_suffix(", tasks/s").or_else(|| title.strip_suffix(", ms")).unwrap_or(title)
    }

    /// The scenario of the protocol, for columns that need no other step.
    pub fn scenario(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Bulk => "bulk",
            Self::Latency => "latency",
            _ if self.processes().is_some() => "share",
            _ => "drain",
        }
    }

    pub fn workers(self) -> u64 {
        match self {
            Self::Drain64 => 64,
            Self::Submit | Self::Bulk | Self::Drain1 | Self::Latency => 1,
            _ => 8,
        }
    }

    /// Number of processes that drain one queue together.
    pub fn processes(self) -> Option<usize> {
        match self {
            Self::Processes1 => Some(1),
            Self::Processes2 => Some(2),
            Self::Processes4 => Some(4),
            Self::Processes8 => Some(8),
            _ => None,
        }
    }

    /// Whether only the first tasks of a longer queue run.
    pub fn is_claim(self) -> bool {
        Self::CLAIMS.contains(&self)
    }

    /// Number of tasks in the queue beforehand, if more than run.
    pub fn filled(self) -> Option<u64> {
        match self {
            Self::ClaimSmall | Self::ClaimDead => Some(10_000),
            Self::ClaimLarge => Some(1_000_000),
            _ => None,
        }
    }

    /// Number of tasks that were deleted before the queue was filled.
    pub fn deleted(self) -> Option<u64> {
        (self == Self::ClaimDead).then_some(1_000_000)
    }

    pub fn handler_us(self) -> u64 {
        if self == Self::DrainMs { 1000 } else { 0 }
    }

    /// Whether the queue is filled beforehand.
    pub fn is_drain(self) -> bool {
        !matches!(self, Self::Submit | Self::Bulk | Self::Latency | Self::Crash)
    }

    /// Whether less is better.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Latency | Self::Crash)
    }

    pub fn extent(self, quick: bool) -> Extent {
        let (tasks, quick_tasks) = match self {
            Self::Submit => (2_000, 500),
            Self::Bulk => (100_000, 20_000),
            Self::Drain1 => (3_000, 1_000),
            Self::Drain8 => (10_000, 3_000),
            Self::Drain64 => (40_000, 10_000),
            Self::DrainMs => (6_000, 2_000),
            Self::Latency => (100, 25),
            Self::Crash => (60, 60),
            // As with 64 workers, so that one filled queue serves both.
            Self::Processes1 | Self::Processes2 | Self::Processes4 | Self::Processes8 => (40_000, 10_000),
            Self::ClaimSmall | Self::ClaimLarge | Self::ClaimDead => (4_000, 4_000),
        };
        // A crash waits for leases: the longest that a library sets by itself and ends within the time are 10 s and 30 s.
        match (quick, self) {
            (false, Self::Crash) => Extent { tasks, seconds: 90, standstill: 40 },
            (false, _) => Extent { tasks, seconds: 8, standstill: 2 },
            (true, Self::Crash) => Extent { tasks: quick_tasks, seconds: 20, standstill: 12 },
            (true, _) => Extent { tasks: quick_tasks, seconds: 3, standstill: 1 },
        }
    }
}
