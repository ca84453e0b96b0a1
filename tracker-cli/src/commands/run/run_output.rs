//! Prints the output of commands, events and the progress bar. Used by all threads of a run.

use std::{
    fs::File,
    io::{self, IsTerminal, Seek, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::command::FinishedCommand;
use crate::error::CliError;

/// Prints one message at a time, above the progress bar.
pub struct RunOutput {
    bar: ProgressBar,
    mode: OutputMode,
    printing: Mutex<()>,
}

/// What is printed for each command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// Its output.
    Output,
    /// One JSON line for each attempt.
    Json,
    Nothing,
}

const BAR_TEMPLATE: &str = "{elapsed} {wide_bar} {human_pos}/{human_len} lines, {eta} left{msg}";

impl RunOutput {
    /// Draws the bar on a terminal, unless commands use the terminal.
    pub fn new(mode: OutputMode, may_draw: bool) -> Self {
        let draws = io::stderr().is_terminal() && mode != OutputMode::Json && may_draw;
        let bar = if draws { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
            bar.set_style(style);
        }
        Self { bar, mode, printing: Mutex::default() }
    }

    /// Sets the number of lines, and how many of them have ended.
    pub fn begin(&self, lines: u64, ended: u64) {
        self.bar.set_length(lines);
        self.bar.set_position(ended);
        self.bar.reset_eta();
    }

    pub fn more_lines(&self, lines: u64) {
        self.bar.inc_length(lines);
    }

    /// Counts a line that has ended.
    pub fn step(&self, given_up: u64) {
        if given_up > 0 {
            self.bar.set_message(format!(", {given_up} failed"));
        }
        self.bar.inc(1);
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Prints the output of a command.
    pub fn print_output(&self, finished: &mut FinishedCommand) -> Result<(), CliError> {
        if self.mode != OutputMode::Output {
            return Ok(());
        }
        self.exclusively(|| {
            let printed = copy(&mut finished.stdout, &mut io::stdout().lock());
            printed.map_err(|error| CliError::printing("output", error))?;
            let printed = copy(&mut finished.stderr, &mut io::stderr().lock());
            printed.map_err(|error| CliError::printing("error output", error))
        })
    }

    /// Prints a message about the run on the standard error output.
    pub fn warn(&self, message: &str) {
        self.exclusively(|| eprintln!("tracker: {message}"));
    }

    /// Prints why a line failed if its command could not print it.
    pub fn report(&self, message: &str) {
        if self.mode == OutputMode::Output {
            self.warn(message);
        }
    }

    /// Prints an event as JSON, if the mode is JSON.
    pub fn print_event(&self, event: &impl Serialize) -> Result<(), CliError> {
        if self.mode != OutputMode::Json {
            return Ok(());
        }
        let mut line = serde_json::to_vec(event).map_err(io::Error::from)?;
        line.push(b'\n');
        self.exclusively(|| {
            let mut out = io::stdout().lock();
            out.write_all(&line).and_then(|()| out.flush()).map_err(|error| CliError::printing("output", error))
        })
    }

    /// Runs one print at a time, with the bar hidden.
    fn exclusively<R>(&self, print: impl FnOnce() -> R) -> R {
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        self.bar.suspend(print)
    }
}

fn copy(from: &mut File, to: &mut impl Write) -> io::Result<()> {
    if from.metadata()?.len() == 0 {
        return Ok(());
    }
    from.rewind()?;
    io::copy(from, to)?;
    to.flush()
}
