//! `tracker requeue`.

use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

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
        let reset = self.reset;
        let result = self.selection.run(
            output,
            &BulkCommand {
                action: "requeued",
                one: &|tasks, id| if reset { tasks.requeue_from_start(id) } else { tasks.requeue(id) },
                query: &|query| if reset { query.requeue_from_start() } else { query.requeue() },
                default_statuses: &|query| query,
            },
        )?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
