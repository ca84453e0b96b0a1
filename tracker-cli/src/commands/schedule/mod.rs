//! `tracker schedule`: lists, adds and changes the schedules of a file. Reads the file; changes it through `FileControl`.

#[cfg(not(unix))]
mod command;
mod history;

use std::{ffi::OsString, io, str::FromStr};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{
    Error, Tracker,
    live::{Request, ScheduleChange},
    schedule::{CatchUp, Overlap, Schedule, ScheduleHandle, ScheduleInfo},
};

#[cfg(unix)]
use crate::commands::run::scheduled as command;
use crate::{
    bulk::BulkResult,
    error::CliError,
    exit::Exit,
    file::{FileArg, FileControl},
    human_duration::HumanDuration,
    output::{Cell, Output, Table, TextStyle, TextWriter, View, time},
};

/// Lists, adds and changes schedules: recurring tasks
///
/// The occurrences of a schedule are submitted by the application that has the file open and knows the kind.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(clap::Subcommand)]
enum ScheduleCommand {
    /// Lists the schedules with their next occurrence and their counts
    List(ListArgs),
    /// Shows the next occurrences of a schedule
    Next(NextArgs),
    /// Shows the latest occurrences of a schedule with the status of their tasks
    History(history::Args),
    /// Stores a schedule as data, or changes its definition
    Add(AddArgs),
    /// Pauses schedules: their occurrences count as missed
    Pause(NamesArgs),
    /// Resumes schedules: missed occurrences are caught up as defined
    Resume(NamesArgs),
    /// Submits an occurrence of each now, by the application that has the file open
    Run(NamesArgs),
    /// Removes schedules; their tasks stay
    Remove(NamesArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    file: FileArg,
}

#[derive(clap::Args)]
struct NextArgs {
    #[command(flatten)]
    file: FileArg,
    /// The name of the schedule
    name: String,
    /// The number of occurrences
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5)]
    limit: usize,
}

#[derive(clap::Args)]
struct NamesArgs {
    #[command(flatten)]
    file: FileArg,
    /// The names of the schedules
    #[arg(required = true)]
    names: Vec<String>,
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    file: FileArg,
    /// The name of the schedule
    name: String,
    #[command(flatten)]
    timing: TimingArgs,
    /// The IANA time zone of the cron expression, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    time_zone: Option<String>,
    /// The longest delay of an occurrence, such as 5m
    #[arg(long, value_name = "DURATION")]
    jitter: Option<HumanDuration>,
    /// Missed occurrences that are submitted: skip, latest, or all:N for the latest N
    #[arg(long, value_name = "RULE", default_value = "latest")]
    catch_up: CatchUpArg,
    /// An occurrence while an earlier one is unfinished: skip, queue, or cancel the earlier one
    #[arg(long, value_name = "RULE", default_value = "skip")]
    overlap: OverlapArg,
    /// The kind of the tasks [default: scheduled, for a command]
    #[arg(short, long, value_name = "KIND", required_unless_present = "command")]
    kind: Option<String>,
    /// The payload of each task as JSON; {scheduled_at}, {id}, {uuid} and {schedule} in its texts are replaced
    #[arg(long, value_name = "JSON", required_unless_present = "command", conflicts_with = "command")]
    payload: Option<String>,
    /// Runs the command with /bin/sh
    #[arg(long, requires = "command")]
    shell: bool,
    /// The command that `tracker run --scheduled` runs; {scheduled_at}, {id}, {uuid} and {schedule} are replaced
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct TimingArgs {
    /// A cron expression: minute, hour, day of month, month, day of week; also with seconds first
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// The elapsed time between two occurrences, such as 15m
    #[arg(long, value_name = "DURATION")]
    every: Option<HumanDuration>,
    /// A time in RFC 3339, such as 2026-12-24T18:00:00Z; may be given several times
    #[arg(long, value_name = "TIME")]
    at: Vec<DateTime<Utc>>,
}

#[derive(Clone, Copy)]
struct CatchUpArg(CatchUp);

impl FromStr for CatchUpArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = |count: &str| count.parse().ok().map(|max| CatchUp::All { max });
        let rule = match text {
            "skip" => Some(CatchUp::Skip),
            "latest" => Some(CatchUp::Latest),
            _ => text.strip_prefix("all:").and_then(all),
        };
        rule.map(Self).ok_or_else(|| "expected skip, latest or all:N".to_owned())
    }
}

#[derive(Clone, Copy)]
struct OverlapArg(Overlap);

impl FromStr for OverlapArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "skip" => Ok(Self(Overlap::Skip)),
            "queue" => Ok(Self(Overlap::QueueOne)),
            "cancel" => Ok(Self(Overlap::CancelEarlier)),
            _ => Err("expected skip, queue or cancel".to_owned()),
        }
    }
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        match &self.command {
            ScheduleCommand::List(args) => args.run(output),
            ScheduleCommand::Next(args) => args.run(output),
            ScheduleCommand::History(args) => args.run(output),
            ScheduleCommand::Add(args) => args.run(output),
            ScheduleCommand::Pause(args) => args.run(output, "paused", ScheduleChange::Pause),
            ScheduleCommand::Resume(args) => args.run(output, "resumed", ScheduleChange::Resume),
            ScheduleCommand::Run(args) => args.run(output, "submitted", ScheduleChange::RunNow),
            ScheduleCommand::Remove(args) => args.run(output, "removed", ScheduleChange::Remove),
        }
    }
}

impl ListArgs {
    fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let schedules = tracker.schedules()?.into_iter().map(ScheduleView::from).collect();
        output.print(&ScheduleList { schedules, now: tracker.now() })?;
        Ok(Exit::Success)
    }
}

