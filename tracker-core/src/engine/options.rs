//! `EngineOptions` states how an engine is opened. Made by `api/options`, read by `Tracker::start` and `Engine::open`; plain data.

use std::time::Duration;

use super::Place;
use crate::{
    model::{codec::PayloadCodecs, durability::Durability, time::TimeKeeper},
    storage::file::FileOptions,
};

/// How an engine is opened.
pub(crate) struct EngineOptions {
    pub place: Place,
    pub file: FileOptions,
    pub time: TimeKeeper,
    pub read_only: bool,
    /// How long a write waits for another process.
    pub patience: Duration,
    /// Durability of submits that do not choose one.
    pub durability: Durability,
    /// How often the retention is applied without a call.
    pub prune_every: Option<Duration>,
    /// Encode the payloads of tasks.
    pub codecs: PayloadCodecs,
    /// How long batches without tasks are kept.
    pub keep_batches: Duration,
}
