use std::io::{self, BufRead, IsTerminal, Write};

use crate::{failure::Failure, output::Output};

/// Whether to ask before something is done to many tasks.
#[derive(clap::Args)]
pub struct ConfirmArg {
    /// Does it without asking
    #[arg(short, long)]
    pub yes: bool,
}

impl ConfirmArg {
    /// Tells what would be done, and asks on a terminal. Elsewhere nobody could answer: `--yes` must be said.
    pub fn ask(&self, output: &Output, what: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if output.is_json() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage(format!("{what}; nothing was done: say --yes to do it")));
        }
        eprint!("{what}. Go on? [y/N] ");
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
