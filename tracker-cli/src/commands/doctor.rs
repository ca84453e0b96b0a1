//! `tracker doctor`: every check of a file or a server in one command. Reads only; with `--repair-time`, `repair_time` writes.

use std::{io, mem};

use serde::Serialize;

use super::{repair_time, status::Problem};
use crate::{
    bulk::ConfirmArg,
    error::CliError,
    exit::Exit,
    file::{FileArg, Holder, ServerCheck, ServerFinding},
    output::{Output, TextStyle, TextWriter, View},
    task::{CountsView, ScheduleProblem},
};

/// Checks a file, or the schema of a server, and its tasks, and names the way out of each problem
///
/// Reads all tasks and changes nothing, unless --repair-time is given. Exit code 1 if there is a problem.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// Sets the time of the file back if it is ahead of the system clock, and the times of tasks with it; asks first
    #[arg(long)]
    repair_time: bool,
    #[command(flatten)]
    confirm: ConfirmArg,
}

#[derive(Serialize)]
struct DoctorReport {
    /// The processes that have the file open; empty on systems other than Linux.
    opened_by: Vec<Holder>,
    /// Null for a file.
    server: Option<ServerCheck>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    /// The kind of tasks; empty if the finding is about the file or the server.
    kind: String,
    /// The finding in JSON.
    what: &'static str,
    count: u64,
    text: String,
}

/// The number of leases that are read.
const LEASES: usize = 1_000;

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        if self.repair_time {
            return repair_time::run(&self.file, &self.confirm, output);
        }
        let mut server = self.file.check_server()?;
        let found = server.as_mut().map(|server| mem::take(&mut server.findings)).unwrap_or_default();
        let of_server =
            |found: ServerFinding| Finding { kind: String::new(), what: found.what, count: 1, text: found.text };
        let mut findings: Vec<_> = found.into_iter().map(of_server).collect();
        match self.examine(&mut findings) {
            // A consequence of the findings.
            Err(error) if server.is_some() && !findings.is_empty() => {
                findings.push(Finding { kind: String::new(), what: "unusable", count: 1, text: error.to_string() });
            }
            examined => examined?,
        }
        let report = DoctorReport { opened_by: self.file.holders(), server, findings };
        output.print(&report)?;
        Ok(if report.findings.is_empty() { Exit::Success } else { Exit::Findings })
    }

    /// Examines the tasks.
    fn examine(&self, findings: &mut Vec<Finding>) -> Result<(), CliError> {
        let tracker = self.file.inspect()?;
        let no_worker = self.file.has_no_worker();
        let inconsistencies = tracker.verify()?;
        if let Some(first) = inconsistencies.first() {
            let way_out = if self.file.is_server() {
                "restore a backup of the server"
            } else {
                "copy what is readable with `tracker recover`"
            };
            findings.push(Finding {
                kind: String::new(),
                what: "damaged",
                count: inconsistencies.len() as u64,
                text: format!(
                    "{} rows do not match the tasks or cannot be read, first {first}: stop the application, and {way_out}",
                    inconsistencies.len()
                ),
            });
        }
        if let Some(ahead) = self.file.clock_ahead(&tracker)? {
            findings.push(Finding { kind: String::new(), what: "clock_ahead", count: 1, text: ahead.text });
        }
        for name in tracker.kinds()? {
            let tasks = tracker.untyped(&name)?;
            let (kind, counts) = (tasks.info()?, CountsView::of(&tasks)?);
            let problems = Problem::all(&kind, &counts, &tasks.leases(LEASES)?, &tasks.plan(1)?, no_worker);
            findings.extend(problems.into_iter().map(|problem| Finding {
                kind: name.clone(),
                what: problem.what,
                count: problem.count,
                text: problem.text,
            }));
        }
        // A damaged one is among the inconsistencies.
        let schedules = tracker.schedules().unwrap_or_default();
        findings.extend(ScheduleProblem::all(&schedules, tracker.now()).into_iter().map(|problem| Finding {
            kind: problem.kind,
            what: problem.what,
            count: 1,
            text: problem.text,
        }));
        Ok(())
    }
}

impl View for DoctorReport {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if let Some(ServerCheck { version, layout, connections, max_connections, .. }) = &self.server {
            let text = format!(
                "PostgreSQL {version}, layout {layout}, {connections} of {max_connections} connections of the server in use"
            );
            out.line(TextStyle::Quiet, &text)?;
        }
        for holder in &self.opened_by {
            out.line(TextStyle::Quiet, &format!("open in {holder}"))?;
        }
        for finding in &self.findings {
            let kind = if finding.kind.is_empty() { String::new() } else { format!("{}: ", finding.kind) };
            out.line(TextStyle::Warn, &format!("! {kind}{}", finding.text))?;
        }
        if self.findings.is_empty() {
            out.line(
                TextStyle::Good,
                "no problem found: indexes and counters match the tasks, and no task needs attention",
            )?;
        }
        Ok(())
    }
}
