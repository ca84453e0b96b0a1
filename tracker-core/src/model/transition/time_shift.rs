//! `TimeShift` corrects stored times after a wrong clock. Made by `engine/repair_time` and `maintenance/recover`, applied by
//! `storage/write/retime` and recovery; pure.

use super::{Batch, Header, LATEST, Lease, StoredAttempt};
use crate::model::time::Micros;

/// Maps times that a wrong clock wrote to times that have passed. Times up to `now` stay as they are; later ones follow
/// `now` in their order, one microsecond apart.
#[derive(Clone, Debug)]
pub(crate) struct TimeShift {
    now: Micros,
    /// The later times whose order is kept, in ascending order, each once.
    later: Vec<Micros>,
}

impl TimeShift {
    /// Maps every time after `now` to `now`.
    pub(crate) fn to(now: Micros) -> Self {
        Self::keeping_order(now, [])
    }

    /// Maps the times after `now` among these to distinct ones, in their order.
    pub(crate) fn keeping_order(now: Micros, times: impl IntoIterator<Item = Micros>) -> Self {
        let mut later: Vec<_> = times.into_iter().filter(|time| *time > now).collect();
        later.sort_unstable();
        later.dedup();
        Self { now, later }
    }

    /// The time that later ones are moved to.
    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// The latest time that [`corrected`](Self::corrected) returns.
    pub(crate) fn end(&self) -> Micros {
        self.corrected_at(self.later.len().saturating_sub(1))
    }

    /// The corrected time of the recorded time at a position in `later`.
    fn corrected_at(&self, position: usize) -> Micros {
        self.now.saturating_add(Micros::try_from(position).unwrap_or(Micros::MAX))
    }

    /// The time that replaces a recorded one.
    pub(crate) fn corrected(&self, time: Micros) -> Micros {
        if time <= self.now { time } else { self.corrected_at(self.later.partition_point(|later| *later < time)) }
    }

    /// The due time that replaces `due`, which was stored at the time `stored_at`. If the wrong clock set it, its delay counts from the
    /// corrected time. A due time that was set by a right clock stays.
    pub(crate) fn due(&self, stored_at: Micros, due: Micros) -> Micros {
        if stored_at <= self.now || due < stored_at || due >= LATEST {
            return due;
        }
        self.corrected(stored_at).saturating_add(due.saturating_sub(stored_at)).min(LATEST)
    }

    pub(crate) fn header(&self, header: &Header) -> Header {
        let stored_at = if header.due < header.updated { header.created } else { header.updated };
        Header {
            created: self.corrected(header.created),
            updated: self.corrected(header.updated),
            due: self.due(stored_at, header.due),
            lease: header.lease.as_ref().map(|lease| self.lease(lease)),
            last: header.last.as_ref().map(|last| self.attempt(last)),
            ..header.clone()
        }
    }

    /// A lease lasts at most its whole length from now on, so its owner never loses time by that.
    fn lease(&self, lease: &Lease) -> Lease {
        let longest = self.end().saturating_add(lease.length).min(LATEST);
        Lease {
            started: self.corrected(lease.started),
            expires: lease.expires.min(longest),
            due: self.due(lease.started, lease.due),
            ..lease.clone()
        }
    }

    pub(crate) fn attempt(&self, ended: &StoredAttempt) -> StoredAttempt {
        StoredAttempt { started: self.corrected(ended.started), ended: self.corrected(ended.ended), ..ended.clone() }
    }

    pub(crate) fn batch(&self, batch: &Batch) -> Batch {
        let mut shifted = batch.clone();
        shifted.created = self.corrected(batch.created);
        shifted.finished = batch.finished.map(|finished| self.corrected(finished));
        shifted.throughput.last = self.corrected(batch.throughput.last);
        shifted
    }
}

/// The times that a header states to have passed.
pub(crate) fn times_of(header: &Header) -> impl Iterator<Item = Micros> + '_ {
    let lease = header.lease.iter().map(|lease| lease.started);
    [header.created, header.updated].into_iter().chain(lease).chain(header.last.iter().flat_map(times_of_attempt))
}

/// The times of an attempt that has ended.
pub(crate) fn times_of_attempt(ended: &StoredAttempt) -> [Micros; 2] {
    [ended.started, ended.ended]
}

/// The times that a batch states to have passed.
pub(crate) fn times_of_batch(batch: &Batch) -> impl Iterator<Item = Micros> + '_ {
    [batch.created, batch.throughput.last].into_iter().chain(batch.finished)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::transition::NEVER;

    const NOW: Micros = 1_000;

    #[test]
    fn times_up_to_now_stay_and_later_ones_keep_their_order() {
        let shift = TimeShift::keeping_order(NOW, [9_000, 500, 70_000, 9_000, Micros::MAX]);
        let times = [500, NOW, 9_000, 70_000, Micros::MAX].map(|time| shift.corrected(time));
        assert_eq!(times, [500, NOW, NOW, NOW + 1, NOW + 2]);
        assert_eq!(shift.end(), NOW + 2);
    }

    #[test]
    fn shift_without_an_order_maps_later_times_to_now() {
        let shift = TimeShift::to(NOW);
        assert_eq!(
            [Micros::MIN, NOW, NOW + 1, Micros::MAX].map(|time| shift.corrected(time)),
            [Micros::MIN, NOW, NOW, NOW]
        );
        assert_eq!(shift.end(), NOW);
    }

    #[test]
    fn due_time_keeps_its_delay_where_a_wrong_clock_wrote_it() {
        let shift = TimeShift::keeping_order(NOW, [9_000]);
        assert_eq!(shift.due(9_000, 9_600), NOW + 600);
        assert_eq!(shift.due(500, 9_600), 9_600, "set under a right clock");
        assert_eq!(shift.due(9_000, 8_999), 8_999, "not computed from this time");
        assert_eq!([LATEST, NEVER].map(|due| shift.due(9_000, due)), [LATEST, NEVER]);
    }
}
