//! Looks at the line for people: who is due, who is not, how many.

use super::{Handles, Source};
use crate::{
    disk::keys::LineKey,
    error::Result,
    rules::{LATEST, NEVER, WAITING},
    time::Micros,
};

/// The tasks of one status by when the line has them: due by now, later, after others, or never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    pub due: Group,
    /// Not counted: what remains of the status's counter.
    pub later: Group,
    pub behind: Group,
    pub never: Group,
}

/// Some places in the line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Group {
    /// Counted up to a limit.
    pub count: u64,
    /// The first to come.
    pub first: Option<LineKey>,
}

impl<S: Source> Handles<S> {
    /// The first places of a status, by priority and time.
    pub(crate) fn line_first(&mut self, kind: u32, code: i32, most: usize) -> Result<Vec<LineKey>> {
        self.line_between(LineKey::first(kind, code, 0), LineKey::last(kind, code, u8::MAX), most)
    }

    /// The first places of a status that are due, by priority and time.
    pub(crate) fn due_first(&mut self, kind: u32, code: i32, now: Micros, most: usize) -> Result<Vec<LineKey>> {
        let mut found = Vec::new();
        for rank in self.ranks(kind, code)? {
            let last = LineKey { at: now, ..LineKey::last(kind, code, rank) };
            found.extend(self.line_between(LineKey::first(kind, code, rank), last, most - found.len())?);
        }
        Ok(found)
    }

    /// How many of a status are due, and how many never are; each counted up to `most`.
    pub(crate) fn waiting(&mut self, kind: u32, code: i32, now: Micros, most: u64) -> Result<Waiting> {
        let mut waiting = Waiting::default();
        for rank in self.ranks(kind, code)? {
            let at = |at: Micros, seq: u64| LineKey { kind, code, rank, at, seq };
            self.gather(&mut waiting.due, at(Micros::MIN, 0), at(now.min(LATEST), u64::MAX), most)?;
            self.gather(&mut waiting.never, at(NEVER, 0), at(NEVER, u64::MAX), most)?;
            self.gather(&mut waiting.behind, at(WAITING, 0), at(WAITING, u64::MAX), most)?;
            let later = self.first_between(at(now.saturating_add(1), 0), at(LATEST, u64::MAX))?;
            waiting.later.first = waiting.later.first.into_iter().chain(later).min_by_key(|key| (key.at, key.seq));
        }
        Ok(waiting)
    }

    fn gather(&mut self, group: &mut Group, first: LineKey, last: LineKey, most: u64) -> Result<()> {
        for place in self.places(first..=last)? {
            group.first.get_or_insert(place?);
            if group.count >= most {
                break;
            }
            group.count += 1;
        }
        Ok(())
    }

    fn line_between(&mut self, first: LineKey, last: LineKey, most: usize) -> Result<Vec<LineKey>> {
        self.places(first..=last)?.take(most).collect()
    }
}
