//! `tracker retry`: makes failed tasks startable again. A bulk command: changes the file through `bulk`.

use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

/// Requeues tasks that failed or were given up, in their current step
///
/// Tasks of another status refuse. If the filter names no status and no role, and with --all: tasks that failed or were
/// given up.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = self.selection.run(output, "requeued", TaskChange::Retry)?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
