//! `tracker pause`: pauses tasks or kinds, with the change that it shares with `tracker resume`. Changes the file through `bulk`.

use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, output::Output};

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
        run(&self.selection, output, true)
    }
}

/// Pauses or resumes the selected tasks, or whole kinds if no tasks are selected.
pub fn run(selection: &SelectionArg, output: &Output, paused: bool) -> Result<Exit, CliError> {
    let (action, change) = if paused { ("paused", TaskChange::Pause) } else { ("resumed", TaskChange::Resume) };
    let result = if selection.is_empty() {
        selection.run_on_kinds(output, action, paused)?
    } else {
        selection.run(output, action, change)?
    };
    output.print(&result)?;
    Ok(result.exit())
}
