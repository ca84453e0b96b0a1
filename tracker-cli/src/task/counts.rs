//! `CountsView`: the counts of a kind as `counts`, `status` and `doctor` show them. Pure.

use std::io;

use serde::Serialize;
use tracker_core::{Tasks, inspect::KindInfo, query::Counts, untyped::Untyped};

use super::StatusView;
use crate::{
    error::CliError,
    output::{Cell, Table, TextStyle, TextWriter, number},
};

/// The counts of a kind, read from stored counters.
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

impl CountsView {
    pub fn of(tasks: &Tasks<Untyped>) -> Result<Self, CliError> {
        Ok(Self::new(&tasks.info()?, &tasks.counts()?))
    }

    pub fn new(kind: &KindInfo, counts: &Counts) -> Self {
        let all = kind
            .statuses
            .iter()
            .map(|status| CountView { status: StatusView::new(status, kind), count: counts.of_code(status.code) });
        Self { total: counts.total(), counts: all.collect(), kind: kind.name.clone() }
    }

    /// Writes the statuses that have tasks, with bars on a terminal.
    pub fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        const WIDEST: u64 = 40;
        // Bars of fewer than four columns are left out.
        let columns = out.width().map(|width| (width as u64).saturating_sub(44).min(WIDEST)).filter(|left| *left >= 4);
        let mut table = Table::default();
        for CountView { status, count } in self.counts.iter().filter(|counted| counted.count > 0) {
            let style = status.means.into();
            let name = if status.step.is_empty() { String::new() } else { format!("{} ", status.step) };
            let cells = [
                Cell::new(TextStyle::Plain, ""),
                Cell::new(style, name + &status.status),
                Cell::right(TextStyle::Strong, &number::grouped(*count)),
                Cell::right(TextStyle::Quiet, &number::percent(*count, self.total)),
            ];
            let bar = columns.map(|columns| Cell::new(style, number::bar(*count, self.total, columns)));
            table.row(cells.into_iter().chain(bar));
        }
        table.write(out)
    }
}
