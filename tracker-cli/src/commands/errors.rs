//! `tracker errors`: failed tasks grouped by their errors. Reads the file.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, untyped::Untyped};

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::{Output, TextStyle, TextWriter, View, number, time},
};

/// Groups failed and given-up tasks by their errors
///
/// Groups by the deepest cause of the last error, with placeholders such as {id}, {number} and {path} for the parts that differ.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Reads at most this many tasks of each kind, the latest failures first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
}

#[derive(Serialize)]
struct AllErrors {
    kinds: Vec<ErrorsView>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

#[derive(Serialize)]
struct ErrorsView {
    kind: String,
    examined: u64,
    /// Whether every failed task was examined.
    complete: bool,
    groups: Vec<GroupView>,
}

#[derive(Serialize)]
struct GroupView {
    message: String,
    /// The latest error with its causes.
    latest_error: String,
    count: u64,
    /// The number of tasks that will be retried.
    retrying: u64,
    latest: DateTime<Utc>,
    examples: Vec<String>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(|tasks| self.errors(tasks)).collect::<Result<_, _>>()?;
        output.print(&AllErrors { kinds, now: tracker.now() })?;
        Ok(Exit::Success)
    }

    fn errors(&self, tasks: &Tasks<Untyped>) -> Result<ErrorsView, CliError> {
        let errors = tasks.errors(self.limit)?;
        let groups = errors.groups.into_iter().map(|group| GroupView {
            message: group.message,
            latest_error: group.latest_error,
            count: group.count,
            retrying: group.retrying,
            latest: group.latest,
            examples: group.examples.iter().map(ToString::to_string).collect(),
        });
        Ok(ErrorsView {
            kind: tasks.name().to_owned(),
            examined: errors.looked_at,
            complete: errors.complete,
            groups: groups.collect(),
        })
    }
}

impl View for AllErrors {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let mut shown = 0;
        for kind in self.kinds.iter().filter(|kind| !kind.groups.is_empty()) {
            if shown > 0 {
                out.end()?;
            }
            shown += 1;
            out.text(TextStyle::Strong, &kind.kind)?;
            let of = if kind.complete { "" } else { ", the latest" };
            out.line(TextStyle::Plain, &format!("  {} failed{of}", number::grouped(kind.examined)))?;
            for group in &kind.groups {
                group.write(out, self.now)?;
            }
        }
        if shown == 0 {
            out.line(TextStyle::Good, "no task has failed")?;
        }
        Ok(())
    }
}

impl GroupView {
    fn write(&self, out: &mut TextWriter<'_>, now: DateTime<Utc>) -> io::Result<()> {
        out.text(TextStyle::Strong, &format!("  {:>6}  ", number::grouped(self.count)))?;
        out.line(TextStyle::Bad, &self.message)?;
        if self.latest_error != self.message {
            out.line(TextStyle::Plain, &format!("          such as: {}", self.latest_error))?;
        }
        let retrying = match self.retrying {
            0 => "given up".to_owned(),
            all if all == self.count => "will be retried".to_owned(),
            some => format!("{} will be retried, the others were given up", number::grouped(some)),
        };
        out.line(TextStyle::Quiet, &format!("          {retrying}; the latest {}", time::relative(self.latest, now)))?;
        let more = if self.count > self.examples.len() as u64 { " …" } else { "" };
        out.line(TextStyle::Plain, &format!("          {}{more}", self.examples.join(", ")))
    }
}
