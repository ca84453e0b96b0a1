//! Decides changes of the claim order by an operator: priority, due time, place, and the pause of one task. Called by `Rules::decide`;
//! `api/query/all` and `engine/action/order` call `check_movable` before a move. Pure.

use super::{Decision, Header, LATEST, Rules};
use crate::model::{error::Reason, time::Micros};

impl Rules<'_> {
    /// Changes the priority of an unfinished task. A running attempt continues.
    pub(super) fn set_priority(&self, header: &Header, priority: u8) -> Result<Decision, Reason> {
        self.require_unended(header)?;
        Ok(Decision::of(Header { priority, ..header.clone() }))
    }

    /// Changes the due time of an unfinished task without a lease. A task that waits for others is due then at the earliest.
    pub(super) fn set_due(&self, header: &Header, due: Micros) -> Result<Decision, Reason> {
        self.require_unleased(header)?;
        self.require_unended(header)?;
        Ok(Decision::of(Header { due: due.min(LATEST), ..header.clone() }))
    }

    /// Moves a task that claims can find. The caller chooses a place between two neighbours.
    pub(super) fn set_place(&self, header: &Header, due: Micros, place: Option<u64>) -> Result<Decision, Reason> {
        self.check_movable(header)?;
        Ok(Decision::of(Header { due: due.min(LATEST), place, ..header.clone() }))
    }

    /// Refuses a task that has no place in the claim order: a leased, ended, parked, paused or unreadable one, and one that waits
    /// for others.
    pub(crate) fn check_movable(&self, header: &Header) -> Result<(), Reason> {
        let status = self.require_unleased(header)?;
        self.require_unended(header)?;
        if header.waits > 0 {
            return Err(Reason::Waiting { others: header.waits });
        }
        if header.paused {
            return Err(Reason::Paused);
        }
        if header.unreadable || !self.is_claimable(status) {
            return Err(Self::not_startable(status));
        }
        Ok(())
    }

    /// Pauses or resumes an unfinished task. A running attempt continues; a pause holds back the next one.
    pub(super) fn set_paused(&self, header: &Header, paused: bool) -> Result<Decision, Reason> {
        self.require_unended(header)?;
        Ok(Decision::of(Header { paused, ..header.clone() }))
    }
}
