//! `RunLog` is a `tracing` layer that writes the log of each run as text. Made by users, called by `tracing` for the events of
//! `engine/run_log`; writes to the given writer, behind a lock.

use std::{
    fmt,
    io::Write,
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::engine::run_log::TARGET;

/// How wide a banner is, in characters.
const WIDTH: usize = 80;

/// A layer for `tracing-subscriber` that writes a text log of each run: a banner, the lock, how it ended and with which
/// status, and a closing banner; refused starts too, with their reason. Needs the feature `run-log`.
///
/// It writes the events that the library emits to `tracing` under the target `tracker_core::run` at the level `DEBUG`, when it is
/// durable. Without a subscriber nothing is recorded. Where many tasks run at once, the lines of one event stay together.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::Tracker;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// # jobs.submit(&job("one"))?;
/// let log = tracing_subscriber::registry().with(tracker_core::events::RunLog::new(std::io::stderr()));
/// tracing::subscriber::with_default(log, || jobs.run("one", |_| Ok::<_, std::io::Error>(())))?;
/// // +----- start job "one" (1 Pending, attempt 1) ------------------------------------+
/// // | trying to lock it, with status 2 (InProgress)
/// // | locked by pid 1234 until 2026-01-01 12:05:00 UTC, fence 1
/// // | succeeded: status 4 (Succeeded), unlocked
/// // +----- end job "one" (4 Succeeded) -----------------------------------------------+
/// # Ok(())
/// # }
/// ```
pub struct RunLog<W>(Mutex<W>);

impl<W: Write> RunLog<W> {
    /// Writes to `out`, such as `std::io::stderr()` or a file. Text that it cannot write is lost.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(out))
    }
}

impl<W> fmt::Debug for RunLog<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLog").finish_non_exhaustive()
    }
}

impl<S: Subscriber, W: Write + Send + 'static> Layer<S> for RunLog<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut fields = LoggedFields::default();
        event.record(&mut fields);
        if let Some(text) = fields.text() {
            let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        }
    }
}

/// The fields of an event.
#[derive(Default)]
struct LoggedFields {
    message: String,
    kind: String,
    id: String,
    fence: u64,
    attempt: u64,
    worker: String,
    until: String,
    was: i64,
    was_name: String,
    status: i64,
    status_name: String,
    attempt_status: String,
    failures: u64,
    most: u64,
    due: String,
    error: String,
    reason: String,
}

impl Visit for LoggedFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "fence" => self.fence = value,
            "attempt" => self.attempt = value,
            "failures" => self.failures = value,
            "most" => self.most = value,
            _ => {}
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "was" => self.was = value,
            "status" => self.status = value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = match field.name() {
            "message" => &mut self.message,
            "kind" => &mut self.kind,
            "id" => &mut self.id,
            "worker" => &mut self.worker,
            "until" => &mut self.until,
            "was_name" => &mut self.was_name,
            "status_name" => &mut self.status_name,
            "attempt_status" => &mut self.attempt_status,
            "due" => &mut self.due,
            "error" => &mut self.error,
            "reason" => &mut self.reason,
            _ => return,
        };
        *text = format!("{value:?}");
    }
}

impl LoggedFields {
    fn text(&self) -> Option<String> {
        let mut text = String::new();
        match self.message.as_str() {
            "started" => {
                banner(&mut text, "start", self, &format!("{} {}, attempt {}", self.was, self.was_name, self.attempt));
                line(&mut text, &format!("trying to lock it, with status {} ({})", self.status, self.status_name));
                line(&mut text, &format!("locked by {} until {}, fence {}", self.worker, self.until, self.fence));
            }
            "ended" => {
                line(&mut text, &format!("{}: status {} ({}), unlocked", self.how(), self.status, self.status_name));
                line(&mut text, &self.error);
                if !self.due.is_empty() {
                    // After a success it is the next step, or a changed task, that is due.
                    let what = if self.attempt_status == "succeeded" { "goes on" } else { "due again" };
                    line(&mut text, &format!("{what} at {}", self.due));
                }
                banner(&mut text, "end", self, &format!("{} {}", self.status, self.status_name));
            }
            "refused" => {
                banner(&mut text, "start", self, "refused");
                line(&mut text, &format!("{}: nothing is done", self.reason));
                banner(&mut text, "end", self, "unchanged");
            }
            _ => return None,
        }
        Some(text)
    }

    /// How the attempt ended, in words.
    fn how(&self) -> String {
        match self.attempt_status.as_str() {
            "failed" if !self.due.is_empty() && self.most > 0 => format!("failed {} of {}", self.failures, self.most),
            "failed" if self.most > 0 && self.failures >= self.most => {
                format!("failed {} times already", self.failures)
            }
            "gave_up" => "failed for good".to_owned(),
            "crashed" if self.due.is_empty() => "crashed too often".to_owned(),
            "interrupted" if self.due.is_empty() => "interrupted too often".to_owned(),
            other => other.replace('_', " "),
        }
    }
}

/// Prefixes each line of a text with a bar.
fn line(text: &mut String, said: &str) {
    for said in said.lines() {
        text.push_str("| ");
        text.push_str(said);
        text.push('\n');
    }
}

fn banner(text: &mut String, what: &str, fields: &LoggedFields, more: &str) {
    let title = format!("{what} {} {:?} ({more}) ", fields.kind, fields.id);
    let rest = (WIDTH - 8).saturating_sub(title.chars().count()).max(1);
    text.extend(["+----- ", &title, &"-".repeat(rest), "+\n"]);
}
