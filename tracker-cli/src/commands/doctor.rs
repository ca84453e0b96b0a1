use std::io;

use serde::Serialize;

use super::{counts::CountsView, repair_time, status::Problem};
use crate::{
    act::ConfirmArg,
    exit::Exit,
    failure::Failure,
    file::{ClockAhead, FileArg, Holder},
    output::{Ink, Output, Page, View},
};

/// Says what is wrong with a file, and what to do about it
///
/// Reads the whole file and changes nothing, unless --repair-time is given. Ends with 1 if something needs a look.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// Sets back the file's time where it is ahead of the system clock, and the times that tasks have from it; asks first
    #[arg(long)]
    repair_time: bool,
    #[command(flatten)]
    confirm: ConfirmArg,
}

#[derive(Serialize)]
struct Examined {
    /// The processes that have it open, where the system tells.
    opened_by: Vec<Holder>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    /// Empty where it is about the file.
    kind: String,
    /// A word for programs.
    what: &'static str,
    count: u64,
    text: String,
}

/// So many leases are looked at.
const LEASES: usize = 1_000;

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        if self.repair_time {
            return repair_time::run(&self.file, &self.confirm, output);
        }
        let tracker = self.file.look()?;
        let deserted = self.file.is_deserted();
        let mut findings = Vec::new();
        let differences = tracker.verify()?;
        if let Some(first) = differences.first() {
            findings.push(Finding {
                kind: String::new(),
                what: "damaged",
                count: differences.len() as u64,
                text: format!(
                    "{} rows do not follow from the tasks or cannot be read, first {first}: stop the application, and copy what is readable with `tracker recover`",
                    differences.len()
                ),
            });
        }
        if let Some(ahead) = ClockAhead::of(&tracker)? {
            findings.push(Finding { kind: String::new(), what: "clock_ahead", count: 1, text: ahead.text });
        }
        for name in tracker.kinds()? {
            let tasks = tracker.untyped(&name)?;
            let (kind, counts) = (tasks.info()?, CountsView::of(&tasks)?);
            let problems = Problem::all(&kind, &counts, &tasks.leases(LEASES)?, &tasks.plan(1)?, deserted);
            findings.extend(problems.into_iter().map(|problem| Finding {
                kind: name.clone(),
                what: problem.what,
                count: problem.count,
                text: problem.text,
            }));
        }
        let examined = Examined { opened_by: self.file.holders(), findings };
        output.put(&examined)?;
        Ok(if examined.findings.is_empty() { Exit::Fine } else { Exit::Findings })
    }
}

impl View for Examined {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for holder in &self.opened_by {
            page.line(Ink::Quiet, &format!("it is open in {holder}"))?;
        }
        for finding in &self.findings {
            let kind = if finding.kind.is_empty() { String::new() } else { format!("{}: ", finding.kind) };
            page.line(Ink::Warn, &format!("! {kind}{}", finding.text))?;
        }
        if self.findings.is_empty() {
            page.line(Ink::Good, "sound: every index and counter is as its tasks say, and no task needs a look")?;
        }
        Ok(())
    }
}
