//! `tracker requeue`: makes tasks of any status startable again. A bulk command: changes the file through `bulk`.

use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

/// Requeues tasks of any status: startable again, with attempts and failures counted from zero
///
/// Running tasks refuse.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
    /// Starts again in the first step of a pipeline instead of the current one
    #[arg(long)]
    reset: bool,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = self.selection.run(output, "requeued", TaskChange::Requeue { from_start: self.reset })?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
