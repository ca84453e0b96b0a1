//! `tracker set`: changes the priority or the due time of tasks. A bulk command: changes the file through `bulk`.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use tracker_core::live::TaskChange;

use crate::{bulk::SelectionArg, error::CliError, exit::Exit, human_duration::HumanDuration, output::Output};

/// Sets the priority or the due time of tasks that have not ended
///
/// A running task keeps its due time and refuses another one. With a filter or --all, running tasks keep it too.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true))]
pub struct Args {
    #[command(flatten)]
    selection: SelectionArg,
    /// The new priority: 0 to 255, higher first
    #[arg(long, group = "change", value_name = "NUMBER")]
    priority: Option<u8>,
    /// The new due time: a span from now such as `2h`, or a time such as `2026-11-29T08:00:00Z`
    #[arg(long, group = "change", value_name = "TIME")]
    due: Option<DueArg>,
}

/// A due time on the command line.
#[derive(Clone, Copy)]
enum DueArg {
    In(HumanDuration),
    At(DateTime<Utc>),
}

impl FromStr for DueArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        text.parse().map(Self::In).map_err(|_| {
            format!("expected a span from now such as 30m, or a time such as 2026-11-29T08:00:00Z, found {text:?}")
        })
    }
}

impl DueArg {
    fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::In(span) => TimeDelta::from_std(span.0)
                .ok()
                .and_then(|span| now.checked_add_signed(span))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let change = match self.due {
            Some(due) => TaskChange::SetDue(due.at(Utc::now())),
            None => TaskChange::SetPriority(self.priority.unwrap_or_default()),
        };
        let result = self.selection.run(output, "changed", change)?;
        output.print(&result)?;
        Ok(result.exit())
    }
}
