use std::io;

use serde::Serialize;

use crate::{
    exit::Exit,
    output::{Ink, Page, View, number},
};

/// What an act did.
#[derive(Serialize)]
pub struct Acted {
    /// In the past, as in `cancelled`.
    pub what: &'static str,
    /// How many tasks it was done to.
    pub done: u64,
    /// How many were meant.
    pub meant: u64,
    /// Tasks named by their ids that refused.
    pub refused: Vec<Refused>,
}

#[derive(Serialize)]
pub struct Refused {
    pub id: String,
    pub message: String,
}

impl Acted {
    pub fn exit(&self) -> Exit {
        if self.refused.is_empty() { Exit::Fine } else { Exit::Findings }
    }
}

impl View for Acted {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for refused in &self.refused {
            page.line(Ink::Bad, &refused.message)?;
        }
        let tasks = number::counted(self.done, "task", "tasks");
        let left = self.meant - self.done.min(self.meant) - self.refused.len() as u64;
        let others = if left > 0 {
            format!("; {} changed meanwhile or refused: left", number::grouped(left))
        } else {
            String::new()
        };
        page.line(Ink::Plain, &format!("{tasks} {}{others}", self.what))
    }
}
