//! `Table`: a table of text. On a terminal the last column is cut to the width of the screen. Used by commands that print rows; writes to a
//! `TextWriter`.

use std::io;

use console::{Alignment, measure_text_width, pad_str, truncate_str};

use super::{TextStyle, TextWriter, terminal_text};

#[derive(Default)]
pub struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    style: TextStyle,
    right: bool,
}

impl Cell {
    pub fn new(style: TextStyle, text: impl AsRef<str>) -> Self {
        Self { text: terminal_text::escape_line(text.as_ref()).into_owned(), style, right: false }
    }

    /// A cell that is aligned to the right.
    pub fn right(style: TextStyle, text: &impl ToString) -> Self {
        Self { right: true, ..Self::new(style, text.to_string()) }
    }
}

impl Table {
    pub fn new(head: impl IntoIterator<Item = &'static str>) -> Self {
        Self { head: head.into_iter().collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Removes the columns that are empty in every row.
    pub fn without_empty_columns(mut self) -> Self {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let filled: Vec<bool> = (0..columns)
            .map(|at| self.rows.iter().any(|row| row.get(at).is_some_and(|cell| !cell.text.is_empty())))
            .collect();
        let keep = |at: usize| filled.get(at).copied().unwrap_or(true);
        let mut at = 0;
        self.head.retain(|_| (keep(at), at += 1).0);
        for row in &mut self.rows {
            let mut at = 0;
            row.retain(|_| (keep(at), at += 1).0);
        }
        self
    }

    pub fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let first = self.rows.first();
        let right = |at: usize| first.and_then(|row| row.get(at)).is_some_and(|cell| cell.right);
        let head: Vec<_> = self
            .head
            .iter()
            .enumerate()
            .map(|(at, text)| Cell { right: right(at), ..Cell::new(TextStyle::Quiet, text) })
            .collect();
        let widths = self.widths(&head);
        let shown = (!head.is_empty()).then_some(&head);
        for row in shown.into_iter().chain(&self.rows) {
            write_row(row, &widths, out)?;
        }
        Ok(())
    }

    fn widths(&self, head: &[Cell]) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in [head].into_iter().chain(self.rows.iter().map(Vec::as_slice)) {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = measure_text_width(&cell.text).max(*width);
            }
        }
        widths
    }
}

fn write_row(row: &[Cell], widths: &[usize], out: &mut TextWriter<'_>) -> io::Result<()> {
    // No padding after the last cell with text.
    let cells = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |last| last + 1);
    let mut used = 0;
    for (at, (cell, width)) in row.iter().zip(widths).enumerate().take(cells) {
        let is_last = at + 1 == cells;
        let alignment = if cell.right { Alignment::Right } else { Alignment::Left };
        let text = if is_last && !cell.right {
            let room = out.width().map_or(usize::MAX, |all| all.saturating_sub(used).max(8));
            truncate_str(&cell.text, room, "…")
        } else {
            pad_str(&cell.text, *width, alignment, None)
        };
        out.text(cell.style, &text)?;
        if !is_last {
            out.text(TextStyle::Plain, "  ")?;
        }
        used += width + 2;
    }
    out.end()
}
