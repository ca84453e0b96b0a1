//! `tracker ignore`.

use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

/// Ignores tasks that are not running: they will not start
///
/// If the filter names no status and no role, and with --all: tasks that have not ended.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
    /// The reason, kept in the history of each task
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = self.selection.run(
            output,
            &BulkCommand {
                action: "ignored",
                one: &|tasks, id| tasks.ignore(id, &self.reason),
                query: &|query| query.ignore(&self.reason),
                default_statuses: &|query| query.unfinished(),
            },
        )?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
