//! `tracker ignore`: ignores tasks, so that they do not start. A bulk command: changes the file through `bulk`.

use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

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
        let result = self.selection.run(output, "ignored", TaskChange::Ignore { reason: self.reason.clone() })?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
