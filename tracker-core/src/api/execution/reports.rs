//! Defines the reports of a handler on its attempt: progress, notes and metrics. Called by users. Progress is queued in `Engine` without a wait; its
//! commit also renews the lease, and notices a cancellation. Notes and metrics stay in memory until the end of the attempt. Calls
//! `Options::redact`, which is user code.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::Execution;
use crate::{
    engine::{Action, TaskCommand, Writer},
    model::{
        bounds::{MANY, NAME, TEXT, shorten},
        error::Result,
        panics,
        task::TrackedTask,
        task_row::Progress,
        transition::Command,
    },
};

impl<T: TrackedTask> Execution<T> {
    /// Tells how far the attempt is. Does not wait: it is durable within 100 ms. Renews the lease too.
    pub fn progress(&mut self, done: u64, total: Option<u64>, message: impl Into<String>) {
        let progress = Progress { done, total, message: self.shared.text(message, TEXT), at: self.shared.engine.now() };
        let command = Command::Renew { owner: self.owner, lease: None, begin: false };
        let command =
            TaskCommand { progress: Some(progress), ..TaskCommand::new(self.kind.id, self.target(), command) };
        if let Err(error) = self.shared.engine.post(UpdateProgress { command, cancelled: self.cancelled.clone() }) {
            panics::log_catching_panics(|| tracing::debug!(%error, "progress was not stored"));
        }
    }

    /// Adds a note to the attempt's history, for every outcome. At most 100 notes of 16 KiB are kept.
    pub fn note(&mut self, text: impl Into<String>) {
        if self.annotations.notes.len() < MANY {
            self.annotations.notes.push(self.shared.text(text, TEXT));
        }
    }

    /// Stores a number in the attempt's history, for every outcome. At most 100 are kept.
    pub fn metric(&mut self, name: impl Into<String>, value: f64) {
        if self.annotations.metrics.len() < MANY {
            self.annotations.metrics.push((shorten(name.into(), NAME), value));
        }
    }
}

/// A command without a waiting caller. Its answer notifies the execution of a cancellation.
struct UpdateProgress {
    command: TaskCommand,
    cancelled: Arc<AtomicBool>,
}

impl Action for UpdateProgress {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        if self.command.run(writer)?.is_some_and(|header| header.cancel) {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
