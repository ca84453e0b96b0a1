//! `tracker export`: tasks as JSON lines or CSV. Reads the file, and writes the standard output or a new file.

mod csv;

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
};

use self::csv::Cells;

use tracker_core::Tracker;

use crate::{
    error::CliError,
    exit::Exit,
    file::{Contents, Existing, FileArg, KindArg, OutputFile},
    filter::FilterArg,
    output::{EscapedJson, Output},
};

/// Writes tasks as JSON lines or as CSV
///
/// JSON lines contain everything, and `import` reads them: docs/json-lines.md. CSV is for spreadsheets.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// The new file, readable by its owner only; without it, the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Writes CSV, for one kind
    #[arg(long)]
    csv: bool,
    /// Keeps CSV cells that a spreadsheet would run as formulas
    #[arg(long, requires = "csv")]
    raw: bool,
    #[command(flatten)]
    filter: FilterArg,
}

impl Args {
    pub fn run(&self, _: &Output) -> Result<Exit, CliError> {
        if !self.csv && !self.filter.is_empty() {
            return Err(CliError::usage("filters need --csv: JSON lines contain all tasks"));
        }
        let tracker = self.file.inspect()?;
        match &self.output {
            Some(path) => {
                // An existing file may be the tracker file.
                let mut out = OutputFile::create(path, Existing::Keep, Contents::Tasks)?;
                self.write(&tracker, &mut out)?;
                out.finish()?;
            }
            None => self.write(&tracker, &mut io::stdout().lock())?,
        }
        Ok(Exit::Success)
    }

    fn write(&self, tracker: &Tracker, out: &mut impl Write) -> Result<(), CliError> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        if self.csv {
            let tasks = self.kind.one(tracker)?;
            let cells = Cells { raw: self.raw, on_terminal: self.output.is_none() && io::stdout().is_terminal() };
            let query = tasks.matching(&self.filter.conditions(None, tracker.now())?).by_creation();
            csv::write(&tasks.info()?, query, cells, &mut out)?;
        } else if self.kind.kind.is_some() {
            self.kind.one(tracker)?.export(EscapedJson::new(&mut out)).map_err(export_error)?;
        } else {
            tracker.export(EscapedJson::new(&mut out)).map_err(export_error)?;
        }
        Ok(out.flush()?)
    }
}

/// Returns an error that is not printed if the reader of the output has closed it.
fn export_error(error: tracker_core::Error) -> CliError {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe => io::Error::from(cause.kind()).into(),
        Some(cause) => CliError::file(format!("{error}: {cause}")),
        None => error.into(),
    }
}
