//! Answers: for people on a terminal, plain where they are piped, or as JSON.

mod escaped_json;
mod ink;
pub mod json;
pub mod number;
mod page;
mod table;
mod text;
pub mod time;

pub use escaped_json::{EscapedJson, escaped_json};
pub use ink::Ink;
pub use page::Page;
pub use table::{Cell, Table};
pub use text::shown;

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use console::Term;
use serde::Serialize;
use tracker_core::query::UnreadableTask;

use crate::{args::Color, failure::Failure};

/// Names the tasks that a page lacks on the standard error output.
pub fn report_unreadable(tasks: &[UnreadableTask]) {
    for task in tasks {
        eprintln!("tracker: {}", text::shown_lines(&task.error.to_string()));
    }
}

/// What a command answers. Its serialized form is what `--json` prints, and is documented in `docs/cli.md`.
pub trait View: Serialize {
    /// The same for people.
    fn show(&self, page: &mut Page<'_>) -> io::Result<()>;
}

/// Where answers go, and in which form.
pub struct Output {
    json: bool,
    color: Color,
}

impl Output {
    pub fn new(json: bool, color: Color) -> Self {
        Self { json, color }
    }

    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints an answer to the standard output.
    pub fn put(&self, view: &impl View) -> Result<(), Failure> {
        self.print(view).map_err(|error| Failure::printing("output", error))
    }

    fn print(&self, view: &impl View) -> io::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            serde_json::to_writer(EscapedJson::new(&mut out), view).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            let width = io::stdout().is_terminal().then(|| usize::from(Term::stdout().size().1));
            view.show(&mut Page::new(&mut out, self.is_coloured(&io::stdout()), width))?;
        }
        out.flush()
    }

    /// Tells a failure on the standard error output.
    pub fn fail(&self, failure: &Failure) {
        if failure.is_unheard() {
            return;
        }
        if self.json {
            let error = serde_json::json!({ "error": { "kind": failure.kind(), "message": failure.to_string() } });
            eprintln!("{}", escaped_json(&error.to_string()));
        } else {
            let label = Ink::Bad.paint("tracker:", self.is_coloured(&io::stderr()));
            eprintln!("{label} {}", text::shown_lines(&failure.to_string()));
        }
    }

    /// Whether what goes to this stream has colours.
    pub fn is_coloured(&self, stream: &impl IsTerminal) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                // https://no-color.org: set and not empty, whatever it says.
                let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
                stream.is_terminal() && !refused && !dumb
            }
        }
    }
}
