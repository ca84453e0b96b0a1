//! The options of `tracker run`, and their checks. Parsed by clap, read by `run/mod`; pure.

use std::{ffi::OsString, num::NonZero, path::PathBuf, time::Duration};

use tracker_core::{TrackedTask, submit::TraceContext, task::Policy};

use super::{
    backoff::BackoffArg,
    exit_codes::{ExitCodes, RetryRule},
    halt_condition::HaltCondition,
    line::Line,
    line_numbers::Numbering,
    scheduled,
    slots::SlotsArg,
    start_delay::DelayArg,
    start_limits::{LoadArg, MemoryArg},
};
use crate::{error::CliError, file::FileArg, human_duration::HumanDuration};

/// The range of `--lease`.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

/// Runs a command for each line of input, durably: like xargs, but resumable
///
/// Each line of the standard input, of the files after `::::`, or each argument after `:::`, becomes a task in the file;
/// several sources are combined, and those after `:::+` and `::::+` are read in step. A run that was killed
/// continues when the same command is started again; a line that has succeeded never runs again. A line is identified by its
/// text, so lines may move, and new lines may come between them. The same text twice is two tasks.
///
/// `find . -name '*.wav' | tracker run jobs.redb -j 4 --attempts 3 -- flac -s {}`
///
/// Placeholders in the command: {} the line, {.} without extension, {/} its last part, {//} its folder, {/.} the last part
/// without extension, {#} the number of the line, {%} the slot, a number from 1 to the number of jobs that no other running
/// command has; {1} or {name} the value of a source or a column. Without a placeholder, the line is the last argument. No shell reads the command or the line unless --shell
/// is given. Commands receive the number, the attempt and the slot as TRACKER_NUMBER, TRACKER_ATTEMPT and TRACKER_SLOT.
///
/// Exit codes: 0 if all lines have succeeded, 1 if lines were given up, 130 if the run was stopped.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Args {
    #[command(flatten)]
    pub(super) file: FileArg,
    /// The number of commands that run at once [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZero<usize>>,
    /// The number of attempts before a line is given up; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) attempts: u32,
    /// The delay before a failed line is retried: 10s, or 1s..5m for a delay that doubles from the first to the second
    #[arg(long, value_name = "DELAY", default_value = "0")]
    pub(super) backoff: BackoffArg,
    /// Retries only failures with these exit codes, and gives up the others: 1,64-78,signal,timeout
    #[arg(long, value_name = "CODES")]
    pub(super) retry_on: Option<ExitCodes>,
    /// Gives up lines that fail with these exit codes at once: 1,64-78,signal,timeout
    #[arg(long, value_name = "CODES")]
    pub(super) give_up_on: Option<ExitCodes>,
    /// How long lines of a run that died stay leased. On a server, other runs then run them; a file frees them when the next run starts
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(super) lease: HumanDuration,
    /// The longest time for an attempt; a longer one is ended and has failed
    #[arg(long, value_name = "DURATION")]
    pub(super) timeout: Option<HumanDuration>,
    /// The time between the request to end (SIGTERM) and SIGKILL
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub(super) grace: HumanDuration,
    /// The shortest time between the starts of two commands: a number of seconds, or a duration such as 500ms
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(super) delay: DelayArg,
    /// Starts commands only while the load of the machine is below this: a number, or a percentage of the processors such as 80%
    #[arg(long, value_name = "LOAD")]
    pub(super) load: Option<LoadArg>,
    /// Starts commands only while so many bytes of memory are free, such as 1G; K, M, G, T, P are powers of 1024, k, m, g, t, p of 1000
    #[arg(long, value_name = "SIZE")]
    pub(super) memfree: Option<MemoryArg>,
    /// Runs at most N commands at once, over all runs of this user on this machine that name NAME: gpu=2. Each NAME given needs a slot
    #[arg(long, value_name = "NAME=N")]
    pub(super) slots: Vec<SlotsArg>,
    /// Stops early: soon,fail=3 (starts no more commands), now,fail=10% (also ends running commands), success, done
    #[arg(long, value_name = "WHEN", default_value = "never")]
    pub(super) halt: HaltCondition,
    /// Runs the command with /bin/sh, with quoted lines. Without a command, the lines are the commands
    #[arg(long)]
    pub(super) shell: bool,
    /// Lines end with a zero byte, as those of `find -print0`
    #[arg(short = '0', long)]
    pub(super) null: bool,
    /// Splits lines into columns at matches of this regular expression: {1} is the first column, {-1} the last
    #[arg(long, value_name = "REGEX")]
    pub(super) colsep: Option<String>,
    /// Splits lines into columns as CSV, with quotes; --colsep gives another separator than the comma
    #[arg(long)]
    pub(super) csv: bool,
    /// Takes the first line of each source as names of its columns, for placeholders such as {name}; the value is `:`
    #[arg(long, value_name = ":", value_parser = header, action = clap::ArgAction::Set, default_value = "", hide_default_value = true)]
    pub(super) header: bool,
    /// The most lines for one command, as values {1} to {N}; the default is one line
    #[arg(short = 'n', long = "max-args", value_name = "N")]
    pub(super) max_lines: Option<NonZero<usize>>,
    /// As many lines for one command as fit; words with {} are repeated for each
    #[arg(short = 'X', conflicts_with = "shell")]
    pub(super) fill: bool,
    /// Runs the commands of `tracker schedule add … -- COMMAND` at their times, until it is stopped
    #[arg(long, conflicts_with_all = ["command", "shell", "null", "colsep", "csv", "header", "max_lines", "fill", "plan", "dry_run", "keep_order", "change_command", "traceparent"])]
    pub(super) scheduled: bool,
    /// Retries lines that were given up in an earlier run
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// Gives the terminal to one command at a time as its input and output; the output is not stored
    #[arg(long)]
    pub(super) tty: bool,
    /// Prints which lines would run and why, and changes nothing
    #[arg(long)]
    pub(super) plan: bool,
    /// Prints the commands that would run, in their order, and changes nothing
    #[arg(long, conflicts_with = "plan")]
    pub(super) dry_run: bool,
    /// Prints the output of commands in the order of the lines
    #[arg(short, long, conflicts_with = "tty")]
    pub(super) keep_order: bool,
    /// Begins each line of output with the line of input and a tab
    #[arg(long, conflicts_with = "tty")]
    pub(super) tag: bool,
    /// Writes output to DIR/1/VALUE/stdout and stderr, in the layout of GNU parallel, and does not print it
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tty", "keep_order", "tag"])]
    pub(super) results: Option<PathBuf>,
    /// Appends ended lines to a log in the format of GNU parallel
    #[arg(long, value_name = "PATH")]
    pub(super) joblog: Option<PathBuf>,
    /// Does not print the output of commands; the file stores it
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// The bytes of the output of each command that are stored, and of its error output
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 10)]
    pub(super) keep: u32,
    /// Runs this command with /bin/sh when the run has ended, with the result in its environment and on its standard input
    #[arg(long, value_name = "COMMAND", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) notify: Option<String>,
    /// The W3C trace context that is stored with new lines, for their commands [default: the environment variable TRACEPARENT]
    #[arg(long, value_name = "TRACEPARENT")]
    pub(super) traceparent: Option<TraceContext>,
    /// The name of the kind, so that one file can hold several sets of lines [default: run, or scheduled with --scheduled]
    #[arg(long, value_name = "KIND")]
    pub(super) name: Option<String>,
    /// Continues with a command that differs from that of the earlier run
    #[arg(long)]
    pub(super) change_command: bool,
    /// The command; after `:::`, the lines, or after `::::`, files with lines
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl Args {
    pub(super) fn policy(&self) -> Policy {
        let mut policy = Policy::DEFAULT;
        policy.max_attempts = (self.attempts > 0).then_some(self.attempts);
        // A crash of the command does not crash this process, so crashes of this process are not bounded.
        policy.max_crashes = u32::MAX;
        policy.lease = self.lease.0;
        policy.backoff = self.backoff.0;
        policy
    }

    /// Returns the name of the kind.
    pub(super) fn kind(&self) -> &str {
        let default = if self.scheduled { scheduled::KIND } else { Line::KIND };
        self.name.as_deref().unwrap_or(default)
    }

    /// How new lines are numbered.
    pub(super) fn numbering(&self) -> Numbering {
        if self.file.is_server() { Numbering::Placed } else { Numbering::Stored }
    }

    /// Refuses values out of range, and options without a meaning on a server.
    pub(super) fn check_options(&self) -> Result<(), CliError> {
        if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&self.lease.0) {
            return Err(CliError::usage("--lease is from 1s to 1d: heartbeats extend it while the run lives"));
        }
        if self.keep_order && self.file.is_server() {
            return Err(CliError::usage(
                "--keep-order needs all lines in one run, and on a server other runs take lines too: sort the output by {#}, or use a file",
            ));
        }
        Ok(())
    }

    pub(super) fn retry_rule(&self) -> Result<RetryRule, CliError> {
        if self.retry_on.is_some() && self.attempts == 1 {
            return Err(CliError::usage(
                "--retry-on retries nothing with one attempt: give --attempts N, or 0 for no limit",
            ));
        }
        RetryRule::new(self.retry_on.clone(), self.give_up_on.clone())
            .map_err(|refused| CliError::usage(refused.to_string()))
    }
}

/// Reads the value of `--header`, which GNU parallel also takes as a regular expression.
fn header(text: &str) -> Result<bool, String> {
    match text {
        "" => Ok(false),
        ":" => Ok(true),
        _ => Err("expected `:`, which takes the first line of each source as names".to_owned()),
    }
}
