//! `tracker compact`: makes a file smaller. Opens the file in this process and rewrites it.

use std::{fs, io};

use serde::Serialize;

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, open_shared},
    output::{Output, TextStyle, TextWriter, View, number},
};

/// Returns free space in the file to the file system
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
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let path =
            self.file.file_only("compact", "autovacuum frees space; `VACUUM FULL` returns it to the file system")?;
        let tracker = open_shared(path)?;
        let bytes_before = fs::metadata(path)?.len();
        tracker.compact()?;
        tracker.close()?;
        output.print(&Compacted { bytes_before, bytes_after: fs::metadata(path)?.len() })?;
        Ok(Exit::Success)
    }
}

impl View for Compacted {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(
            TextStyle::Plain,
            &format!("{} before, {} now", number::bytes(self.bytes_before), number::bytes(self.bytes_after)),
        )
    }
}
