//! `tracker recover`: copies the readable part of a damaged file. Reads that file, writes a new one.

use std::{io, path::PathBuf};

use serde::Serialize;
use tracker_core::Tracker;

use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Output, TextStyle, TextWriter, View, number},
};

/// Copies the readable tasks of a damaged file into a new file
///
/// Use a copy of the damaged file: opening repairs a file that was not closed. Exit code 1 if tasks were lost.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The new file
    #[arg(value_name = "INTO")]
    into: PathBuf,
}

#[derive(Serialize)]
struct Recovered {
    tasks: u64,
    lost: Vec<LostTask>,
    batches_lost: Vec<String>,
    schedules_lost: Vec<String>,
    throttles_lost: Vec<String>,
    budgets_lost: Option<String>,
    earlier_commit: bool,
}

#[derive(Serialize)]
struct LostTask {
    kind: String,
    id: Option<String>,
    what: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let recovered = {
            let path = self.file.file_only("recover", "restore a backup of the server")?;
            Tracker::recover(path, &self.into)?
        };
        let lost = recovered.lost.into_iter();
        let lost = lost.map(|lost| LostTask { kind: lost.kind, id: lost.id.map(|id| id.to_string()), what: lost.what });
        let recovered = Recovered {
            tasks: recovered.tasks,
            lost: lost.collect(),
            batches_lost: recovered.batches_lost,
            schedules_lost: recovered.schedules_lost,
            throttles_lost: recovered.throttles_lost,
            budgets_lost: recovered.budgets_lost,
            earlier_commit: recovered.earlier_commit,
        };
        output.print(&recovered)?;
        let is_complete = recovered.lost.is_empty()
            && recovered.batches_lost.is_empty()
            && recovered.schedules_lost.is_empty()
            && recovered.throttles_lost.is_empty()
            && recovered.budgets_lost.is_none()
            && !recovered.earlier_commit;
        Ok(if is_complete { Exit::Success } else { Exit::Findings })
    }
}

impl View for Recovered {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        for lost in &self.lost {
            let id = lost.id.as_deref().unwrap_or("(its id cannot be read)");
            out.line(TextStyle::Bad, &format!("lost: {} {id}: {}", lost.kind, lost.what))?;
        }
        for what in &self.batches_lost {
            out.line(TextStyle::Bad, &format!("lost: a batch: {what}"))?;
        }
        for what in &self.schedules_lost {
            out.line(TextStyle::Bad, &format!("lost: a schedule: {what}"))?;
        }
        for what in &self.throttles_lost {
            out.line(TextStyle::Bad, &format!("lost: a throttle key: {what}"))?;
        }
        if let Some(what) = &self.budgets_lost {
            out.line(TextStyle::Bad, &format!("lost: the budgets: {what}"))?;
        }
        if self.earlier_commit {
            let text = "the last commit cannot be read: the new file has the state of the commit before it";
            out.line(TextStyle::Bad, text)?;
        }
        out.line(TextStyle::Plain, &format!("{} recovered", number::counted(self.tasks, "task", "tasks")))
    }
}
