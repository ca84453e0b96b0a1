use std::{fs, io};

use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    file::FileArg,
    output::{Ink, Output, Page, View, number},
};

/// Gives the free space in the file back to the file system
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
}

#[derive(Serialize)]
struct Compacted {
    bytes_before: u64,
    bytes_after: u64,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.act()?;
        let bytes_before = fs::metadata(&self.file.file)?.len();
        tracker.compact()?;
        tracker.close()?;
        output.put(&Compacted { bytes_before, bytes_after: fs::metadata(&self.file.file)?.len() })?;
        Ok(Exit::Fine)
    }
}

impl View for Compacted {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.line(
            Ink::Plain,
            &format!("{} before, {} now", number::bytes(self.bytes_before), number::bytes(self.bytes_after)),
        )
    }
}
