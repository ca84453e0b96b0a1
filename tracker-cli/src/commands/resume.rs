//! `tracker resume`: ends the pause of tasks or kinds. Changes the file through `bulk`.

use super::pause;
use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

/// Ends the pause of tasks, or of a kind
///
/// Without ids, a filter and --all: resumes the kind given by --kind, or every kind.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        pause::run(&self.selection, output, false)
    }
}
