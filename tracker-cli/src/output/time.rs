//! Times as text: local time, and relative to now. Called by commands; reads the local time zone.

use std::time::Duration;

use chrono::{DateTime, Local, Utc};

use crate::human_duration::HumanDuration;

/// Formats a time in the local time zone.
pub fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Formats the distance to a time: `5m ago` or `in 5m`.
pub fn relative(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (past, future) = ((now - time).to_std(), (time - now).to_std());
    match (past, future) {
        (Ok(past), _) if past < Duration::from_millis(1) => "now".to_owned(),
        (Ok(past), _) => format!("{} ago", HumanDuration(past)),
        (_, Ok(future)) => format!("in {}", HumanDuration(future)),
        _ => local(time),
    }
}

/// Returns the time that has passed since.
pub fn since(time: DateTime<Utc>, now: DateTime<Utc>) -> HumanDuration {
    HumanDuration((now - time).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_and_future_times_are_relative_to_now() {
        let now = DateTime::UNIX_EPOCH;
        for (seconds, text) in [(0, "now"), (-90, "1m 30s ago"), (90, "in 1m 30s")] {
            assert_eq!(relative(now + chrono::TimeDelta::seconds(seconds), now), text);
        }
    }
}
