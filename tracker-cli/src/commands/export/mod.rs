mod csv;

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::PathBuf,
};

use self::csv::Cells;

use tracker_core::Tracker;

use crate::{
    exit::Exit,
    failure::Failure,
    file::{Contents, Existing, FileArg, KindArg, OutputFile},
    filter::FilterArg,
    output::{EscapedJson, Output},
};

/// Writes tasks out as lines of JSON, or as CSV
///
/// Lines of JSON hold everything, and `import` reads them: docs/json-lines.md. CSV is for spreadsheets.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Where to, a file that is not there yet, for its owner only; the standard output where no file is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// As CSV, of one kind
    #[arg(long)]
    csv: bool,
    /// Writes CSV cells as they are, also those that a spreadsheet takes for formulas
    #[arg(long, requires = "csv")]
    raw: bool,
    #[command(flatten)]
    filter: FilterArg,
}

impl Args {
    pub fn run(&self, _: &Output) -> Result<Exit, Failure> {
        if !self.csv && !self.filter.is_empty() {
            return Err(Failure::usage("filters are for --csv: lines of JSON are written whole"));
        }
        let tracker = self.file.look()?;
        match &self.output {
            Some(path) => {
                // A file that is there is not overwritten: it may be the tracker file.
                let mut out = OutputFile::create(path, Existing::Keep, Contents::Tasks)?;
                self.write(&tracker, &mut out)?;
                out.finish()?;
            }
            None => self.write(&tracker, &mut io::stdout().lock())?,
        }
        Ok(Exit::Fine)
    }

    fn write(&self, tracker: &Tracker, out: &mut impl Write) -> Result<(), Failure> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        if self.csv {
            let tasks = self.kind.one(tracker)?;
            let cells = Cells { raw: self.raw, on_terminal: self.output.is_none() && io::stdout().is_terminal() };
            let query = self.filter.apply(tasks.query().by_creation(), tracker.now())?;
            csv::write(&tasks.info()?, query, cells, &mut out)?;
        } else if self.kind.kind.is_some() {
            self.kind.one(tracker)?.export(EscapedJson::new(&mut out)).map_err(unheard)?;
        } else {
            tracker.export(EscapedJson::new(&mut out)).map_err(unheard)?;
        }
        Ok(out.flush()?)
    }
}

/// Where whoever reads the output has gone, nobody is to be told.
fn unheard(error: tracker_core::Error) -> Failure {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe => io::Error::from(cause.kind()).into(),
        Some(cause) => Failure::file(format!("{error}: {cause}")),
        None => error.into(),
    }
}
