//! `tracker wait`: waits until a task has ended.

use std::{io, time::Duration};

use serde::Serialize;
use tracker_core::{events::Waited, status::Role};

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    human_duration::HumanDuration,
    output::{Output, TextStyle, TextWriter, View},
    task::TaskView,
};

/// Waits until one task has ended
///
/// Exits with 0 if the task has succeeded, and with 1 if it was given up, ignored, cancelled or deleted, or has not ended in time.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The id of the task, as other commands print it
    id: String,
    #[command(flatten)]
    kind: KindArg,
    /// How long to wait at most [default: without a bound]
    #[arg(long, value_name = "DURATION")]
    within: Option<HumanDuration>,
}

#[derive(Serialize)]
struct WaitResult {
    result: &'static str,
    /// Present if the task has ended.
    task: Option<TaskView>,
    #[serde(skip)]
    id: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let within = self.within.map_or(Duration::MAX, |within| within.0);
        let (result, record) = match tasks.wait(&id, within)? {
            Waited::Ended(record) => ("ended", Some(record)),
            Waited::Deleted => ("deleted", None),
            _ => ("timed_out", None),
        };
        let succeeded = record.as_ref().is_some_and(|record| record.status.role == Role::Succeeded);
        let kind = tasks.info()?;
        let task = record.map(|record| TaskView::new(*record, &kind));
        output.print(&WaitResult { result, task, id: id.to_string() })?;
        Ok(if succeeded { Exit::Success } else { Exit::Findings })
    }
}

impl View for WaitResult {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.text(TextStyle::Strong, &self.id)?;
        match &self.task {
            Some(task) => out.line(task.status.means.into(), &format!("  {}", task.status.status)),
            None if self.result == "deleted" => out.line(TextStyle::Warn, "  was deleted"),
            None => out.line(TextStyle::Warn, "  has not ended in time"),
        }
    }
}
