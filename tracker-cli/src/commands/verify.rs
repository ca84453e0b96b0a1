use std::io;

use serde::Serialize;

use crate::{
    exit::Exit,
    failure::Failure,
    file::FileArg,
    output::{Cell, Ink, Output, Page, Table, View},
};

/// Recomputes every index and counter, and says what differs
///
/// Reads the whole file and changes nothing. Ends with 1 if something differs.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
}

#[derive(Serialize)]
struct Verified {
    sound: bool,
    differences: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    table: String,
    what: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let found = self.file.look()?.verify()?.into_iter();
        let differences: Vec<_> = found.map(|found| Found { table: found.table, what: found.what }).collect();
        let verified = Verified { sound: differences.is_empty(), differences };
        output.put(&verified)?;
        Ok(if verified.sound { Exit::Fine } else { Exit::Findings })
    }
}

impl View for Verified {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        if self.sound {
            return page.line(Ink::Good, "sound: every index and counter is as its tasks say");
        }
        let mut table = Table::new(["table", "what is wrong"]);
        for found in &self.differences {
            table.row([Cell::new(Ink::Strong, &found.table), Cell::new(Ink::Bad, &found.what)]);
        }
        table.show(page)
    }
}
