use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, exit::Exit, failure::Failure, output::Output};

/// Prints the completions for a shell
///
/// For bash: `tracker completions bash > ~/.local/share/bash-completion/completions/tracker`.
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

impl Args {
    pub fn run(&self, _: &Output) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tracker", &mut script);
        io::stdout().write_all(&script)?;
        Ok(Exit::Fine)
    }
}
