//! Counts the waiting tasks of a status by when they are due. Called by the inspection of plans.

use crate::{
    model::{
        error::Result,
        time::Micros,
        transition::{LATEST, NEVER, WAITING},
    },
    storage::{
        keys::ClaimKey,
        tables::{Source, Tables},
    },
};

/// The waiting tasks of one status: due by now, later, after others, or never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitingCounts {
    pub due: ClaimKeyCount,
    /// Not counted: what remains of the status's counter.
    pub later: ClaimKeyCount,
    pub behind: ClaimKeyCount,
    pub never: ClaimKeyCount,
}

/// Places in the claim order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClaimKeyCount {
    /// Counted up to a limit.
    pub count: u64,
    /// The first to come.
    pub first: Option<ClaimKey>,
}

impl<S: Source> Tables<S> {
    /// The first places of a status, by priority and time.
    pub(crate) fn line_first(&mut self, kind: u32, code: i32, most: usize) -> Result<Vec<ClaimKey>> {
        self.line_between(ClaimKey::first(kind, code, 0), ClaimKey::last(kind, code, u8::MAX), most)
    }

    /// The first places of a status that are due, by priority and time.
    pub(crate) fn due_first(&mut self, kind: u32, code: i32, now: Micros, most: usize) -> Result<Vec<ClaimKey>> {
        let mut found = Vec::new();
        for rank in self.ranks(kind, code)? {
            let last = ClaimKey { at: now, ..ClaimKey::last(kind, code, rank) };
            found.extend(self.line_between(ClaimKey::first(kind, code, rank), last, most - found.len())?);
        }
        Ok(found)
    }

    /// How many of a status are due, and how many never are; each counted up to `most`.
    pub(crate) fn waiting(&mut self, kind: u32, code: i32, now: Micros, most: u64) -> Result<WaitingCounts> {
        let mut waiting = WaitingCounts::default();
        for rank in self.ranks(kind, code)? {
            let at = |at: Micros, seq: u64| ClaimKey { kind, code, rank, at, seq };
            self.gather(&mut waiting.due, at(Micros::MIN, 0), at(now.min(LATEST), u64::MAX), most)?;
            self.gather(&mut waiting.never, at(NEVER, 0), at(NEVER, u64::MAX), most)?;
            self.gather(&mut waiting.behind, at(WAITING, 0), at(WAITING, u64::MAX), most)?;
            let later = self.first_between(at(now.saturating_add(1), 0), at(LATEST, u64::MAX))?;
            waiting.later.first = waiting.later.first.into_iter().chain(later).min_by_key(|key| (key.at, key.seq));
        }
        Ok(waiting)
    }

    fn gather(&mut self, group: &mut ClaimKeyCount, first: ClaimKey, last: ClaimKey, most: u64) -> Result<()> {
        for place in self.places(first..=last)? {
            group.first.get_or_insert(place?);
            if group.count >= most {
                break;
            }
            group.count += 1;
        }
        Ok(())
    }

    fn line_between(&mut self, first: ClaimKey, last: ClaimKey, most: usize) -> Result<Vec<ClaimKey>> {
        self.places(first..=last)?.take(most).collect()
    }
}
