//! Keeps start rates: a ring of the latest start times of a kind, as many as may start in one period. Read by `engine/action/claim`,
//! `api/inspect/plan` and `api/tasks/lookup`; written by `engine/action/start` and `engine/action/register`, in one table.

use crate::{
    model::{
        error::Result,
        kind::Kind,
        time::{Micros, micros_of},
    },
    storage::{
        keys::StartKey,
        read::rows::Rows,
        tables::{Source, Tables, Writing},
    },
};

/// The number, in the key, of the row that holds the number of the next start in the ring.
pub(crate) const NEXT: u32 = u32::MAX;

impl<S: Source> Tables<S> {
    fn next_start(&mut self, kind: &Kind) -> Result<u32> {
        let next = self.rate_starts()?.get(&StartKey { kind: kind.id, number: NEXT }.pack())?;
        let starts = kind.policy.rate.map_or(1, |rate| rate.starts);
        let next = next.and_then(|next| u32::try_from(next.value()).ok());
        // A number beyond the ring is damage, so the ring begins anew, as without a number.
        Ok(next.filter(|next| *next < starts).unwrap_or(0))
    }

    /// The time from which the kind's rate lets the next task start. `None` if a task may start now.
    pub(crate) fn rate_reached_until(&mut self, kind: &Kind, now: Micros) -> Result<Option<Micros>> {
        let Some(rate) = kind.policy.rate else { return Ok(None) };
        let number = self.next_start(kind)?;
        // The next start takes the place of the oldest that counts.
        let oldest = self.rate_starts()?.get(&StartKey { kind: kind.id, number }.pack())?;
        let until = oldest.map(|oldest| oldest.value().saturating_add(micros_of(rate.period)));
        Ok(until.filter(|until| *until > now))
    }
}

impl Tables<Writing<'_>> {
    /// Writes a start into the ring, over the oldest one.
    pub(crate) fn count_start(&mut self, kind: &Kind, now: Micros) -> Result<()> {
        let Some(rate) = kind.policy.rate else { return Ok(()) };
        let number = self.next_start(kind)?;
        let next = number.saturating_add(1) % rate.starts.max(1);
        let starts = self.rate_starts()?;
        starts.insert(&StartKey { kind: kind.id, number }.pack(), now)?;
        starts.insert(&StartKey { kind: kind.id, number: NEXT }.pack(), i64::from(next))?;
        Ok(())
    }

    /// Writes the ring again for a changed rate. The latest starts still count.
    pub(crate) fn refit_starts(&mut self, kind: &Kind) -> Result<()> {
        let [first, next] = [0, NEXT].map(|number| StartKey { kind: kind.id, number }.pack());
        let rows = Rows::of("tracker.rate_starts", self.rate_starts()?, first..next)?;
        let mut starts = rows.map(|row| Ok(row?.1.value())).collect::<Result<Vec<_>>>()?;
        starts.sort_unstable();
        self.rate_starts()?.remove_range::<&[u8; StartKey::LEN]>(&first..=&next)?;
        for at in starts {
            self.count_start(kind, at)?;
        }
        Ok(())
    }
}
