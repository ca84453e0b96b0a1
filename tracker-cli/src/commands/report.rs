//! `tracker report`: writes an HTML page about a file. Reads the file, and writes the page to a new file.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    error::CliError,
    exit::Exit,
    file::{Contents, Existing, FileArg, OutputFile},
    output::{Output, TextStyle, TextWriter, View},
    report::{self, Report},
};

/// Writes an HTML page about the file: totals, throughput over time, durations, errors
///
/// The page is self-contained, without network access and scripts. It contains payloads.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The page; `-` is the standard output. A new file is readable by its owner only, an existing file keeps its mode
    #[arg(long, short, value_name = "PAGE", default_value = "report.html")]
    out: PathBuf,
    /// Reads at most this many tasks of each kind, the latest first
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    limit: usize,
}

#[derive(Serialize)]
struct Written<'a> {
    page: &'a Path,
    kinds: usize,
    tasks: u64,
    examined: u64,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let report = Report::gather(&tracker, &self.file.name(), self.limit)?;
        let html = report::page(&report);
        if self.out == Path::new("-") {
            io::stdout().lock().write_all(html.as_bytes())?;
            return Ok(Exit::Success);
        }
        OutputFile::write(&self.out, Existing::Replace, Contents::Tasks, html.as_bytes())?;
        let (kinds, tasks, examined) = (report.kinds.len(), report.tasks(), report.examined());
        output.print(&Written { page: &self.out, kinds, tasks, examined })?;
        Ok(Exit::Success)
    }
}

impl View for Written<'_> {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(TextStyle::Good, &format!("wrote {}", self.page.display()))?;
        let rest = if self.examined < self.tasks { " (raise --limit to examine more)" } else { "" };
        out.line(TextStyle::Plain, &format!("examined {} of {} tasks{rest}", self.examined, self.tasks))
    }
}
