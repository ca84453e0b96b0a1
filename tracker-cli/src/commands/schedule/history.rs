//! `tracker schedule history`: the latest occurrences of a schedule. Reads the file.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::schedule::OccurrenceRecord;

use super::found;
use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Cell, Output, Table, TextStyle, TextWriter, View, time},
};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The name of the schedule
    name: String,
    /// The number of occurrences, at most 100
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

#[derive(Serialize)]
struct History {
    name: String,
    /// The latest first.
    occurrences: Vec<OccurrenceView>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// An occurrence. Its id and status are null if its task was deleted.
#[derive(Serialize)]
struct OccurrenceView {
    scheduled_at: DateTime<Utc>,
    id: Option<String>,
    status: Option<String>,
    #[serde(skip)]
    style: TextStyle,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let occurrences = found(&tracker, &self.name)?.occurrences(self.limit)?;
        let occurrences = occurrences.into_iter().map(OccurrenceView::from).collect();
        output.print(&History { name: self.name.clone(), occurrences, now: tracker.now() })?;
        Ok(Exit::Success)
    }
}

impl From<OccurrenceRecord> for OccurrenceView {
    fn from(record: OccurrenceRecord) -> Self {
        Self {
            scheduled_at: record.scheduled_at,
            id: record.id.map(|id| id.to_string()),
            style: record.status.as_ref().map_or(TextStyle::Quiet, |status| TextStyle::from(status.role)),
            status: record.status.map(|status| status.name),
        }
    }
}

impl View for History {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.occurrences.is_empty() {
            return out.line(TextStyle::Quiet, "no occurrence was submitted yet");
        }
        let mut table = Table::new(["scheduled for", "", "task", "status"]);
        for one in &self.occurrences {
            table.row([
                Cell::new(TextStyle::Plain, time::local(one.scheduled_at)),
                Cell::new(TextStyle::Quiet, time::relative(one.scheduled_at, self.now)),
                Cell::new(TextStyle::Plain, one.id.as_deref().unwrap_or_default()),
                Cell::new(one.style, one.status.as_deref().unwrap_or("deleted")),
            ]);
        }
        table.write(out)
    }
}
