mod kind;
mod pace;
mod problem;

pub use self::problem::Problem;

use std::{fs, io, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;

use self::kind::KindStatus;
use crate::{
    exit::Exit,
    failure::Failure,
    file::{ClockAhead, FileArg, Holder, KindArg},
    output::{Ink, Output, Page, View, number},
    span::Span,
};

/// How far it is: counts, pace, time left, who works, and what needs a look
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// The pace is that of this time until now
    #[arg(short, long, value_name = "SPAN", default_value = "5m")]
    window: Span,
}

#[derive(Serialize)]
struct Status {
    file: PathBuf,
    bytes: u64,
    /// The processes that have it open, where the system tells.
    opened_by: Vec<Holder>,
    /// Where its time is ahead of the system clock.
    clock_ahead: Option<ClockAhead>,
    kinds: Vec<KindStatus>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let window = self.window.0.max(Duration::from_secs(1));
        let (kinds, now, deserted) = (self.kind.all(&tracker)?, tracker.now(), self.file.is_deserted());
        let kinds = kinds.iter().map(|tasks| KindStatus::of(tasks, window, deserted, now)).collect::<Result<_, _>>()?;
        output.put(&Status {
            bytes: fs::metadata(&self.file.file)?.len(),
            opened_by: self.file.holders(),
            clock_ahead: ClockAhead::of(&tracker)?,
            file: self.file.file.clone(),
            kinds,
            now,
        })?;
        Ok(Exit::Fine)
    }
}

impl View for Status {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        page.text(Ink::Strong, &self.file.display().to_string())?;
        page.text(Ink::Quiet, &format!("  {}", number::bytes(self.bytes)))?;
        let holders: Vec<_> = self.opened_by.iter().filter(|holder| holder.works()).map(ToString::to_string).collect();
        let by = if holders.is_empty() { String::new() } else { format!(", opened by {}", holders.join(", ")) };
        page.line(Ink::Quiet, &by)?;
        if let Some(ahead) = &self.clock_ahead {
            page.line(Ink::Warn, &format!("! {}", ahead.text))?;
        }
        if self.kinds.is_empty() {
            page.line(Ink::Quiet, "nothing was submitted yet")?;
        }
        for kind in &self.kinds {
            page.end()?;
            kind.show(page, self.now)?;
        }
        Ok(())
    }
}
