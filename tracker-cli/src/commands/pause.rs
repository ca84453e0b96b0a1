//! `tracker pause`.

use crate::{
    bulk::{BulkCommand, SelectionArg},
    error::CliError,
    exit::Exit,
    output::Output,
};

/// Pauses tasks, or all claims of a kind
///
/// No worker claims a paused task. A running attempt goes on. Without ids, a filter and --all: pauses the kind given by --kind, or
/// every kind.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let result = if self.selection.is_empty() {
            self.selection.run_on_kinds(output, "paused", tracker_core::Tasks::pause)?
        } else {
            self.selection.run(
                output,
                &BulkCommand {
                    action: "paused",
                    one: &|tasks, id| tasks.pause_task(id),
                    query: &|query| query.pause(),
                    default_statuses: &|query| query.unfinished(),
                },
            )?
        };
        output.print(&result)?;
        Ok(result.exit())
    }
}
