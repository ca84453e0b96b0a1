use std::io;

use serde::Serialize;
use tracker_core::Tasks;

use super::{
    input::Batch,
    line::{Line, LineStatus},
    numbers::newest,
    place::Filling,
    text::Text,
};
use crate::{
    failure::Failure,
    output::{Cell, Ink, Page, Table, View},
};

/// What a run would do with its lines, and why.
#[derive(Default, Serialize)]
pub struct Plan {
    /// Lines that would run.
    run: Vec<PlannedTask>,
    /// Lines that have succeeded.
    done: u64,
    /// Lines that were given up.
    given_up: u64,
    /// Lines that were set aside or cancelled by hand.
    set_aside: u64,
    /// Lines that run now.
    running: u64,
    /// Lines of earlier inputs that wait, and would run too.
    earlier: u64,
}

#[derive(Serialize)]
struct PlannedTask {
    number: u64,
    line: String,
    why: Why,
    command: String,
}

#[derive(Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Why {
    New,
    Waiting,
    Failed,
    GivenUp,
    Interrupted,
}

/// What the plan is for.
#[derive(Clone, Copy)]
pub struct Run {
    /// Lines that were given up are tried again.
    pub retry_failed: bool,
    /// Another run is at work on the file.
    pub is_alive: bool,
}

impl Plan {
    /// Compares the input with what stands in the file, if there is one.
    pub fn of(
        batches: impl IntoIterator<Item = Batch>,
        tasks: Option<&Tasks<Line>>,
        run: Run,
    ) -> Result<Self, Failure> {
        let mut plan = Self::default();
        let waiting = tasks.map_or(Ok(0), |tasks| tasks.query().unfinished().total())?;
        let mut highest = tasks.map_or(Ok(0), newest)?;
        for batch in batches {
            for line in batch? {
                let known = match tasks {
                    Some(tasks) => tasks.get(line.key())?,
                    None => None,
                };
                let status = known.as_ref().map(|record| record.status);
                let number = known.map_or_else(
                    || {
                        highest = highest.saturating_add(1);
                        highest
                    },
                    |record| record.task.number,
                );
                plan.add(&Line { number, ..line }, status, run);
            }
        }
        let seen = plan.run.iter().filter(|planned| matches!(planned.why, Why::Waiting | Why::Failed)).count();
        plan.earlier = waiting.saturating_sub(seen as u64);
        Ok(plan)
    }

    fn add(&mut self, line: &Line, status: Option<LineStatus>, run: Run) {
        let why = match status {
            None => Why::New,
            Some(LineStatus::Pending) => Why::Waiting,
            Some(LineStatus::Failed) => Why::Failed,
            Some(LineStatus::Exhausted) if run.retry_failed => Why::GivenUp,
            Some(LineStatus::Exhausted) => return self.given_up += 1,
            Some(LineStatus::Succeeded) => return self.done += 1,
            Some(LineStatus::Ignored | LineStatus::Cancelled) => return self.set_aside += 1,
            Some(LineStatus::InProgress) if run.is_alive => return self.running += 1,
            Some(LineStatus::InProgress) => Why::Interrupted,
        };
        let filling = Filling { line: &line.text.0, number: line.number, slot: 1 };
        let command = Text(line.command.command_line(filling)).to_string();
        self.run.push(PlannedTask { number: line.number, line: line.text.to_string(), why, command });
    }
}

impl Why {
    fn shown(self) -> (Ink, &'static str) {
        match self {
            Self::New => (Ink::Plain, "new"),
            Self::Waiting => (Ink::Plain, "waits since an earlier run"),
            Self::Failed => (Ink::Warn, "failed, is tried again"),
            Self::Interrupted => (Ink::Plain, "was interrupted"),
            Self::GivenUp => (Ink::Warn, "was given up, is tried again"),
        }
    }
}

impl View for Plan {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        if !self.run.is_empty() {
            let mut table = Table::new(["line", "why", "command"]);
            for planned in &self.run {
                let (ink, why) = planned.why.shown();
                table.row([
                    Cell::right(Ink::Quiet, &planned.number),
                    Cell::new(ink, why),
                    Cell::new(Ink::Plain, &planned.command),
                ]);
            }
            table.show(page)?;
        }
        page.text(Ink::Strong, &format!("{} would run", self.run.len()))?;
        for (count, what) in [
            (self.earlier, "of earlier inputs would run too"),
            (self.done, "done"),
            (self.given_up, "given up (--retry-failed tries them again)"),
            (self.set_aside, "set aside"),
            (self.running, "running"),
        ] {
            if count > 0 {
                page.text(Ink::Plain, &format!(", {count} {what}"))?;
            }
        }
        page.end()
    }
}
