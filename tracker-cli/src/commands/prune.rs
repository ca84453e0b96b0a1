use chrono::TimeDelta;
use tracker_core::{inspect::KindInfo, status::Role};

use crate::{
    act::{Acted, ConfirmArg},
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    output::{Output, number},
    span::Span,
};

/// Deletes tasks that ended long ago, with their histories
///
/// Tasks that have not ended are never deleted.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Those that ended longer ago than this, as in 30d
    #[arg(long, value_name = "SPAN")]
    older_than: Span,
    /// Only those in this status, by its name or code; may be given several times
    #[arg(short, long, value_name = "STATUS")]
    status: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArg,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.act()?;
        let ago = TimeDelta::from_std(self.older_than.0).ok().and_then(|ago| tracker.now().checked_sub_signed(ago));
        let before =
            ago.ok_or_else(|| Failure::usage(format!("--older-than {}: that is before all time", self.older_than)))?;
        let all = self.kind.all(&tracker)?;
        let mut done = Acted { what: "deleted", done: 0, meant: 0, refused: Vec::new() };
        let (mut told, mut meant) = (Vec::new(), Vec::new());
        for tasks in &all {
            let statuses = if self.status.is_empty() { ended(&tasks.info()?) } else { self.status.clone() };
            let query =
                statuses.iter().fold(tasks.query().changed_before(before), |query, status| query.status(status));
            let total = query.total()?;
            if total > 0 {
                told.push(format!("{} of {}", number::counted(total, "task", "tasks"), tasks.name()));
                done.meant += total;
                meant.push((tasks, statuses));
            }
        }
        if done.meant == 0 || !self.confirm.ask(output, &format!("{} would be deleted", told.join(", ")))? {
            done.meant = 0;
            meant.clear();
        }
        for (tasks, statuses) in meant {
            let statuses: Vec<_> = statuses.iter().map(String::as_str).collect();
            done.done += tasks.prune_older_than(&statuses, self.older_than.0)?;
        }
        tracker.close()?;
        output.put(&done)?;
        Ok(Exit::Fine)
    }
}

/// The statuses in which tasks have ended.
fn ended(kind: &KindInfo) -> Vec<String> {
    let last = kind.steps.len().saturating_sub(1);
    let ended = kind.statuses.iter().filter(|status| match status.role {
        Role::Succeeded => usize::from(status.step) == last,
        role => matches!(role, Role::Exhausted | Role::Ignored | Role::Cancelled),
    });
    ended.map(|status| status.code.to_string()).collect()
}
