//! `tracker pause`, and the change that it shares with `tracker resume`.

use tracker_core::{Tasks, untyped::Untyped};

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
        let tasks = BulkCommand {
            action: "paused",
            one: &|tasks, id| tasks.pause_task(id),
            query: &|query| query.pause(),
            default_statuses: &|query| query.unfinished(),
        };
        run(&self.selection, output, &tasks, Tasks::pause)
    }
}

/// Changes the selected tasks, or whole kinds if no tasks are selected.
pub fn run(
    selection: &SelectionArg,
    output: &Output,
    tasks: &BulkCommand<'_>,
    kind: impl Fn(&Tasks<Untyped>) -> tracker_core::Result<()>,
) -> Result<Exit, CliError> {
    let result = if selection.is_empty() {
        selection.run_on_kinds(output, tasks.action, kind)?
    } else {
        selection.run(output, tasks)?
    };
    output.print(&result)?;
    Ok(result.exit())
}
