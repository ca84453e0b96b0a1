//! `tracker backup`: copies a file that may be in use. Reads the file, writes the copy.

use std::{io, path::PathBuf};

use serde::Serialize;

use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Output, TextStyle, TextWriter, View, number},
};

/// Copies a consistent snapshot of a file, also while the application runs
///
/// Verifies every page. The copy appears whole or not at all, and never replaces an existing file.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The new file
    #[arg(value_name = "INTO")]
    into: PathBuf,
}

#[derive(Serialize)]
struct BackedUp {
    into: PathBuf,
    bytes: u64,
    /// The fence of the first claim in the copy.
    next_fence: u64,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        self.file.file_only("backup", "use its tools such as pg_dump, or `tracker export`")?;
        let tracker = self.file.inspect()?;
        let backup = tracker.backup(&self.into)?;
        tracker.close()?;
        output.print(&BackedUp { into: self.into.clone(), bytes: backup.bytes, next_fence: backup.next_fence })?;
        Ok(Exit::Success)
    }
}

impl View for BackedUp {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(TextStyle::Good, &format!("{}: {}, verified", self.into.display(), number::bytes(self.bytes)))
    }
}
