//! Counts the waiting tasks of a status by when they are due. Called by `api/inspect/plan` and `api/inspect/leases`; writes no row.

use crate::{
    model::{
        error::Result,
        time::Micros,
        transition::{LATEST, NEVER, PAUSED, WAITING},
    },
    storage::{
        keys::ClaimKey,
        tables::{Source, Tables},
    },
};

/// The waiting tasks of one status: due by now, later, after others, after a resume, or never.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaitingCounts {
    pub due: ClaimKeyCount,
    /// Not counted: what remains of the status's counter.
    pub later: ClaimKeyCount,
    pub behind: ClaimKeyCount,
    pub paused: ClaimKeyCount,
    pub never: ClaimKeyCount,
}

/// A number of tasks, and the first of them in the claim order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClaimKeyCount {
    /// Counted up to a limit.
    pub count: u64,
    /// The first to come.
    pub first: Option<ClaimKey>,
}

impl<S: Source> Tables<S> {
    /// The first claim keys of a status.
    pub(crate) fn first_claim_keys(&mut self, kind: u32, code: i32, most: usize) -> Result<Vec<ClaimKey>> {
        self.claim_keys_between(ClaimKey::first(kind, code, 0), ClaimKey::last(kind, code, u8::MAX), most)
    }

    /// The first claim keys of a status whose tasks are due.
    pub(crate) fn due_first(&mut self, kind: u32, code: i32, now: Micros, most: usize) -> Result<Vec<ClaimKey>> {
        let mut found = Vec::new();
        for rank in self.ranks(kind, code)? {
            let last = ClaimKey { at: now, ..ClaimKey::last(kind, code, rank) };
            found.extend(self.claim_keys_between(ClaimKey::first(kind, code, rank), last, most - found.len())?);
        }
        Ok(found)
    }

    /// How many of a status are due, and how many never are; each counted up to `most`.
    pub(crate) fn waiting(&mut self, kind: u32, code: i32, now: Micros, most: u64) -> Result<WaitingCounts> {
        let mut waiting = WaitingCounts::default();
        for rank in self.ranks(kind, code)? {
            let first = |at: Micros| ClaimKey::first_at(kind, code, rank, at);
            let last = |at: Micros| ClaimKey::last_at(kind, code, rank, at);
            self.gather(&mut waiting.due, first(Micros::MIN), last(now.min(LATEST)), most)?;
            self.gather(&mut waiting.never, first(NEVER), last(NEVER), most)?;
            self.gather(&mut waiting.behind, first(WAITING), last(WAITING), most)?;
            self.gather(&mut waiting.paused, first(PAUSED), last(PAUSED), most)?;
            let later = self.first_between(first(now.saturating_add(1)), last(LATEST))?;
            let soonest = |key: &ClaimKey| (key.at, key.place, key.seq);
            waiting.later.first = waiting.later.first.into_iter().chain(later).min_by_key(soonest);
        }
        Ok(waiting)
    }

    fn gather(&mut self, group: &mut ClaimKeyCount, first: ClaimKey, last: ClaimKey, most: u64) -> Result<()> {
        for key in self.claim_keys(first..=last)? {
            group.first.get_or_insert(key?);
            if group.count >= most {
                break;
            }
            group.count += 1;
        }
        Ok(())
    }

    fn claim_keys_between(&mut self, first: ClaimKey, last: ClaimKey, most: usize) -> Result<Vec<ClaimKey>> {
        self.claim_keys(first..=last)?.take(most).collect()
    }
}
