use std::{
    io,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    args::Cli,
    exit::Exit,
    failure::Failure,
    file::{Contents, Existing, OutputFile},
    output::Output,
};

/// Prints the manual page, or writes one per command into a folder
#[derive(clap::Args)]
pub struct Args {
    /// Writes tracker.1, tracker-status.1 … into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Args {
    pub fn run(&self, _: &Output) -> Result<Exit, Failure> {
        match &self.out {
            Some(folder) => {
                let mut program = Cli::command().disable_help_subcommand(true);
                program.build();
                write_pages(program, folder)?;
            }
            None => Man::new(Cli::command()).render(&mut io::stdout())?,
        }
        Ok(Exit::Fine)
    }
}

/// Writes the page of a command, after those of its subcommands.
fn write_pages(command: Command, folder: &Path) -> Result<(), Failure> {
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand.clone(), folder)?;
    }
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    OutputFile::write(&folder.join(man.get_filename()), Existing::Replace, Contents::Public, &page)
}
