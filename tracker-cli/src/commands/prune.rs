//! `tracker prune`: deletes tasks that have ended. Changes the file through `FileControl`.

use tracker_core::live::Request;

use crate::{
    bulk::{ConfirmArg, run_after_question},
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    human_duration::HumanDuration,
    output::Output,
};

/// Deletes tasks that ended some time ago, with their histories
///
/// Tasks that have not ended are never deleted.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Tasks that ended at least this long ago, such as 30d
    #[arg(long, value_name = "DURATION")]
    older_than: HumanDuration,
    /// Only tasks in this status, by name or code; may be given several times
    #[arg(short, long, value_name = "STATUS")]
    status: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let control = self.file.open_for_changes()?;
        let request = Request::Prune {
            kind: self.kind.kind.clone(),
            statuses: self.status.clone(),
            older_than: self.older_than.0,
        };
        let result = run_after_question(control, output, &self.confirm, "deleted", &request)?;
        output.print(&result)?;
        Ok(Exit::Success)
    }
}
