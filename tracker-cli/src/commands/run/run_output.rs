//! `RunOutput`: prints the output of commands, events and the progress bar. Called by all threads of a run; a lock keeps their output apart.

use std::{
    env,
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Seek, Write},
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{command::FinishedCommand, line::Line, output_order::OutputOrder};
use crate::error::CliError;

/// Prints one message at a time, above the progress bar.
pub struct RunOutput {
    bar: ProgressBar,
    mode: OutputMode,
    /// Lines of output begin with the line of input.
    has_tags: bool,
    keeps_order: bool,
    /// The order of `--keep-order`.
    printing: Mutex<Option<OutputOrder>>,
}

/// The output of a command or of an event cannot be written.
enum PrintError {
    Stdout(io::Error),
    Stderr(io::Error),
}

/// The output that is printed for each command.
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
    pub fn new(mode: OutputMode, may_draw: bool, has_tags: bool) -> Self {
        let draws = io::stderr().is_terminal() && mode != OutputMode::Json && may_draw;
        let bar = if draws { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(BAR_TEMPLATE) {
            bar.set_style(style);
        }
        Self { bar, mode, has_tags, keeps_order: false, printing: Mutex::default() }
    }

    /// Prints in the order of the lines. These have not ended.
    pub fn keep_order(&mut self, unfinished: impl IntoIterator<Item = u64>) -> Result<(), CliError> {
        if self.mode == OutputMode::Nothing {
            return Ok(());
        }
        let mut order = OutputOrder::new().map_err(|error| cannot_hold(&error))?;
        order.add(unfinished);
        (self.keeps_order, self.printing) = (true, Mutex::new(Some(order)));
        Ok(())
    }

    /// Sets the number of lines, and how many of them have ended.
    pub fn begin(&self, lines: u64, ended: u64) {
        self.bar.set_length(lines);
        self.bar.set_position(ended);
        self.bar.reset_eta();
    }

    /// Stores lines, and counts the new ones by their numbers.
    pub fn more_lines<E>(&self, store: impl FnOnce() -> Result<Range<u64>, E>) -> Result<(), E> {
        // A line may end before `store` returns. Its output waits until the lines before it are known.
        let mut order = self.keeps_order.then(|| self.lock());
        let numbers = store()?;
        self.bar.inc_length(numbers.end - numbers.start);
        if let Some(order) = order.as_deref_mut().and_then(Option::as_mut) {
            order.add(numbers);
        }
        Ok(())
    }

    /// Counts a line that has ended.
    pub fn step(&self, given_up: u64) {
        if given_up > 0 {
            self.bar.set_message(format!(", {given_up} failed"));
        }
        self.bar.inc(1);
    }

    /// Prints the output that waits for this line, which has ended.
    pub fn end_line(&self, number: u64) -> Result<(), CliError> {
        if !self.keeps_order {
            return Ok(());
        }
        self.print_held(|order, stdout, stderr| order.end_line(number, stdout, stderr))
    }

    /// Prints the output that waits for lines that have not ended, and removes the bar.
    pub fn end(&self) -> Result<(), CliError> {
        let printed = self.print_held(OutputOrder::end);
        self.bar.finish_and_clear();
        printed
    }

    fn print_held(
        &self,
        print: impl FnOnce(&mut OutputOrder, &mut dyn Write, &mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CliError> {
        self.exclusively(|order| {
            let printed =
                order.map_or(Ok(()), |order| print(order, &mut io::stdout().lock(), &mut io::stderr().lock()));
            printed.map_err(|error| CliError::printing("output", error))
        })
    }

    /// Prints the output of the command of a line.
    pub fn print_output(&self, line: &Line, finished: &mut FinishedCommand) -> Result<(), CliError> {
        if self.mode != OutputMode::Output {
            return Ok(());
        }
        let tag = self.has_tags.then(|| {
            let values: Vec<_> = line.values().iter().map(|value| value.0.as_slice()).collect();
            [&values.join(&b' ')[..], b"\t"].concat()
        });
        self.print_in_order(line.number, |stdout, stderr| {
            copy(&mut finished.stdout, tag.as_deref(), stdout).map_err(PrintError::Stdout)?;
            copy(&mut finished.stderr, tag.as_deref(), stderr).map_err(PrintError::Stderr)
        })
    }

    /// Prints now, or holds the output until the lines before this one have ended.
    fn print_in_order(
        &self,
        number: u64,
        print: impl FnOnce(&mut dyn Write, &mut dyn Write) -> Result<(), PrintError>,
    ) -> Result<(), CliError> {
        self.exclusively(|order| match order.filter(|order| !order.is_due(number)) {
            Some(order) => {
                let held = order.hold(number, |stdout, stderr| print(stdout, stderr).map_err(PrintError::into_cause));
                held.map_err(|error| cannot_hold(&error))
            }
            None => print(&mut io::stdout().lock(), &mut io::stderr().lock()).map_err(CliError::from),
        })
    }

    /// Prints a message about the run on the standard error output.
    pub fn warn(&self, message: &str) {
        self.exclusively(|_| eprintln!("tracker: {message}"));
    }

    /// Prints why a line failed if its command could not print it.
    pub fn report(&self, message: &str) {
        if self.mode == OutputMode::Output {
            self.warn(message);
        }
    }

    /// Prints an event about a line as JSON, if the mode is JSON.
    pub fn print_line_event(&self, number: u64, event: &impl Serialize) -> Result<(), CliError> {
        match self.encode(event)? {
            Some(text) => self.print_in_order(number, |stdout, _| print_text(&text, stdout)),
            None => Ok(()),
        }
    }

    /// Prints an event about the run as JSON, if the mode is JSON.
    pub fn print_event(&self, event: &impl Serialize) -> Result<(), CliError> {
        match self.encode(event)? {
            Some(text) => self.exclusively(|_| print_text(&text, &mut io::stdout().lock())).map_err(CliError::from),
            None => Ok(()),
        }
    }

    fn encode(&self, event: &impl Serialize) -> Result<Option<Vec<u8>>, CliError> {
        if self.mode != OutputMode::Json {
            return Ok(None);
        }
        let mut line = serde_json::to_vec(event).map_err(io::Error::from)?;
        line.push(b'\n');
        Ok(Some(line))
    }

    fn lock(&self) -> MutexGuard<'_, Option<OutputOrder>> {
        self.printing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one print at a time, with the bar hidden.
    fn exclusively<R>(&self, print: impl FnOnce(Option<&mut OutputOrder>) -> R) -> R {
        let mut order = self.lock();
        self.bar.suspend(|| print(order.as_mut()))
    }
}

impl PrintError {
    fn into_cause(self) -> io::Error {
        match self {
            Self::Stdout(error) | Self::Stderr(error) => error,
        }
    }
}

impl From<PrintError> for CliError {
    fn from(error: PrintError) -> Self {
        match error {
            PrintError::Stdout(error) => Self::printing("output", error),
            PrintError::Stderr(error) => Self::printing("error output", error),
        }
    }
}

fn cannot_hold(error: &io::Error) -> CliError {
    let folder = env::temp_dir();
    CliError::file(format!(
        "cannot hold output of commands in {}: {error}: set TMPDIR to another folder, or leave out --keep-order",
        folder.display()
    ))
}

fn print_text(text: &[u8], to: &mut dyn Write) -> Result<(), PrintError> {
    to.write_all(text).and_then(|()| to.flush()).map_err(PrintError::Stdout)
}

/// Copies an output, with the tag before each line.
fn copy(from: &mut File, tag: Option<&[u8]>, to: &mut dyn Write) -> io::Result<()> {
    if from.metadata()?.len() == 0 {
        return Ok(());
    }
    from.rewind()?;
    match tag {
        Some(tag) => copy_tagged(BufReader::new(from), tag, to)?,
        None => drop(io::copy(from, to)?),
    }
    to.flush()
}

fn copy_tagged(mut from: impl BufRead, tag: &[u8], to: &mut dyn Write) -> io::Result<()> {
    let mut begins_line = true;
    loop {
        let part = from.fill_buf()?;
        if part.is_empty() {
            return Ok(());
        }
        if begins_line {
            to.write_all(tag)?;
        }
        let end = part.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        begins_line = end.is_some();
        let length = end.unwrap_or(part.len());
        to.write_all(part.get(..length).unwrap_or_default())?;
        from.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_output_begins_with_the_tag() {
        for (text, expected) in
            [("", ""), ("a", "t\ta"), ("a\n", "t\ta\n"), ("a\n\nlonger\nb", "t\ta\nt\t\nt\tlonger\nt\tb")]
        {
            let mut out = Vec::new();
            let copied = copy_tagged(BufReader::with_capacity(3, text.as_bytes()), b"t\t", &mut out);
            assert_eq!((copied.is_ok(), String::from_utf8_lossy(&out).as_ref()), (true, expected));
        }
    }
}
