//! `tracker run --plan`: prints the lines that would run, and why. Called by `run/mod`; reads the file and the input, and starts nothing.

use std::io::{self, Write};

use serde::Serialize;
use tracker_core::Tasks;

use super::{
    byte_text::ByteText,
    input::Batch,
    line::{Line, LineStatus},
    line_numbers::Numbering,
    placeholder::PlaceholderValues,
};
use crate::{
    error::CliError,
    output::{Cell, Table, TextStyle, TextWriter, View, number},
};

#[derive(Default, Serialize)]
pub struct RunPlan {
    /// Lines that would run.
    run: Vec<PlannedLine>,
    /// Lines that have succeeded.
    done: u64,
    /// Lines that were given up.
    given_up: u64,
    /// Lines that were ignored or cancelled.
    set_aside: u64,
    /// Lines that are running.
    running: u64,
    /// Unfinished lines of earlier inputs, which would run too.
    earlier: u64,
}

#[derive(Serialize)]
struct PlannedLine {
    number: u64,
    line: String,
    reason: PlanReason,
    command: String,
    #[serde(skip)]
    raw_command: ByteText,
}

#[derive(Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PlanReason {
    New,
    Waiting,
    Failed,
    GivenUp,
    Interrupted,
}

/// The options and the file of the run.
#[derive(Clone, Copy)]
pub struct PlanOptions {
    /// Lines that were given up are retried.
    pub retry_failed: bool,
    /// A process has the file open for writing.
    pub has_writer: bool,
    /// How lines are numbered.
    pub numbering: Numbering,
    /// The highest number ever given to a line.
    pub highest: u64,
}

impl RunPlan {
    /// Compares the input with the lines in the file.
    pub fn of(
        batches: impl IntoIterator<Item = Batch>,
        tasks: Option<&Tasks<Line>>,
        options: &PlanOptions,
    ) -> Result<Self, CliError> {
        let mut plan = Self::default();
        let waiting = tasks.map_or(Ok(0), |tasks| tasks.query().unfinished().total())?;
        let (mut highest, mut place) = (options.highest, 0_u64);
        for batch in batches {
            for line in batch? {
                let known = match tasks {
                    Some(tasks) => tasks.get(line.key())?,
                    None => None,
                };
                let status = known.as_ref().map(|record| record.status);
                place = place.saturating_add(1);
                let number = match (known, options.numbering) {
                    (Some(record), _) => record.task.number,
                    (None, Numbering::Placed) => place,
                    (None, Numbering::Stored) => {
                        highest = highest.saturating_add(1);
                        highest
                    }
                };
                plan.add(&Line { number, ..line }, status, options);
            }
        }
        let seen = plan
            .run
            .iter()
            .filter(|planned| matches!(planned.reason, PlanReason::Waiting | PlanReason::Failed))
            .count();
        plan.earlier = waiting.saturating_sub(seen as u64);
        Ok(plan)
    }

    /// Prints the commands that would run, one a line, and notes other lines on the standard error output.
    pub fn print_commands(&self) -> Result<(), CliError> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let printed = self.run.iter().try_for_each(|planned| {
            out.write_all(&planned.raw_command.0)?;
            out.write_all(b"\n")
        });
        printed.and_then(|()| out.flush()).map_err(|error| CliError::printing("output", error))?;
        if self.earlier > 0 {
            let lines = number::counted(self.earlier, "line", "lines");
            eprintln!("tracker: {lines} of earlier inputs would run too");
        }
        Ok(())
    }

    fn add(&mut self, line: &Line, status: Option<LineStatus>, options: &PlanOptions) {
        let reason = match status {
            None => PlanReason::New,
            Some(LineStatus::Pending) => PlanReason::Waiting,
            Some(LineStatus::Failed) => PlanReason::Failed,
            Some(LineStatus::Exhausted) if options.retry_failed => PlanReason::GivenUp,
            Some(LineStatus::Exhausted) => return self.given_up += 1,
            Some(LineStatus::Succeeded) => return self.done += 1,
            Some(LineStatus::Ignored | LineStatus::Cancelled) => return self.set_aside += 1,
            Some(LineStatus::InProgress) if options.has_writer => return self.running += 1,
            Some(LineStatus::InProgress) => PlanReason::Interrupted,
        };
        let values = PlaceholderValues::new(line.values(), line.number, 1);
        let raw_command = ByteText(line.command.command_line(values));
        let command = raw_command.to_string();
        self.run.push(PlannedLine { number: line.number, line: line.text.to_string(), reason, command, raw_command });
    }
}

impl PlanReason {
    fn text(self) -> (TextStyle, &'static str) {
        match self {
            Self::New => (TextStyle::Plain, "new"),
            Self::Waiting => (TextStyle::Plain, "waiting since an earlier run"),
            Self::Failed => (TextStyle::Warn, "failed, will be retried"),
            Self::Interrupted => (TextStyle::Plain, "interrupted"),
            Self::GivenUp => (TextStyle::Warn, "given up, will be retried"),
        }
    }
}

impl View for RunPlan {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if !self.run.is_empty() {
            let mut table = Table::new(["line", "reason", "command"]);
            for planned in &self.run {
                let (style, reason) = planned.reason.text();
                table.row([
                    Cell::right(TextStyle::Quiet, &planned.number),
                    Cell::new(style, reason),
                    Cell::new(TextStyle::Plain, &planned.command),
                ]);
            }
            table.write(out)?;
        }
        out.text(TextStyle::Strong, &format!("{} would run", self.run.len()))?;
        for (count, what) in [
            (self.earlier, "of earlier inputs would run too"),
            (self.done, "done"),
            (self.given_up, "given up (--retry-failed retries them)"),
            (self.set_aside, "set aside"),
            (self.running, "running"),
        ] {
            if count > 0 {
                out.text(TextStyle::Plain, &format!(", {count} {what}"))?;
            }
        }
        out.end()
    }
}
