//! `tracker verify`: recomputes every index and counter of a file, and prints what contradicts. Reads the file.

use std::io;

use serde::Serialize;

use crate::{
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Cell, Output, Table, TextStyle, TextWriter, View},
};

/// Recomputes every index and counter, and lists inconsistencies
///
/// Reads the whole file and changes nothing. Exit code 1 if there are inconsistencies.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
}

#[derive(Serialize)]
struct Verified {
    sound: bool,
    inconsistencies: Vec<InconsistencyView>,
}

#[derive(Serialize)]
struct InconsistencyView {
    table: String,
    what: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let found = self.file.inspect()?.verify()?.into_iter();
        let inconsistencies: Vec<_> =
            found.map(|found| InconsistencyView { table: found.table, what: found.what }).collect();
        let verified = Verified { sound: inconsistencies.is_empty(), inconsistencies };
        output.print(&verified)?;
        Ok(if verified.sound { Exit::Success } else { Exit::Findings })
    }
}

impl View for Verified {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        if self.sound {
            return out.line(TextStyle::Good, "sound: every index and counter matches the tasks");
        }
        let mut table = Table::new(["table", "what is wrong"]);
        for found in &self.inconsistencies {
            table.row([Cell::new(TextStyle::Strong, &found.table), Cell::new(TextStyle::Bad, &found.what)]);
        }
        table.write(out)
    }
}
