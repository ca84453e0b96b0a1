//! `tracker status`: progress, throughput and problems of each kind. Reads the file.

mod kind;
mod problem;
mod throughput;

pub use self::problem::Problem;

use std::{fs, io, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::kind::KindStatus;
use crate::{
    error::CliError,
    exit::Exit,
    file::{ClockAhead, FileArg, Holder, KindArg},
    human_duration::HumanDuration,
    output::{Output, TextStyle, TextWriter, View, number},
    task::SchedulesStatus,
};

/// Shows the progress of each kind: counts, throughput, time left, workers, problems
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// The period over which throughput is measured
    #[arg(short, long, value_name = "DURATION", default_value = "5m")]
    window: HumanDuration,
}

#[derive(Serialize)]
struct Status {
    file: String,
    /// Null on a server.
    bytes: Option<u64>,
    /// The processes that have the file open; empty on systems other than Linux.
    opened_by: Vec<Holder>,
    /// Present if the time of the file is ahead of the system clock.
    clock_ahead: Option<ClockAhead>,
    kinds: Vec<KindStatus>,
    /// Null if the file has no schedules.
    schedules: Option<SchedulesStatus>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let window = self.window.0.max(Duration::from_secs(1));
        let (kinds, now, no_worker) = (self.kind.all(&tracker)?, tracker.now(), self.file.has_no_worker());
        let kinds = kinds.iter().map(|tasks| KindStatus::of(tasks, window, no_worker)).collect::<Result<_, _>>()?;
        output.print(&Status {
            bytes: self.file.path().map(fs::metadata).transpose()?.map(|found| found.len()),
            opened_by: self.file.holders(),
            clock_ahead: self.file.clock_ahead(&tracker)?,
            file: self.file.name(),
            kinds,
            // Damage is reported by `doctor`.
            schedules: SchedulesStatus::of(&tracker.schedules().unwrap_or_default(), now),
            now,
        })?;
        Ok(Exit::Success)
    }
}

impl View for Status {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.text(TextStyle::Strong, &self.file)?;
        let size = self.bytes.map_or_else(String::new, |bytes| format!("  {}", number::bytes(bytes)));
        out.text(TextStyle::Quiet, &size)?;
        let holders: Vec<_> =
            self.opened_by.iter().filter(|holder| holder.can_write()).map(ToString::to_string).collect();
        let by = if holders.is_empty() { String::new() } else { format!(", opened by {}", holders.join(", ")) };
        out.line(TextStyle::Quiet, &by)?;
        if let Some(ahead) = &self.clock_ahead {
            out.line(TextStyle::Warn, &format!("! {}", ahead.text))?;
        }
        if self.kinds.is_empty() {
            out.line(TextStyle::Quiet, "no task was submitted yet")?;
        }
        for kind in &self.kinds {
            out.end()?;
            kind.write(out, self.now)?;
        }
        if let Some(schedules) = &self.schedules {
            out.end()?;
            schedules.write(out, self.now)?;
        }
        Ok(())
    }
}
