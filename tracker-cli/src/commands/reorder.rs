//! `tracker move`.

use tracker_core::live::{Request, SelectedId};

use crate::{
    bulk::BulkResult,
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::Output,
};

/// Moves waiting tasks to the front of their priority, or before another task
///
/// Several tasks go one after the other in the given order. A task takes over the due time of the task before which it goes; at
/// the front it is due at once.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("destination").required(true))]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The ids of the tasks, as other commands print them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    kind: KindArg,
    /// Before all tasks of the same kind and priority
    #[arg(long, group = "destination")]
    front: bool,
    /// Before this task, which has the same kind and priority
    #[arg(long, group = "destination", value_name = "ID")]
    before: Option<String>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let control = self.file.open_for_changes()?;
        let report = control.perform(&Request::Move {
            kind: self.kind.kind.clone(),
            ids: self.ids.iter().map(|id| SelectedId::from(id.as_str())).collect(),
            before: self.before.as_deref().map(SelectedId::from),
        })?;
        control.close()?;
        let result = BulkResult::of_report("moved", self.ids.len() as u64, report);
        output.print(&result)?;
        Ok(result.exit())
    }
}
