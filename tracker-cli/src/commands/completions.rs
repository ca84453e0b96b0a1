//! `tracker completions`: prints completions for a shell. Hidden from the help, called when the program is packaged; opens no file.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

use crate::{error::CliError, exit::Exit};

/// Prints completions for a shell
///
/// For bash: `tracker completions bash > ~/.local/share/bash-completion/completions/tracker`.
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

impl Args {
    pub fn run(&self, mut program: Command) -> Result<Exit, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "tracker", &mut script);
        io::stdout().write_all(&script)?;
        Ok(Exit::Success)
    }
}
