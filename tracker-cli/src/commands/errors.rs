use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, untyped::Untyped};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    output::{Ink, Output, Page, View, number, time},
};

/// Failed and given up tasks, grouped by what went wrong
///
/// Tasks are grouped by the first line of their last error, with {id} in place of each task's own id.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Looks at so many tasks of each kind, the latest failures first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    most: usize,
}

#[derive(Serialize)]
struct AllErrors {
    kinds: Vec<ErrorsView>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

#[derive(Serialize)]
struct ErrorsView {
    kind: String,
    looked_at: u64,
    /// Whether these were all that failed.
    complete: bool,
    groups: Vec<GroupView>,
}

#[derive(Serialize)]
struct GroupView {
    message: String,
    count: u64,
    /// How many of them will be tried again.
    retrying: u64,
    latest: DateTime<Utc>,
    examples: Vec<String>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(|tasks| self.errors(tasks)).collect::<Result<_, _>>()?;
        output.put(&AllErrors { kinds, now: tracker.now() })?;
        Ok(Exit::Fine)
    }

    fn errors(&self, tasks: &Tasks<Untyped>) -> Result<ErrorsView, Failure> {
        let errors = tasks.errors(self.most)?;
        let groups = errors.groups.into_iter().map(|group| GroupView {
            message: group.message,
            count: group.count,
            retrying: group.retrying,
            latest: group.latest,
            examples: group.examples.iter().map(ToString::to_string).collect(),
        });
        Ok(ErrorsView {
            kind: tasks.name().to_owned(),
            looked_at: errors.looked_at,
            complete: errors.complete,
            groups: groups.collect(),
        })
    }
}

impl View for AllErrors {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        let mut shown = 0;
        for kind in self.kinds.iter().filter(|kind| !kind.groups.is_empty()) {
            if shown > 0 {
                page.end()?;
            }
            shown += 1;
            page.text(Ink::Strong, &kind.kind)?;
            let of = if kind.complete { "" } else { ", the latest" };
            page.line(Ink::Plain, &format!("  {} failed{of}", number::grouped(kind.looked_at)))?;
            for group in &kind.groups {
                group.show(page, self.now)?;
            }
        }
        if shown == 0 {
            page.line(Ink::Good, "nothing has failed")?;
        }
        Ok(())
    }
}

impl GroupView {
    fn show(&self, page: &mut Page<'_>, now: DateTime<Utc>) -> io::Result<()> {
        page.text(Ink::Strong, &format!("  {:>6}  ", number::grouped(self.count)))?;
        page.line(Ink::Bad, &self.message)?;
        let retrying = match self.retrying {
            0 => "given up".to_owned(),
            all if all == self.count => "to be tried again".to_owned(),
            some => format!("{} to be tried again, the others given up", number::grouped(some)),
        };
        page.line(Ink::Quiet, &format!("          {retrying}; the latest {}", time::relative(self.latest, now)))?;
        let more = if self.count > self.examples.len() as u64 { " …" } else { "" };
        page.line(Ink::Plain, &format!("          {}{more}", self.examples.join(", ")))
    }
}
