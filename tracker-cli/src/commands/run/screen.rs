use std::{
    fs::File,
    io::{self, IsTerminal, Seek, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::child::Ended;
use crate::failure::Failure;

/// What a run shows while it goes on: what commands print, one after the other, and below it how far it is.
pub struct Screen {
    bar: ProgressBar,
    shows: Shows,
    turn: Mutex<()>,
}

/// What is shown of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// What they print.
    Output,
    /// One JSON value for each attempt.
    Json,
    Nothing,
}

const LOOK: &str = "{elapsed} {wide_bar} {human_pos}/{human_len} lines, {eta} left{msg}";

impl Screen {
    /// With a bar on a terminal, unless commands get it.
    pub fn new(shows: Shows, has_terminal: bool) -> Self {
        let draws = io::stderr().is_terminal() && shows != Shows::Json && has_terminal;
        let bar = if draws { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            bar.set_style(style);
        }
        Self { bar, shows, turn: Mutex::default() }
    }

    /// So many lines are there, and so many of them have ended already.
    pub fn begin(&self, lines: u64, ended: u64) {
        self.bar.set_length(lines);
        self.bar.set_position(ended);
        self.bar.reset_eta();
    }

    pub fn more_lines(&self, lines: u64) {
        self.bar.inc_length(lines);
    }

    /// A line has ended.
    pub fn step(&self, given_up: u64) {
        if given_up > 0 {
            self.bar.set_message(format!(", {given_up} failed"));
        }
        self.bar.inc(1);
    }

    pub fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Shows what a command printed.
    pub fn printed(&self, ended: &mut Ended) -> Result<(), Failure> {
        if self.shows != Shows::Output {
            return Ok(());
        }
        self.in_turn(|| {
            let printed = copy(&mut ended.stdout, &mut io::stdout().lock());
            printed.map_err(|error| Failure::printing("output", error))?;
            let printed = copy(&mut ended.stderr, &mut io::stderr().lock());
            printed.map_err(|error| Failure::printing("error output", error))
        })
    }

    /// Prints a message about the run on the standard error output.
    pub fn warn(&self, message: &str) {
        self.in_turn(|| eprintln!("tracker: {message}"));
    }

    /// Prints why a line has failed whose command could not say it, beside what commands print.
    pub fn report(&self, message: &str) {
        if self.shows == Shows::Output {
            self.warn(message);
        }
    }

    /// Tells what happened, where that is wanted as JSON.
    pub fn tell(&self, event: &impl Serialize) -> Result<(), Failure> {
        if self.shows != Shows::Json {
            return Ok(());
        }
        let mut line = serde_json::to_vec(event).map_err(io::Error::from)?;
        line.push(b'\n');
        self.in_turn(|| {
            let mut out = io::stdout().lock();
            out.write_all(&line).and_then(|()| out.flush()).map_err(|error| Failure::printing("output", error))
        })
    }

    /// One at a time, with the bar out of the way.
    fn in_turn<R>(&self, print: impl FnOnce() -> R) -> R {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
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
