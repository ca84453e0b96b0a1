//! The measured values, as stored in the JSON file.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{columns::Column, machine::Machine};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    pub command: String,
    pub begun: String,
    pub seconds: u64,
    /// The server and its settings, for peers on a server.
    #[serde(default)]
    pub server: Option<String>,
    /// Number of repetitions asked for. Fewer ran if the time was short.
    #[serde(default)]
    pub repetitions: u32,
    /// Peers that do not build, with the first error.
    pub not_built: Vec<(String, String)>,
    pub samples: Vec<Sample>,
    pub flushes: Vec<Flushes>,
    #[serde(default)]
    pub stale_ends: Vec<StaleEnds>,
}

/// One run of one peer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub row: String,
    pub column: Column,
    pub repetition: u32,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Measured(Measured),
    /// The library has no such call.
    Unsupported,
    /// The peer failed, or did not end.
    Failed(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Tasks per second, or milliseconds. Infinite, null in JSON, if the event did not happen.
    #[serde(deserialize_with = "or_infinite")]
    pub value: f64,
    /// Milliseconds that 99 of 100 stay below, for latencies.
    pub p99: Option<f64>,
    pub tasks: u64,
    /// Submitted, or terminal in the store.
    pub done: u64,
    /// Handlers that ran.
    pub runs: u64,
    pub given_up: u64,
    /// Seconds until the handlers had run.
    pub handlers_seconds: Option<f64>,
    pub crash: Option<Crash>,
}

fn or_infinite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

/// The tasks after a kill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// Begun and not ended when the process was killed.
    pub orphans: u64,
    /// Not terminal in the store when the time was over.
    pub lost: u64,
    /// Ended before the kill, and run again.
    pub twice: u64,
    /// Given up, although no handler failed.
    pub given_up: u64,
    /// Ended in the store, although no handler of the task has ended: the task or its payload is gone.
    #[serde(default)]
    pub vanished: u64,
}

/// Whether the store of a row accepts the end of a claim that has expired and was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StaleEnds {
    pub row: String,
    /// From a worker with another name than that of the new claim.
    pub from_other_worker: bool,
    /// From a worker with the same name.
    pub from_same_worker: bool,
}

/// Flushes that strace counted, per task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flushes {
    pub row: String,
    pub submit: Option<f64>,
    pub drain_1: Option<f64>,
    pub drain_64: Option<f64>,
}

impl Results {
    /// The runs of one cell.
    pub fn cell(&self, row: &str, column: Column) -> Vec<&Sample> {
        self.samples.iter().filter(|sample| sample.row == row && sample.column == column).collect()
    }

    pub fn measured(&self, row: &str, column: Column) -> Vec<(u32, &Measured)> {
        let cell = self.cell(row, column).into_iter();
        cell.filter_map(|sample| match &sample.outcome {
            Outcome::Measured(measured) => Some((sample.repetition, measured)),
            _ => None,
        })
        .collect()
    }

    /// Whether this row waits for leases of the killed process. Such a row is measured in one repetition.
    pub fn takes_long_after_a_crash(&self, row: &str) -> bool {
        self.values(row, Column::Crash).iter().any(|milliseconds| *milliseconds > 3000.0)
    }

    /// The sums over all kills of this row.
    pub fn crashes(&self, row: &str) -> Option<Crash> {
        let crashes = self.measured(row, Column::Crash).into_iter().filter_map(|(_, measured)| measured.crash);
        crashes.reduce(|a, b| Crash {
            orphans: a.orphans + b.orphans,
            lost: a.lost + b.lost,
            twice: a.twice + b.twice,
            given_up: a.given_up + b.given_up,
            vanished: a.vanished + b.vanished,
        })
    }

    pub fn values(&self, row: &str, column: Column) -> Vec<f64> {
        self.measured(row, column).into_iter().map(|(_, measured)| measured.value).collect()
    }

    /// The number of repetitions that ran.
    pub fn repetitions_done(&self) -> u32 {
        self.samples.iter().map(|sample| sample.repetition + 1).max().unwrap_or(0)
    }

    /// The ratios of one row to another: the values of the same repetition divided.
    pub fn ratios(&self, row: &str, to: &str, column: Column) -> Vec<f64> {
        self.divided((row, column), (to, column))
    }

    /// The ratios of one cell to another: the values of the same repetition divided.
    pub fn divided(&self, (row, column): (&str, Column), (to, other): (&str, Column)) -> Vec<f64> {
        let others = self.measured(to, other);
        let same = |repetition: u32| others.iter().find(|(other, _)| *other == repetition);
        let ratio = |(repetition, measured): (u32, &Measured)| {
            same(repetition).filter(|(_, other)| other.value > 0.0).map(|(_, other)| measured.value / other.value)
        };
        self.measured(row, column).into_iter().filter_map(ratio).collect()
    }
}
