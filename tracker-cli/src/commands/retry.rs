//! `tracker retry`.

use tracker_core::status::Role;

use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

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
        let result = self.selection.run(
            output,
            &BulkCommand {
                action: "requeued",
                one: &|tasks, id| tasks.retry(id),
                query: &|query| query.retry(),
                default_statuses: &|query| query.role(Role::Failed).role(Role::Exhausted),
            },
        )?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
