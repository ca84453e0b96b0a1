use std::io;

use serde::Serialize;
use tracker_core::{Tasks, untyped::Untyped};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    output::{Cell, Ink, Output, Page, Table, View, number},
    task::StatusView,
};

/// How many tasks there are, by kind and status
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
}

#[derive(Serialize)]
struct AllCounts {
    kinds: Vec<CountsView>,
}

/// The counts of a kind: kept counters, no scan.
#[derive(Serialize)]
pub struct CountsView {
    pub kind: String,
    pub total: u64,
    pub counts: Vec<CountView>,
}

#[derive(Serialize)]
pub struct CountView {
    #[serde(flatten)]
    pub status: StatusView,
    pub count: u64,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(CountsView::of).collect::<Result<_, _>>()?;
        output.put(&AllCounts { kinds })?;
        Ok(Exit::Fine)
    }
}

impl CountsView {
    pub fn of(tasks: &Tasks<Untyped>) -> Result<Self, Failure> {
        let (kind, counts) = (tasks.info()?, tasks.counts()?);
        let all = kind.statuses.iter().map(|status| CountView {
            status: StatusView::new(status, &kind),
            count: counts.iter().find(|(code, _)| *code == status.code).map_or(0, |(_, count)| count),
        });
        Ok(Self { total: counts.total(), counts: all.collect(), kind: kind.name })
    }

    /// The statuses that have tasks, with bars where it is a terminal.
    pub fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        const WIDEST: u64 = 40;
        // Where hardly a column is left for them, bars tell nothing.
        let columns = page.width().map(|width| (width as u64).saturating_sub(44).min(WIDEST)).filter(|left| *left >= 4);
        let mut table = Table::default();
        for CountView { status, count } in self.counts.iter().filter(|counted| counted.count > 0) {
            let ink = status.means.into();
            let name = if status.step.is_empty() { String::new() } else { format!("{} ", status.step) };
            let cells = [
                Cell::new(Ink::Plain, ""),
                Cell::new(ink, name + &status.status),
                Cell::right(Ink::Strong, &number::grouped(*count)),
                Cell::right(Ink::Quiet, &number::percent(*count, self.total)),
            ];
            let bar = columns.map(|columns| Cell::new(ink, number::bar(*count, self.total, columns)));
            table.row(cells.into_iter().chain(bar));
        }
        table.show(page)
    }
}

impl View for AllCounts {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for (at, kind) in self.kinds.iter().enumerate() {
            if at > 0 {
                page.end()?;
            }
            page.text(Ink::Strong, &kind.kind)?;
            page.line(Ink::Plain, &format!("  {}", number::counted(kind.total, "task", "tasks")))?;
            kind.show(page)?;
        }
        Ok(())
    }
}
