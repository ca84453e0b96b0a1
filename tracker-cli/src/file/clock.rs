use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::Tracker;

use crate::{failure::Failure, output::time, span::Span};

/// Less is usual between two processes.
const TOLERANCE: Duration = Duration::from_secs(60);

/// A file whose time lies ahead of the system clock, since some clock was wrong once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockAhead {
    pub seconds: u64,
    pub file_time: DateTime<Utc>,
    pub system_time: DateTime<Utc>,
    /// What it is, what follows from it, and what to do.
    pub text: String,
}

impl ClockAhead {
    /// `None` where the file's time is right.
    pub fn of(tracker: &Tracker) -> Result<Option<Self>, Failure> {
        let found = tracker.file_time()?;
        let ahead = found.prefetch();
        if ahead <= TOLERANCE {
            return Ok(None);
        }
        let text = format!(
            "the file's time, {}, is {} ahead of the system clock, since a clock was wrong once: delays and retries pass only while the application runs; if the system clock is right, stop the application and run `tracker doctor --repair-time`",
            time::local(found.stored),
            Span(Duration::from_secs(ahead.as_secs())),
        );
        Ok(Some(Self { seconds: ahead.as_secs(), file_time: found.stored, system_time: found.clock, text }))
    }
}
