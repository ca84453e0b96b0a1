//! `tracker rescue`: ends leases whose owners are gone, or that run too long. Changes the file through `FileControl`.

use tracker_core::live::Request;

use crate::{
    bulk::{BulkResult, ConfirmArg},
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    human_duration::HumanDuration,
    output::{Output, number},
};

/// Rescues tasks whose leases expired, or that run for too long
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Also tasks that were claimed longer ago than this; their workers lose the lease
    #[arg(long, value_name = "DURATION")]
    running_longer_than: Option<HumanDuration>,
    #[command(flatten)]
    confirm: ConfirmArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let control = self.file.open_for_changes()?;
        let rescue = |running_longer_than| Request::Rescue { kind: self.kind.kind.clone(), running_longer_than };
        let mut rescued = control.perform(&rescue(None))?.changed;
        if let Some(limit) = self.running_longer_than {
            let request = rescue(Some(limit.0));
            let running = control.count(&request)?.iter().map(|count| count.tasks).sum();
            let question = format!("{} would be taken from their workers", number::counted(running, "task", "tasks"));
            if running > 0 && self.confirm.ask(output, &question)? {
                rescued += control.perform(&request)?.changed;
            }
        }
        control.close()?;
        output.print(&BulkResult { changed: rescued, selected: rescued, ..BulkResult::new("rescued") })?;
        Ok(Exit::Success)
    }
}