impl NextArgs {
    fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let runs = found(&tracker, &self.name)?.next_runs(self.limit)?;
        output.print(&NextRuns { name: self.name.clone(), runs, now: tracker.now() })?;
        Ok(Exit::Success)
    }
}

fn found(tracker: &Tracker, name: &str) -> Result<ScheduleHandle, CliError> {
    tracker
        .schedule(name)?
        .ok_or_else(|| CliError::usage(format!("there is no schedule {name:?}: `tracker schedule list` names them")))
}

impl AddArgs {
    fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let schedule = self.schedule().map_err(|error| usage(&error))?;
        if let (Some(kind), Some(payload)) = (&self.kind, &self.payload) {
            let request = self.request(kind, schedule, payload.clone());
            return perform(self.file.open_for_changes()?, output, "added", &request);
        }
        let kind = self.kind.as_deref().unwrap_or(command::KIND);
        let payload = command::payload(&self.command, self.shell)?;
        let control = self.file.open_or_create_for_changes()?;
        command::store_kind(&control, kind)?;
        perform(control, output, "added", &self.request(kind, schedule, payload))
    }

    fn request(&self, kind: &str, schedule: Schedule, template: String) -> Request {
        Request::AddSchedule { name: self.name.clone(), kind: kind.to_owned(), schedule, template }
    }

    fn schedule(&self) -> tracker_core::Result<Schedule> {
        let mut schedule = match (&self.timing.cron, self.timing.every) {
            (Some(expression), _) => Schedule::cron(expression)?,
            (None, Some(interval)) => Schedule::every(interval.0)?,
            (None, None) => Schedule::dates(self.timing.at.iter().copied())?,
        };
        if let Some(zone) = &self.time_zone {
            schedule = schedule.time_zone(zone)?;
        }
        if let Some(jitter) = self.jitter {
            schedule = schedule.jitter(jitter.0)?;
        }
        Ok(schedule.catch_up(self.catch_up.0)?.overlap(self.overlap.0))
    }
}

impl NamesArgs {
    fn run(&self, output: &Output, action: &'static str, change: ScheduleChange) -> Result<Exit, CliError> {
        perform(
            self.file.open_for_changes()?,
            output,
            action,
            &Request::Schedules { names: self.names.clone(), change },
        )
    }
}

fn usage(error: &Error) -> CliError {
    CliError::usage(error.to_string())
}

/// Performs a request, on the file or through the process that has it open.
fn perform(control: FileControl, output: &Output, action: &'static str, request: &Request) -> Result<Exit, CliError> {
    let report = control.perform(request)?;
    control.close()?;
    let result = BulkResult {
        changed: report.changed,
        selected: report.changed,
        things: ["schedule", "schedules"],
        ..BulkResult::new(action)
    };
    output.print(&result)?;
    Ok(result.exit())
}

#[derive(Serialize)]
struct ScheduleList {
    schedules: Vec<ScheduleView>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// A schedule in JSON and in a table.
#[derive(Serialize)]
pub struct ScheduleView {
    name: String,
    kind: String,
    timing: String,
    paused: bool,
    next: Option<DateTime<Utc>>,
    starts_at: Option<DateTime<Utc>>,
    submitted: u64,
    missed: u64,
    overlapped: u64,
    failed: u64,
    last_error: Option<String>,
    template: Option<String>,
    recent: Vec<DateTime<Utc>>,
}

impl From<ScheduleInfo> for ScheduleView {
    fn from(info: ScheduleInfo) -> Self {
        Self {
            name: info.name,
            kind: info.kind,
            timing: info.timing,
            paused: info.paused,
            next: info.next,
            starts_at: info.starts_at,
            submitted: info.submitted,
            missed: info.missed,
            overlapped: info.overlapped,
            failed: info.failed,
            last_error: info.last_error,
            template: info.template,
            recent: info.recent,
        }
    }
}

impl View for ScheduleList {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.schedules.is_empty() {
            return out.line(TextStyle::Quiet, "the file has no schedules");
        }
        let head =
            ["schedule", "kind", "timing", "next", "", "submitted", "missed", "overlapped", "failed", "last error"];
        let mut table = Table::new(head);
        let count = |count: u64, style: TextStyle| {
            if count == 0 { Cell::new(style, "") } else { Cell::right(style, &count) }
        };
        for schedule in &self.schedules {
            let next = schedule.next.map_or_else(|| "over".to_owned(), time::local);
            let relative = schedule.next.map_or_else(String::new, |next| time::relative(next, self.now));
            table.row([
                Cell::new(TextStyle::Strong, &schedule.name),
                Cell::new(TextStyle::Plain, &schedule.kind),
                Cell::new(TextStyle::Plain, &schedule.timing),
                if schedule.paused { Cell::new(TextStyle::Warn, "paused") } else { Cell::new(TextStyle::Plain, next) },
                Cell::new(TextStyle::Quiet, if schedule.paused { String::new() } else { relative }),
                count(schedule.submitted, TextStyle::Plain),
                count(schedule.missed, TextStyle::Plain),
                count(schedule.overlapped, TextStyle::Plain),
                count(schedule.failed, TextStyle::Bad),
                Cell::new(TextStyle::Bad, schedule.last_error.as_deref().unwrap_or_default()),
            ]);
        }
        table.without_empty_columns().write(out)
    }
}

#[derive(Serialize)]
struct NextRuns {
    name: String,
    runs: Vec<DateTime<Utc>>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl View for NextRuns {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.runs.is_empty() {
            return out.line(TextStyle::Quiet, "no occurrence is left");
        }
        for run in &self.runs {
            let relative = time::relative(*run, self.now);
            out.text(TextStyle::Plain, &time::local(*run))?;
            out.line(TextStyle::Quiet, &format!("  {relative}"))?;
        }
        Ok(())
    }
}
