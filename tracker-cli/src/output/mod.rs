//! Answers of commands: text for a terminal or a pipe, or JSON. Called by every command; knows no command and no file.

mod color;
mod escaped_json;
pub mod highlighted_json;
pub mod number;
mod table;
mod terminal_text;
mod text_style;
mod text_writer;
pub mod time;

pub use color::ColorChoice;
pub use escaped_json::{EscapedJson, escaped_json};
pub use table::{Cell, Table};
pub use terminal_text::escape_line;
pub use text_style::TextStyle;
pub use text_writer::TextWriter;

use std::io::{self, IsTerminal, Write};

use console::Term;
use serde::Serialize;
use tracker_core::query::UnreadableTask;

use crate::error::CliError;

/// Prints the tasks that a page lacks to the standard error output.
pub fn warn_unreadable(tasks: &[UnreadableTask]) {
    for task in tasks {
        eprintln!("tracker: {}", terminal_text::escape_lines(&task.error.to_string()));
    }
}

/// The answer of a command. `--json` prints its serialized form, which `docs/cli.md` documents.
pub trait View: Serialize {
    /// Writes the answer as text.
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()>;
}

/// Prints answers and errors in the form that the command line chose.
pub struct Output {
    json: bool,
    color: ColorChoice,
}

impl Output {
    pub fn new(json: bool, color: ColorChoice) -> Self {
        Self { json, color }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an answer to the standard output.
    pub fn print(&self, view: &impl View) -> Result<(), CliError> {
        self.write(view).map_err(|error| CliError::printing("output", error))
    }

    fn write(&self, view: &impl View) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            serde_json::to_writer(EscapedJson::new(&mut out), view).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let width = io::stdout().is_terminal().then(|| usize::from(Term::stdout().size().1));
            view.write(&mut TextWriter::new(&mut out, self.uses_color(&io::stdout()), width))?;
        }
        out.flush()
    }

    /// Prints an error to the standard error output.
    pub fn print_error(&self, error: &CliError) {
        if error.is_broken_pipe() {
            return;
        }
        if self.json {
            let error = serde_json::json!({ "error": { "kind": error.kind(), "message": error.to_string() } });
            eprintln!("{}", escaped_json(&error.to_string()));
        } else {
            let label = TextStyle::Bad.paint("tracker:", self.uses_color(&io::stderr()));
            eprintln!("{label} {}", terminal_text::escape_lines(&error.to_string()));
        }
    }

    /// Returns whether output to this stream is colored.
    pub fn uses_color(&self, stream: &impl IsTerminal) -> bool {
        self.color.applies_to(stream)
    }
}
