use std::{io, path::PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;

use crate::{args::Cli, exit::Exit, failure::Failure, output::Output};

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
            Some(folder) => clap_mangen::generate_to(Cli::command(), folder)?,
            None => Man::new(Cli::command()).render(&mut io::stdout())?,
        }
        Ok(Exit::Fine)
    }
}
