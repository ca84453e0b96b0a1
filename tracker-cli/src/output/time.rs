use std::time::Duration;

use chrono::{DateTime, Local, Utc};

use crate::span::Span;

/// A time for people: in their time zone.
pub fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago it was, or how long it is until then.
pub fn relative(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (past, future) = ((now - time).to_std(), (time - now).to_std());
    match (past, future) {
        (Ok(past), _) if past < Duration::from_millis(1) => "now".to_owned(),
        (Ok(past), _) => format!("{} ago", Span(past)),
        (_, Ok(future)) => format!("in {}", Span(future)),
        _ => local(time),
    }
}

/// How long ago it was.
pub fn since(time: DateTime<Utc>, now: DateTime<Utc>) -> Span {
    Span((now - time).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_now() {
        let now = DateTime::UNIX_EPOCH;
        for (seconds, text) in [(0, "now"), (-90, "1m 30s ago"), (90, "in 1m 30s")] {
            assert_eq!(relative(now + chrono::TimeDelta::seconds(seconds), now), text);
        }
    }
}
