//! `tracker move`: moves tasks in the claim order, through `FileControl`, or all tasks to another place, by `move_all`.

use tracker_core::live::{Request, SelectedId};

use super::move_all;
use crate::{
    bulk::{BulkResult, ConfirmArg},
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::Output,
};

/// Moves waiting tasks to the front of their priority, or before another task; or all tasks to another file or server
///
/// `tracker move FILE ID… --front` and `tracker move FILE ID… --before ID` move waiting tasks, one after the other in the given order. A
/// task takes over the due time of the task before which it goes; at the front it is due at once.
///
/// `tracker move FROM TO` moves all tasks of FROM to TO, which must be empty, after a question. No process may have one of them open. It
/// ends with a comparison of both. If it is interrupted, run it again. After that, FROM can be read and not written.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    /// The ids of the tasks, as other commands print them; or the place to which all tasks go
    #[arg(value_name = "ID|TO", required_unless_present = "undo")]
    ids: Vec<String>,
    #[command(flatten)]
    kind: KindArg,
    /// Before all tasks of the same kind and priority
    #[arg(long, conflicts_with = "before")]
    front: bool,
    /// Before this task, which has the same kind and priority
    #[arg(long, value_name = "ID")]
    before: Option<String>,
    /// Makes FROM usable again after a move to another place
    #[arg(long, conflicts_with_all = ["ids", "front", "before", "kind"])]
    undo: bool,
    #[command(flatten)]
    confirm: ConfirmArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        if self.undo {
            return move_all::undo(&self.file, &self.confirm, output);
        }
        if self.front || self.before.is_some() {
            return self.reorder(output);
        }
        match (&self.ids[..], &self.kind.kind) {
            ([to], None) => move_all::run(&self.file, &FileArg::of(to)?, &self.confirm, output),
            _ => Err(CliError::usage(
                "expected --front or --before ID to move tasks, or one place to which all tasks go",
            )),
        }
    }

    fn reorder(&self, output: &Output) -> Result<Exit, CliError> {
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
