use std::collections::HashMap;

use super::{line::Numbered, tie::Awaited};
use crate::error::Result;

/// How many bytes of lines are held at most.
const HELD_BYTES: usize = 64 << 20;

/// Lines of tasks that wait for others which have not come yet: of another kind, or submitted later.
#[derive(Default)]
pub(super) struct Held {
    lines: HashMap<Awaited, Vec<Numbered>>,
    bytes: usize,
    woken: Vec<Numbered>,
}

impl Held {
    /// Holds a line until what it waits for comes; refused if too much is held already.
    pub(super) fn add(&mut self, awaited: Awaited, line: Numbered) -> Result<()> {
        if self.bytes.saturating_add(line.bytes) > HELD_BYTES {
            return Err(awaited.is_absent());
        }
        self.bytes += line.bytes;
        self.lines.entry(awaited).or_default().push(line);
        Ok(())
    }

    /// Something has come.
    pub(super) fn wake(&mut self, name: &Awaited) {
        self.woken.extend(self.lines.remove(name).unwrap_or_default());
    }

    /// A line that need not be held any more.
    pub(super) fn next(&mut self) -> Option<Numbered> {
        let line = self.woken.pop()?;
        self.bytes = self.bytes.saturating_sub(line.bytes);
        Some(line)
    }

    /// The lines whose others never came, by their numbers.
    pub(super) fn rest(self) -> Vec<(u64, Awaited)> {
        let lines = self.lines.into_iter();
        let mut rest: Vec<_> = lines
            .flat_map(|(awaited, lines)| lines.into_iter().map(move |line| (line.number, awaited.clone())))
            .collect();
        rest.sort_unstable_by_key(|(number, _)| *number);
        rest
    }
}
