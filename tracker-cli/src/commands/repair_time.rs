//! `tracker doctor --repair-time`: sets the time of a file back to the system clock. Called by `doctor`; opens the file alone and writes it.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::maintenance::TimeRepair;

use crate::{
    bulk::ConfirmArg,
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Output, TextStyle, TextWriter, View, number, time},
};

#[derive(Serialize)]
struct Repaired {
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    /// The number of tasks with a time ahead of the clock.
    tasks: u64,
    redated: Vec<Redated>,
}

/// A task whose due time was changed.
#[derive(Serialize)]
struct Redated {
    kind: String,
    id: String,
    before: DateTime<Utc>,
    after: DateTime<Utc>,
}

pub fn run(file: &FileArg, confirm: &ConfirmArg, output: &Output) -> Result<Exit, CliError> {
    file.file_only("doctor --repair-time", "set its clock right: the server's clock counts")?;
    let tracker = file.inspect()?;
    let (found, ahead) = (tracker.file_time()?, file.clock_ahead(&tracker)?);
    tracker.close()?;
    if ahead.is_none() {
        let nothing = Repaired { before: found.stored, after: found.stored, tasks: 0, redated: Vec::new() };
        output.print(&nothing)?;
        return Ok(Exit::Success);
    }
    let question = format!(
        "the file's time {} would be set back to the system clock, {}, and with it times of tasks",
        time::local(found.stored),
        time::local(found.clock),
    );
    if !confirm.ask(output, &question)? {
        return Ok(Exit::Findings);
    }
    output.print(&Repaired::from(file.repair_time()?))?;
    Ok(Exit::Success)
}

impl From<TimeRepair> for Repaired {
    fn from(repair: TimeRepair) -> Self {
        let redated = repair.redated.into_iter().map(|task| Redated {
            kind: task.kind,
            id: task.id.to_string(),
            before: task.before,
            after: task.after,
        });
        Self { before: repair.before, after: repair.after, tasks: repair.tasks, redated: redated.collect() }
    }
}

impl View for Repaired {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.before == self.after {
            return out.line(TextStyle::Good, "the file's time is not ahead of the system clock: nothing to repair");
        }
        for task in &self.redated {
            let (before, after) = (time::local(task.before), time::local(task.after));
            out.line(TextStyle::Plain, &format!("{} {}: due {after}, was {before}", task.kind, task.id))?;
        }
        let (before, after) = (time::local(self.before), time::local(self.after));
        let tasks = number::counted(self.tasks, "task", "tasks");
        out.line(
            TextStyle::Good,
            &format!("the file's time is {after}, was {before}; {tasks} had a time ahead of the clock"),
        )
    }
}
