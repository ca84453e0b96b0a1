//! `ClockAhead`: how far the time of a file is ahead of the system clock. Shown by `status`, `show` and `doctor`; reads the tracker.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::Tracker;

use crate::{error::CliError, human_duration::HumanDuration, output::time};

/// Smaller differences are usual between two processes.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How far the time of a file is ahead of the system clock, because a clock was wrong once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockAhead {
    pub seconds: u64,
    pub file_time: DateTime<Utc>,
    pub system_time: DateTime<Utc>,
    /// The finding, its consequence and the way out.
    pub text: String,
}

impl ClockAhead {
    /// Returns `None` if the time of the file is not ahead.
    pub fn of(tracker: &Tracker) -> Result<Option<Self>, CliError> {
        let found = tracker.file_time()?;
        let ahead = found.ahead();
        if ahead <= TOLERANCE {
            return Ok(None);
        }
        let text = format!(
            "the file's time, {}, is {} ahead of the system clock, because a clock was wrong once: delays and retries pass only while the application runs; if the system clock is right, stop the application and run `tracker doctor --repair-time`",
            time::local(found.stored),
            HumanDuration(Duration::from_secs(ahead.as_secs())),
        );
        Ok(Some(Self { seconds: ahead.as_secs(), file_time: found.stored, system_time: found.clock, text }))
    }
}
