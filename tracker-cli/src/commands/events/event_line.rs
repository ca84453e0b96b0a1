//! `EventLine`: an event as `tracker events` prints it, one line each. Called by `events`; pure.

use std::io;

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde::Serialize;
use tracker_core::{
    events::{Event, EventKind, Notification},
    live::LiveEvent,
    status::{Role, StatusInfo},
};

use crate::{
    output::{TextStyle, TextWriter, View},
    task::TaskView,
};

/// Fields that an event does not have are left out.
#[derive(Default, Serialize)]
pub struct EventLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<DateTime<Utc>>,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// How the attempt ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    succeeded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    /// A task of a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Box<TaskView>>,
    #[serde(skip)]
    means: Option<Role>,
}

impl EventLine {
    fn at(time: DateTime<Utc>, event: &'static str) -> Self {
        Self { time: Some(time), event, ..Self::default() }
    }

    /// From here on events are printed.
    pub fn connected() -> Self {
        Self::at(Utc::now(), "connected")
    }

    /// The application has ended; no event is printed until it is connected again.
    pub fn disconnected() -> Self {
        Self::at(Utc::now(), "disconnected")
    }

    /// A stored task.
    pub fn task(task: TaskView) -> Self {
        Self { event: "task", task: Some(Box::new(task)), ..Self::default() }
    }

    /// Returns `None` for an event that this version does not know.
    pub fn of(event: LiveEvent) -> Option<Self> {
        let kind = |event, kind: &str, at| Self { kind: Some(kind.to_owned()), ..Self::at(at, event) };
        Some(match event.notification {
            Notification::Event(of_task) => return Self::of_task(of_task, event.status),
            Notification::KindPaused { kind: name, at } => kind("kind_paused", &name, at),
            Notification::KindResumed { kind: name, at } => kind("kind_resumed", &name, at),
            Notification::QueueEmpty { kind: name, at, running } => {
                Self { running: Some(running), ..kind("queue_empty", &name, at) }
            }
            Notification::BatchFinished { number, label, at, succeeded } => Self {
                batch: Some(number),
                label: Some(label.to_string()),
                succeeded: Some(succeeded),
                ..Self::at(at, "batch_finished")
            },
            Notification::Lagged(missed) => Self { event: "lagged", missed: Some(missed), ..Self::default() },
            _ => return None,
        })
    }

    fn of_task(event: Event, status: Option<StatusInfo>) -> Option<Self> {
        let means = status.as_ref().map(|status| status.role);
        let line = Self {
            time: Some(event.at),
            kind: Some(event.kind.to_string()),
            id: Some(event.id.to_string()),
            role: means.map(Role::name),
            status: status.map(|status| status.name),
            attempt: Some(event.attempt),
            error: event.error,
            batch: event.batch,
            means,
            ..Self::default()
        };
        Some(match event.what {
            EventKind::Submitted => Self { event: "submitted", ..line },
            EventKind::Claimed { worker } => Self { event: "claimed", worker: Some(worker), ..line },
            EventKind::Ended { status } => Self { event: "ended", outcome: Some(status.name()), ..line },
            EventKind::Progress { done, total, message } => {
                Self { event: "progress", done: Some(done), total, message: Some(message), ..line }
            }
            EventKind::Changed => Self { event: "changed", ..line },
            EventKind::Deleted => Self { event: "deleted", ..line },
            _ => return None,
        })
    }

    /// Returns the parts of the event that the columns lack.
    fn details(&self) -> Vec<String> {
        let mut details = Vec::new();
        if let Some(attempt) = self.attempt.filter(|attempt| *attempt > 0) {
            details.push(format!("attempt {attempt}"));
        }
        details.extend(self.outcome.map(str::to_owned));
        details.extend(self.worker.as_ref().map(|worker| format!("by {worker}")));
        match (self.done, self.total) {
            (Some(done), Some(total)) => details.push(format!("{done} of {total}")),
            (Some(done), None) => details.push(done.to_string()),
            (None, _) => {}
        }
        details.extend(self.message.clone().filter(|message| !message.is_empty()));
        details.extend(self.label.clone());
        details.extend(
            self.succeeded.map(|succeeded| if succeeded { "all succeeded" } else { "not all succeeded" }.into()),
        );
        details.extend(self.running.map(|running| format!("{running} running")));
        details.extend(self.missed.map(|missed| format!("{missed} events missed: read slower than they came")));
        if let Some(task) = &self.task {
            details.push(format!("{} {}", task.kind, task.id));
        }
        let error = self.error.as_deref().and_then(|error| error.lines().next());
        details.extend(error.map(|error| format!("error: {error}")));
        details
    }

    fn style(&self) -> TextStyle {
        let means = self.means.or(self.task.as_ref().map(|task| task.status.means));
        match self.event {
            "lagged" | "disconnected" => TextStyle::Warn,
            _ => means.map_or(TextStyle::Plain, Into::into),
        }
    }
}

impl View for EventLine {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if let Some(time) = self.time {
            let time = time.with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false);
            out.text(TextStyle::Quiet, &format!("{time}  "))?;
        }
        for text in [&self.kind, &self.id].into_iter().flatten() {
            out.text(TextStyle::Strong, &format!("{text}  "))?;
        }
        out.text(self.style(), self.event)?;
        let status = self.status.as_ref().or(self.task.as_ref().map(|task| &task.status.status));
        if let Some(status) = status {
            out.text(self.style(), &format!("  {status}"))?;
        }
        for detail in self.details() {
            out.text(TextStyle::Plain, &format!("  {detail}"))?;
        }
        out.end()
    }
}
