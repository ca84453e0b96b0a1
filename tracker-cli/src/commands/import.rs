//! `tracker import`: stores tasks from JSON lines. Reads a file or the standard input; changes the tracker through `FileControl`.

use std::{fs::File, io, path::PathBuf};

use serde::Serialize;
use tracker_core::portable::{ImportOptions, Imported};

use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Output, TextStyle, TextWriter, View, number},
};

/// Imports tasks from JSON lines
///
/// docs/json-lines.md describes the lines; only an id and a payload are required. Existing tasks are not changed. The file
/// or the schema is created if it does not exist.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The file of lines; without it, the standard input
    #[arg(value_name = "LINES")]
    lines: Option<PathBuf>,
    /// The kind of lines without a kind
    #[arg(short, long, value_name = "KIND")]
    kind: Option<String>,
    /// Skips invalid lines, and lists them at the end
    #[arg(long)]
    keep_going: bool,
    /// Accepts past events with times more than a day ahead of now, as in a file whose clock was ahead
    #[arg(long)]
    allow_future: bool,
}

#[derive(Serialize)]
struct ImportReport {
    new: u64,
    existing: u64,
    kinds: u64,
    refused: u64,
    errors: Vec<LineError>,
}

#[derive(Serialize)]
struct LineError {
    line: u64,
    message: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let mut options = ImportOptions::new();
        if let Some(kind) = &self.kind {
            options = options.kind(kind);
        }
        if self.keep_going {
            options = options.go_on();
        }
        if self.allow_future {
            options = options.allow_future();
        }
        let lines: Box<dyn io::Read> = match &self.lines {
            Some(path) if path.is_dir() => {
                return Err(CliError::usage(format!("{} is a folder: give a file of lines", path.display())));
            }
            Some(path) => {
                Box::new(File::open(path).map_err(|error| CliError::file(format!("{}: {error}", path.display())))?)
            }
            None => Box::new(io::stdin().lock()),
        };
        let control = self.file.open_or_create_for_changes()?;
        let Imported { new, existing, kinds, refused, errors, .. } =
            control.import(lines, &options).map_err(|error| match error.kind() {
                tracker_core::ErrorKind::Invalid => CliError::refused(error.to_string()),
                _ => match std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>()) {
                    Some(cause) => CliError::file(format!("{error}: {cause}")),
                    None => error.into(),
                },
            })?;
        control.close()?;
        let errors = errors.into_iter().map(|error| LineError { line: error.line, message: error.what }).collect();
        let report = ImportReport { new, existing, kinds, refused, errors };
        output.print(&report)?;
        Ok(if refused == 0 { Exit::Success } else { Exit::Findings })
    }
}

impl View for ImportReport {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        for error in &self.errors {
            out.line(TextStyle::Bad, &format!("line {}: {}", error.line, error.message))?;
        }
        let mut parts = vec![format!("{} new", number::counted(self.new, "task", "tasks"))];
        if self.existing > 0 {
            parts.push(format!("{} existing", number::grouped(self.existing)));
        }
        if self.kinds > 0 {
            parts.push(format!("{} new", number::counted(self.kinds, "kind", "kinds")));
        }
        if self.refused > 0 {
            parts.push(format!("{} skipped", number::counted(self.refused, "line", "lines")));
        }
        out.line(TextStyle::Plain, &parts.join(", "))
    }
}
