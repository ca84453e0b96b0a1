//! `tracker cancel`.

use tracker_core::status::Role;

use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

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
        let result = self.selection.run(
            output,
            &BulkCommand {
                action: "cancelled",
                one: &|tasks, id| tasks.cancel(id),
                query: &|query| query.cancel(),
                default_statuses: &|query| query.unfinished().role(Role::InProgress),
            },
        )?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
