//! `tracker man`: writes the manual pages. Hidden from the help, called when the program is packaged; writes to a folder or the standard
//! output.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::Man;

use crate::{
    error::CliError,
    exit::Exit,
    file::{Contents, Existing, OutputFile},
};

/// Prints the manual page, or writes one page per command into a folder
#[derive(clap::Args)]
pub struct Args {
    /// Writes tracker.1, tracker-status.1 … into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Args {
    pub fn run(&self, program: Command) -> Result<Exit, CliError> {
        match &self.out {
            Some(folder) => {
                let mut program = program.disable_help_subcommand(true);
                program.build();
                write_pages(program, folder)?;
            }
            None => Man::new(program).render(&mut io::stdout())?,
        }
        Ok(Exit::Success)
    }
}

/// Writes the pages of the subcommands, then that of the command.
fn write_pages(command: Command, folder: &Path) -> Result<(), CliError> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand.clone(), folder)?;
    }
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    OutputFile::write(&folder.join(man.get_filename()), Existing::Replace, Contents::Public, &page)
}
