//! `tracker move FROM TO` and `tracker move FROM --undo`: moves all tasks to another file or server. Called by `reorder`; opens both ends alone
//! and writes them.

use std::{collections::BTreeMap, io};

use console::Term;
use serde::Serialize;
use tracker_core::maintenance::{MoveProgress, MoveStep, Moved};

use crate::{
    bulk::ConfirmArg,
    error::CliError,
    exit::Exit,
    file::FileArg,
    output::{Cell, Output, Table, TextStyle, TextWriter, View, number},
};

#[derive(Serialize)]
struct MovedView {
    from: String,
    to: String,
    kinds: Vec<KindView>,
    batches: u64,
    schedules: u64,
    /// Rows that belong to no kind.
    other_rows: u64,
    other_checksum: String,
    /// The fence of the first claim in the target.
    next_fence: u64,
    /// Whether an earlier call had copied a part.
    continued: bool,
    /// Tables of the user's own, which were not moved.
    own_tables: Vec<String>,
}

#[derive(Serialize)]
struct KindView {
    kind: String,
    tasks: u64,
    statuses: BTreeMap<String, u64>,
    rows: u64,
    checksum: String,
}

#[derive(Serialize)]
struct Undone {
    usable: String,
}

/// Moves all tasks to another file or server.
pub fn run(from: &FileArg, to: &FileArg, confirm: &ConfirmArg, output: &Output) -> Result<Exit, CliError> {
    let question = format!(
        "all tasks of {} would be moved to {}, and only that one can be written to then (--front or --before moves a task in the claim order)",
        from.name(),
        to.name()
    );
    if !confirm.ask(output, &question)? {
        return Ok(Exit::Findings);
    }
    let mut line = ProgressLine::new(output);
    let moved = from.move_to(to, |progress| line.show(progress));
    line.clear();
    output.print(&MovedView::new(from.name(), to.name(), moved?))?;
    Ok(Exit::Success)
}

/// Makes the source of a move usable again.
pub fn undo(from: &FileArg, confirm: &ConfirmArg, output: &Output) -> Result<Exit, CliError> {
    let question = format!(
        "{} would be usable again; if its move has ended, its tasks are in two places, and programs at both would run each of them twice",
        from.name()
    );
    if !confirm.ask(output, &question)? {
        return Ok(Exit::Findings);
    }
    from.undo_move()?;
    output.print(&Undone { usable: from.name() })?;
    Ok(Exit::Success)
}

/// The progress on a terminal, in one line.
struct ProgressLine {
    term: Option<Term>,
    shown: String,
}

impl ProgressLine {
    fn new(output: &Output) -> Self {
        let term = Term::stderr();
        Self { term: (term.is_term() && !output.is_json()).then_some(term), shown: String::new() }
    }

    fn show(&mut self, progress: &MoveProgress) {
        let Some(term) = &self.term else { return };
        let step = match progress.step {
            MoveStep::CopyRows => "copying",
            MoveStep::ReadSource => "comparing: reading the source",
            _ => "comparing: reading the target",
        };
        let text =
            format!("{step}: {} of {} tasks", number::grouped(progress.tasks), number::grouped(progress.all_tasks));
        if text != self.shown {
            // A terminal that cannot be written to does not end the move.
            drop(term.clear_line().and_then(|()| term.write_str(&text)));
            self.shown = text;
        }
    }

    fn clear(&self) {
        if let Some(term) = self.term.as_ref().filter(|_| !self.shown.is_empty()) {
            drop(term.clear_line());
        }
    }
}

impl MovedView {
    fn new(from: String, to: String, moved: Moved) -> Self {
        let kinds = moved.kinds.into_iter().map(|kind| KindView {
            kind: kind.name,
            tasks: kind.tasks,
            statuses: kind.statuses.into_iter().collect(),
            rows: kind.rows,
            checksum: checksum(kind.checksum),
        });
        Self {
            from,
            to,
            kinds: kinds.collect(),
            batches: moved.batches,
            schedules: moved.schedules,
            other_rows: moved.other_rows,
            other_checksum: checksum(moved.other_checksum),
            next_fence: moved.next_fence,
            continued: moved.was_continued,
            own_tables: moved.own_tables,
        }
    }
}

fn checksum(checksum: u64) -> String {
    format!("{checksum:016x}")
}

impl View for MovedView {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let mut table = Table::new(["kind", "tasks", "rows", "checksum"]);
        let mut row = |name: &str, tasks: String, rows: u64, checksum: &str| {
            table.row([
                Cell::new(TextStyle::Strong, name),
                Cell::right(TextStyle::Plain, &tasks),
                Cell::right(TextStyle::Plain, &number::grouped(rows)),
                Cell::new(TextStyle::Quiet, checksum),
            ]);
        };
        for kind in &self.kinds {
            row(&kind.kind, number::grouped(kind.tasks), kind.rows, &kind.checksum);
        }
        row("(others)", String::new(), self.other_rows, &self.other_checksum);
        table.write(out)?;
        let tasks = number::sum(self.kinds.iter().map(|kind| kind.tasks));
        let moved = format!(
            "moved {}, {} and {} to {}: rows and checksums are the same in both",
            number::counted(tasks, "task", "tasks"),
            number::counted(self.batches, "batch", "batches"),
            number::counted(self.schedules, "schedule", "schedules"),
            self.to,
        );
        out.line(TextStyle::Good, &moved)?;
        if !self.own_tables.is_empty() {
            let text = format!("tables of your own were not moved: {}", self.own_tables.join(", "));
            out.line(TextStyle::Bad, &text)?;
        }
        out.line(
            TextStyle::Plain,
            &format!("{} keeps a copy that can be read; delete it when you need it no more", self.from),
        )
    }
}

impl View for Undone {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        out.line(TextStyle::Good, &format!("{} is usable again", self.usable))
    }
}
