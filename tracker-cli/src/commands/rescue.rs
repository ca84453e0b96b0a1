//! `tracker rescue`.

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
        let tracker = self.file.open_shared()?;
        let kinds = self.kind.all(&tracker)?;
        let mut rescued = 0;
        for tasks in &kinds {
            rescued += tasks.rescue()?.len() as u64;
        }
        if let Some(limit) = self.running_longer_than {
            let now = tracker.now();
            let mut running = 0;
            for tasks in &kinds {
                let has_expired =
                    |since: chrono::DateTime<chrono::Utc>| (now - since).to_std().is_ok_and(|ran| ran > limit.0);
                let leases = tasks.leases(usize::MAX)?;
                running += leases.iter().filter(|leased| has_expired(leased.lease.since)).count() as u64;
            }
            let question = format!("{} would be taken from their workers", number::counted(running, "task", "tasks"));
            if running > 0 && self.confirm.ask(output, &question)? {
                for tasks in &kinds {
                    rescued += tasks.rescue_running_longer_than(limit.0)?.len() as u64;
                }
            }
        }
        tracker.close()?;
        output.print(&BulkResult { changed: rescued, selected: rescued, ..BulkResult::new("rescued") })?;
        Ok(Exit::Success)
    }
}
