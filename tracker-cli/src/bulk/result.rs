//! `BulkResult`: the answer of a command that changes tasks: how many were changed, and which were refused. Made by commands from the report of
//! a request.

use std::io;

use serde::Serialize;
use tracker_core::live::Report;

use crate::{
    exit::Exit,
    output::{TextStyle, TextWriter, View, number},
};

#[derive(Serialize)]
pub struct BulkResult {
    /// The change in one word, as in `cancelled`.
    pub action: &'static str,
    /// The number of tasks that were changed.
    pub changed: u64,
    /// The number of tasks that were selected.
    pub selected: u64,
    /// Tasks selected by id that refused the change.
    pub refused: Vec<Refused>,
    /// The words for one and for several changed items.
    #[serde(skip)]
    pub things: [&'static str; 2],
}

#[derive(Serialize)]
pub struct Refused {
    pub id: String,
    pub message: String,
}

impl BulkResult {
    pub fn new(action: &'static str) -> Self {
        Self { action, changed: 0, selected: 0, refused: Vec::new(), things: ["task", "tasks"] }
    }

    /// The answer to a request about `selected` tasks.
    pub fn of_report(action: &'static str, selected: u64, report: Report) -> Self {
        let refused = report.refused.into_iter().map(|task| Refused { id: task.id.to_string(), message: task.message });
        Self { changed: report.changed, selected, refused: refused.collect(), ..Self::new(action) }
    }

    pub fn of_kinds(action: &'static str) -> Self {
        Self { things: ["kind", "kinds"], ..Self::new(action) }
    }

    pub fn exit(&self) -> Exit {
        if self.refused.is_empty() { Exit::Success } else { Exit::Findings }
    }
}

impl View for BulkResult {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        for refused in &self.refused {
            out.line(TextStyle::Bad, &refused.message)?;
        }
        let [one, several] = self.things;
        let tasks = number::counted(self.changed, one, several);
        let skipped = self.selected.saturating_sub(self.changed).saturating_sub(self.refused.len() as u64);
        let rest = if skipped > 0 {
            format!("; {} skipped, because they changed meanwhile or refused", number::grouped(skipped))
        } else {
            String::new()
        };
        out.line(TextStyle::Plain, &format!("{tasks} {}{rest}", self.action))
    }
}
