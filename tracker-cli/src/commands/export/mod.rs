mod csv;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    filter::FilterArg,
    output::Output,
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
    /// Where to; the standard output where no file is named
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// As CSV, of one kind
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    filter: FilterArg,
}

impl Args {
    pub fn run(&self, _: &Output) -> Result<Exit, Failure> {
        if !self.csv && !self.filter.is_empty() {
            return Err(Failure::usage("filters are for --csv: lines of JSON are written whole"));
        }
        let tracker = self.file.look()?;
        let out: Box<dyn Write> = match &self.output {
            Some(path) => {
                // What is there is not overwritten: it may be the tracker file.
                let made = File::create_new(path);
                Box::new(made.map_err(|error| Failure::file(format!("{}: {error}", path.display())))?)
            }
            None => Box::new(io::stdout().lock()),
        };
        let mut out = BufWriter::with_capacity(1 << 16, out);
        if self.csv {
            let tasks = self.kind.one(&tracker)?;
            csv::write(&tasks.info()?, self.filter.apply(tasks.query().by_creation(), tracker.now())?, &mut out)?;
        } else if self.kind.kind.is_some() {
            self.kind.one(&tracker)?.export(&mut out).map_err(unheard)?;
        } else {
            tracker.export(&mut out).map_err(unheard)?;
        }
        out.flush()?;
        Ok(Exit::Fine)
    }
}

/// Where whoever reads the output has gone, nobody is to be told.
fn unheard(error: tracker_core::Error) -> Failure {
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) if cause.kind() == io::ErrorKind::BrokenPipe => io::Error::from(cause.kind()).into(),
        _ => error.into(),
    }
}
