//! `tracker wait`: waits until tasks have ended. Reads the file.

use std::{io, time::Duration};

use serde::Serialize;
use tracker_core::{events::Waited, status::Role};

#[cfg(unix)]
use crate::commands::notify::notify;
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
    /// Runs this command with /bin/sh at the end of the wait, with the result in its environment and on its standard input
    #[cfg(unix)]
    #[arg(long, value_name = "COMMAND", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    notify: Option<String>,
}

/// The end of a wait, as the command of `--notify` gets it.
#[cfg(unix)]
#[derive(Serialize)]
struct WaitEnd<'a> {
    file: String,
    kind: &'a str,
    id: &'a str,
    result: &'static str,
    /// Absent if the task has not ended.
    status: Option<&'a str>,
    /// The first line of its last error.
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct WaitResult {
    result: &'static str,
    /// Present if the task has ended.
    task: Option<TaskView>,
    #[serde(skip)]
    id: String,
    #[serde(skip)]
    kind: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = self.wait()?;
        // The file is closed: the command may use it.
        #[cfg(unix)]
        if let Some(command) = &self.notify {
            self.end(&result).notify(command);
        }
        output.print(&result)?;
        let succeeded = result.task.is_some_and(|task| task.status.means == Role::Succeeded);
        Ok(if succeeded { Exit::Success } else { Exit::Findings })
    }

    fn wait(&self) -> Result<WaitResult, CliError> {
        let tracker = self.file.inspect()?;
        let (tasks, id) = self.kind.task(&tracker, &self.id)?;
        let within = self.within.map_or(Duration::MAX, |within| within.0);
        let (result, record) = match tasks.wait(&id, within)? {
            Waited::Ended(record) => ("ended", Some(record)),
            Waited::Deleted => ("deleted", None),
            _ => ("timed_out", None),
        };
        let kind = tasks.info()?;
        let task = record.map(|record| TaskView::new(*record, &kind));
        Ok(WaitResult { result, task, id: id.to_string(), kind: kind.name })
    }

    #[cfg(unix)]
    fn end<'r>(&self, result: &'r WaitResult) -> WaitEnd<'r> {
        let task = result.task.as_ref();
        WaitEnd {
            file: self.file.name(),
            kind: &result.kind,
            id: &result.id,
            result: match task.map(|task| task.status.means) {
                Some(Role::Exhausted) => "given_up",
                Some(role) => role.name(),
                None => result.result,
            },
            status: task.map(|task| task.status.status.as_str()),
            error: task.and_then(|task| task.error.as_deref()),
        }
    }
}

#[cfg(unix)]
impl WaitEnd<'_> {
    fn notify(&self, command: &str) {
        let environment = [
            ("TRACKER_FILE", self.file.as_str()),
            ("TRACKER_KIND", self.kind),
            ("TRACKER_ID", self.id),
            ("TRACKER_RESULT", self.result),
            ("TRACKER_ERROR", self.error.unwrap_or_default()),
        ];
        notify(command, environment.map(|(name, text)| (name, text.to_owned())), self);
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
