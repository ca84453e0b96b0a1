use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    file::{Contents, Existing, FileArg, OutputFile},
    output::{Ink, Output, Page, View},
    report::{self, Report},
};

/// Writes one self-contained page about the file: totals, what ended when, durations, errors
///
/// The page needs no network and no scripts: any browser opens it, also from a mail. Payloads are in it.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// Where the page goes; `-` is the standard output. A new file is for its owner only, one that is there keeps its mode
    #[arg(long, short, value_name = "PAGE", default_value = "report.html")]
    out: PathBuf,
    /// Look at no more than so many tasks of each kind, the latest first
    #[arg(long, value_name = "TASKS", default_value_t = 200_000)]
    most: usize,
}

#[derive(Serialize)]
struct Written<'a> {
    page: &'a Path,
    kinds: usize,
    tasks: u64,
    looked_at: u64,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let report = Report::gather(&tracker, &self.file.file, self.most)?;
        let html = report::page(&report);
        if self.out == Path::new("-") {
            io::stdout().lock().write_all(html.as_bytes())?;
            return Ok(Exit::Fine);
        }
        OutputFile::write(&self.out, Existing::Replace, Contents::Tasks, html.as_bytes())?;
        let (kinds, tasks, looked_at) = (report.kinds.len(), report.tasks(), report.looked_at());
        output.put(&Written { page: &self.out, kinds, tasks, looked_at })?;
        Ok(Exit::Fine)
    }
}

impl View for Written<'_> {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.line(Ink::Good, &format!("wrote {}", self.page.display()))?;
        let rest = if self.looked_at < self.tasks { " (--most raises that)" } else { "" };
        page.line(Ink::Plain, &format!("looked at {} of {} tasks{rest}", self.looked_at, self.tasks))
    }
}
