//! `tracker doctor --repair-time`.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::maintenance::TimeRepair;

use crate::{
    act::ConfirmArg,
    exit::Exit,
    failure::Failure,
    file::{ClockAhead, FileArg},
    output::{Ink, Output, Page, View, number, time},
};

#[derive(Serialize)]
struct Repaired {
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    /// How many tasks had a time that lay ahead.
    tasks: u64,
    redated: Vec<Redated>,
}

/// A task that waits for another due time now.
#[derive(Serialize)]
struct Redated {
    kind: String,
    id: String,
    before: DateTime<Utc>,
    after: DateTime<Utc>,
}

pub fn run(file: &FileArg, confirm: &ConfirmArg, output: &Output) -> Result<Exit, Failure> {
    let tracker = file.look()?;
    let (found, ahead) = (tracker.file_time()?, ClockAhead::of(&tracker)?);
    tracker.close()?;
    if ahead.is_none() {
        let nothing = Repaired { before: found.stored, after: found.stored, tasks: 0, redated: Vec::new() };
        output.put(&nothing)?;
        return Ok(Exit::Fine);
    }
    let question = format!(
        "the file's time {} would be set back to that of the system clock, {}, and so would the times that tasks have from it",
        time::local(found.stored),
        time::local(found.clock),
    );
    if !confirm.ask(output, &question)? {
        return Ok(Exit::Findings);
    }
    output.put(&Repaired::from(file.repair_time()?))?;
    Ok(Exit::Fine)
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
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        if self.before == self.after {
            return page.line(Ink::Good, "the file's time is not ahead of the system clock: nothing to repair");
        }
        for task in &self.redated {
            let (before, after) = (time::local(task.before), time::local(task.after));
            page.line(Ink::Plain, &format!("{} {}: due {after}, was {before}", task.kind, task.id))?;
        }
        let (before, after) = (time::local(self.before), time::local(self.after));
        let tasks = number::counted(self.tasks, "task", "tasks");
        page.line(Ink::Good, &format!("the file's time is {after}, was {before}; {tasks} had a time that lay ahead"))
    }
}
