//! `tracker prune`.

use chrono::TimeDelta;
use tracker_core::{inspect::KindInfo, status::Role};

use crate::{
    bulk::{BulkResult, ConfirmArg},
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    human_duration::HumanDuration,
    output::{Output, number},
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
        let tracker = self.file.open_shared()?;
        let age = TimeDelta::from_std(self.older_than.0).ok();
        let before = age.and_then(|age| tracker.now().checked_sub_signed(age)).ok_or_else(|| {
            CliError::usage(format!("--older-than {} is longer than any file can be old", self.older_than))
        })?;
        let kinds = self.kind.all(&tracker)?;
        let mut result = BulkResult::new("deleted");
        let (mut counts, mut selected) = (Vec::new(), Vec::new());
        for tasks in &kinds {
            let statuses = if self.status.is_empty() { ended(&tasks.info()?) } else { self.status.clone() };
            let query =
                statuses.iter().fold(tasks.query().changed_before(before), |query, status| query.status(status));
            let total = query.total()?;
            if total > 0 {
                counts.push(format!("{} of {}", number::counted(total, "task", "tasks"), tasks.name()));
                result.selected += total;
                selected.push((tasks, statuses));
            }
        }
        let question = format!("{} would be deleted", counts.join(", "));
        if result.selected == 0 || !self.confirm.ask(output, &question)? {
            result.selected = 0;
            selected.clear();
        }
        for (tasks, statuses) in selected {
            let statuses: Vec<_> = statuses.iter().map(String::as_str).collect();
            result.changed += tasks.prune_older_than(&statuses, self.older_than.0)?;
        }
        tracker.close()?;
        output.print(&result)?;
        Ok(Exit::Success)
    }
}

/// Returns the codes of the statuses in which tasks have ended.
fn ended(kind: &KindInfo) -> Vec<String> {
    let last = kind.steps.len().saturating_sub(1);
    let ended = kind.statuses.iter().filter(|status| match status.role {
        Role::Succeeded => usize::from(status.step) == last,
        role => matches!(role, Role::Exhausted | Role::Ignored | Role::Cancelled),
    });
    ended.map(|status| status.code.to_string()).collect()
}
