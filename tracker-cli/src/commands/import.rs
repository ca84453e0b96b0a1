use std::{fs::File, io, path::PathBuf};

use serde::Serialize;
use tracker_core::portable::{ImportOptions, Imported};

use crate::{
    exit::Exit,
    failure::Failure,
    file::FileArg,
    output::{Ink, Output, Page, View, number},
};

/// Puts tasks in from lines of JSON
///
/// docs/json-lines.md describes them; only an id and a payload are needed. Tasks whose id is there stay as they are. The
/// file is made where there is none.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The lines; the standard input where none are named
    #[arg(value_name = "LINES")]
    lines: Option<PathBuf>,
    /// The kind of lines that name none
    #[arg(short, long, value_name = "KIND")]
    kind: Option<String>,
    /// Goes on after lines that cannot be read, and tells them at the end
    #[arg(long)]
    go_on: bool,
    /// Takes times of what has happened that lie more than a day after now: of files whose clock was ahead
    #[arg(long)]
    allow_future: bool,
}

#[derive(Serialize)]
struct Report {
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
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let mut options = ImportOptions::new();
        if let Some(kind) = &self.kind {
            options = options.kind(kind);
        }
        if self.go_on {
            options = options.go_on();
        }
        if self.allow_future {
            options = options.allow_future();
        }
        let lines: Box<dyn io::Read> = match &self.lines {
            Some(path) if path.is_dir() => {
                return Err(Failure::usage(format!("{} is a folder: name a file of lines", path.display())));
            }
            Some(path) => {
                Box::new(File::open(path).map_err(|error| Failure::file(format!("{}: {error}", path.display())))?)
            }
            None => Box::new(io::stdin().lock()),
        };
        let tracker = if self.file.file.exists() { self.file.act()? } else { self.file.work()? };
        let Imported { new, existing, kinds, refused, errors, .. } =
            tracker.import_with(lines, &options).map_err(|error| match error.kind() {
                tracker_core::ErrorKind::Invalid => Failure::refused(error.to_string()),
                _ => match std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>()) {
                    Some(cause) => Failure::file(format!("{error}: {cause}")),
                    None => error.into(),
                },
            })?;
        tracker.close()?;
        let errors = errors.into_iter().map(|error| LineError { line: error.line, message: error.what }).collect();
        let report = Report { new, existing, kinds, refused, errors };
        output.put(&report)?;
        Ok(if refused == 0 { Exit::Fine } else { Exit::Findings })
    }
}

impl View for Report {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for error in &self.errors {
            page.line(Ink::Bad, &format!("line {}: {}", error.line, error.message))?;
        }
        let mut told = vec![format!("{} new", number::counted(self.new, "task", "tasks"))];
        if self.existing > 0 {
            told.push(format!("{} were there", number::grouped(self.existing)));
        }
        if self.kinds > 0 {
            told.push(format!("{} new", number::counted(self.kinds, "kind", "kinds")));
        }
        if self.refused > 0 {
            told.push(format!("{} left out", number::counted(self.refused, "line", "lines")));
        }
        page.line(Ink::Plain, &told.join(", "))
    }
}
