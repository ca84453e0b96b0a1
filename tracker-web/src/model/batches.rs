//! `BatchesPage`: the latest batches. Called by `routes`; reads the tracker.

use tracker_core::{
    Tracker,
    batch::BatchInfo,
    chrono::{DateTime, Utc},
};

use crate::failure::Failure;

pub struct BatchesPage {
    pub batches: Vec<BatchInfo>,
    /// Whether there are more than these.
    pub has_more: bool,
    pub now: DateTime<Utc>,
}

/// The number of batches on the page.
pub const BATCHES: usize = 100;

impl BatchesPage {
    pub fn read(tracker: &Tracker) -> Result<Self, Failure> {
        let mut batches = tracker.batches(BATCHES + 1)?;
        let has_more = batches.len() > BATCHES;
        batches.truncate(BATCHES);
        Ok(Self { batches, has_more, now: tracker.now() })
    }
}
