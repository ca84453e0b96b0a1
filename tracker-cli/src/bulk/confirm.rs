//! `ConfirmArg`: the question before many tasks are changed, and `--yes`. Called by bulk commands and others that change much; reads the
//! terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::{error::CliError, output::Output};

#[derive(clap::Args)]
pub struct ConfirmArg {
    /// Does not ask
    #[arg(short, long)]
    pub yes: bool,
}

impl ConfirmArg {
    /// Asks on a terminal whether to go on. Without a terminal, and with `--json`, `--yes` is required.
    pub fn ask(&self, output: &Output, question: &str) -> Result<bool, CliError> {
        if self.yes {
            return Ok(true);
        }
        if output.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(CliError::usage(format!("{question}; nothing was changed: confirm with --yes")));
        }
        eprint!("{question}. Continue? [y/N] ");
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
