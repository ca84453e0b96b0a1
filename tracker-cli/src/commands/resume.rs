//! `tracker resume`.

use tracker_core::Tasks;

use super::pause;
use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

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
        let tasks = BulkCommand {
            action: "resumed",
            one: &|tasks, id| tasks.resume_task(id),
            query: &|query| query.resume(),
            default_statuses: &|query| query.unfinished(),
        };
        pause::run(&self.selection, output, &tasks, Tasks::resume)
    }
}
