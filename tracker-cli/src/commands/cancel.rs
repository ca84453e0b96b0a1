//! `tracker cancel`: cancels tasks. A bulk command: changes the file through `bulk`.

use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

/// Cancels tasks: pending ones at once, running ones are asked to end
///
/// If the filter names no status and no role, and with --all: tasks that have not ended.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = self.selection.run(output, "cancelled", TaskChange::Cancel)?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
