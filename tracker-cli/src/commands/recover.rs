use std::{io, path::PathBuf};

use serde::Serialize;
use tracker_core::Tracker;

use crate::{
    exit::Exit,
    failure::Failure,
    file::FileArg,
    output::{Ink, Output, Page, View, number},
};

/// Copies what is readable of a damaged file into a new one
///
/// Work on a copy of the damaged file: if it was not closed cleanly, opening it repairs it first. Ends with 1 if tasks
/// were lost.
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
    earlier_commit: bool,
}

#[derive(Serialize)]
struct LostTask {
    kind: String,
    id: Option<String>,
    what: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let recovered = Tracker::recover(&self.file.file, &self.into)?;
        let lost = recovered.lost.into_iter();
        let lost = lost.map(|lost| LostTask { kind: lost.kind, id: lost.id.map(|id| id.to_string()), what: lost.what });
        let recovered = Recovered {
            tasks: recovered.tasks,
            lost: lost.collect(),
            batches_lost: recovered.batches_lost,
            earlier_commit: recovered.earlier_commit,
        };
        output.put(&recovered)?;
        let whole = recovered.lost.is_empty() && recovered.batches_lost.is_empty() && !recovered.earlier_commit;
        Ok(if whole { Exit::Fine } else { Exit::Findings })
    }
}

impl View for Recovered {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for lost in &self.lost {
            let id = lost.id.as_deref().unwrap_or("(its id cannot be read)");
            page.line(Ink::Bad, &format!("lost: {} {id}: {}", lost.kind, lost.what))?;
        }
        for what in &self.batches_lost {
            page.line(Ink::Bad, &format!("lost: a batch: {what}"))?;
        }
        if self.earlier_commit {
            let text = "the latest commit cannot be read: the new file is as of the commit before it";
            page.line(Ink::Bad, text)?;
        }
        page.line(Ink::Plain, &format!("{} recovered", number::counted(self.tasks, "task", "tasks")))
    }
}
