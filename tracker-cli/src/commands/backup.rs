use std::{io, path::PathBuf};

use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    file::FileArg,
    output::{Ink, Output, Page, View, number},
};

/// Copies a file as it is at one moment, also while the application runs
///
/// Every page is verified on the way. The copy appears whole, or not at all, and never over a file that is there.
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
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let backup = tracker.backup(&self.into)?;
        tracker.close()?;
        output.put(&BackedUp { into: self.into.clone(), bytes: backup.bytes, next_fence: backup.next_fence })?;
        Ok(Exit::Fine)
    }
}

impl View for BackedUp {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.line(Ink::Good, &format!("{}: {}, verified", self.into.display(), number::bytes(self.bytes)))
    }
}
