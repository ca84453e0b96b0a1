//! Lists tasks by number, status, time of the last change and index value, counts them, and finds a shared limit that is reached. Called by
//! `engine/action`, `engine/writer/rebuild`, `api/query`, `api/tasks/lookup`, `api/inspect/plan`, `storage`, `portable/export` and
//! `maintenance/verify`; writes no row.

use super::rows::Rows;
use crate::{
    model::{
        error::Result,
        kind::Kind,
        place::place_of_submission,
        task::{SharedLimit, TaskRef},
        time::Micros,
        transition::Header,
    },
    storage::{
        keys::{self, ClaimKey, CountKey, UpdatedKey},
        order::{StatusOrder, status_order},
        tables::{Source, Tables, row_of},
    },
};

/// The position after which a listing continues: the time and the number of a task.
pub(crate) type ListingPosition = (Micros, u64);

/// The part of a listing by the time of the last change that a caller reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListingRange {
    /// Only tasks that changed at this time or later.
    pub since: Micros,
    /// Only tasks that changed before this time. `Micros::MAX` sets no bound.
    pub until: Micros,
    pub beyond: Option<ListingPosition>,
    pub newest_first: bool,
    pub most: usize,
}

impl From<Micros> for ListingRange {
    /// All since a time, oldest first.
    fn from(since: Micros) -> Self {
        Self { since, until: Micros::MAX, beyond: None, newest_first: false, most: usize::MAX }
    }
}

impl ListingRange {
    /// Its first and last position; `None` if nothing lies in it.
    fn bounds(&self) -> Option<(ListingPosition, ListingPosition)> {
        let end =
            if self.until == Micros::MAX { (Micros::MAX, u64::MAX) } else { (self.until.checked_sub(1)?, u64::MAX) };
        let (mut low, mut high) = ((self.since, 0), end);
        match (self.beyond, self.newest_first) {
            (None, _) => {}
            (Some((at, u64::MAX)), false) => low = low.max((at.checked_add(1)?, 0)),
            (Some((at, seq)), false) => low = low.max((at, seq + 1)),
            (Some((at, 0)), true) => high = high.min((at.checked_sub(1)?, u64::MAX)),
            (Some((at, seq)), true) => high = high.min((at, seq - 1)),
        }
        (low <= high).then_some((low, high))
    }
}

impl<S: Source> Tables<S> {
    /// Tasks of a kind in the order of submission, beyond a number.
    pub(crate) fn tasks_beyond(&mut self, kind: u32, beyond: Option<u64>, most: usize) -> Result<Vec<TaskRef>> {
        let Some(from) = beyond.map_or(Some(0), |beyond| beyond.checked_add(1)) else { return Ok(Vec::new()) };
        let (first, last) = (TaskRef { kind, seq: from }.pack(), TaskRef { kind, seq: u64::MAX }.pack());
        let rows = Rows::of("tracker.headers", self.headers()?, first..=last)?;
        rows.take(most).map(|row| Ok(TaskRef::unpack(row?.0.value()))).collect()
    }

    /// Headers of a kind in the order of submission, both ways, beyond a number.
    pub(crate) fn headers_beyond(
        &mut self,
        kind: u32,
        beyond: Option<u64>,
        newest_first: bool,
        mut wanted: impl FnMut(&Header) -> bool,
        most: usize,
    ) -> Result<Vec<(TaskRef, Header)>> {
        let (low, high) = match (beyond, newest_first) {
            (None, _) => (0, u64::MAX),
            (Some(seq), false) => (seq.saturating_add(1), u64::MAX),
            (Some(0), true) => return Ok(Vec::new()),
            (Some(seq), true) => (0, seq - 1),
        };
        let (first, last) = (TaskRef { kind, seq: low }.pack(), TaskRef { kind, seq: high }.pack());
        let mut rows = Rows::of("tracker.headers", self.headers()?, first..=last)?.newest_first(newest_first);
        let mut found = Vec::new();
        while found.len() < most {
            let Some(row) = rows.next() else { break };
            let (key, value) = row?;
            let task = TaskRef::unpack(key.value());
            let header: Header = row_of("tracker.headers", task, value.value())?;
            if wanted(&header) {
                found.push((task, header));
            }
        }
        Ok(found)
    }

    /// A range of the tasks of one status in the order of their last change.
    pub(crate) fn changed(
        &mut self,
        kind: &Kind,
        code: i32,
        range: ListingRange,
    ) -> Result<Vec<(ListingPosition, TaskRef)>> {
        let mut found = match status_order(&kind.graph, code) {
            StatusOrder::Waiting => self.updated_of(kind.id, code, range)?,
            StatusOrder::Ended => {
                let mut found = Vec::new();
                for rank in self.ranks(kind.id, code)? {
                    found.extend(self.ended_of(kind.id, code, rank, range)?);
                }
                found
            }
            StatusOrder::Leased => {
                let mut found = Vec::new();
                for key in self.claim_keys_of(kind.id, code)? {
                    let position = (self.header(key.task())?.map_or(0, |header| header.updated), key.seq);
                    if range.bounds().is_some_and(|(low, high)| (low..=high).contains(&position)) {
                        found.push((position, key.task()));
                    }
                }
                found
            }
        };
        found.sort_unstable_by_key(|(position, _)| *position);
        if range.newest_first {
            found.reverse();
        }
        found.truncate(range.most);
        Ok(found)
    }

    fn updated_of(&mut self, kind: u32, code: i32, range: ListingRange) -> Result<Vec<(ListingPosition, TaskRef)>> {
        let Some((low, high)) = range.bounds() else { return Ok(Vec::new()) };
        let [first, last] = [low, high].map(|(at, seq)| UpdatedKey { kind, code, at, seq }.pack());
        let rows = Rows::of("tracker.updated", self.updated()?, first..=last)?.newest_first(range.newest_first);
        let found = rows.take(range.most).map(|row| {
            let key = UpdatedKey::unpack(row?.0.value());
            Ok(((key.at, key.seq), TaskRef { kind, seq: key.seq }))
        });
        found.collect()
    }

    fn ended_of(
        &mut self,
        kind: u32,
        code: i32,
        rank: u8,
        range: ListingRange,
    ) -> Result<Vec<(ListingPosition, TaskRef)>> {
        let Some((low, high)) = range.bounds() else { return Ok(Vec::new()) };
        let [first, last] =
            [low, high].map(|(at, seq)| ClaimKey { kind, code, rank, at, place: place_of_submission(seq), seq }.pack());
        let rows = Rows::of("tracker.claim_order", self.claim_order()?, first..=last)?.newest_first(range.newest_first);
        let found = rows.take(range.most).map(|row| {
            let key = ClaimKey::unpack(row?.0.value());
            Ok(((key.at, key.seq), key.task()))
        });
        found.collect()
    }

    /// All claim keys of a status.
    pub(crate) fn claim_keys_of(&mut self, kind: u32, code: i32) -> Result<Vec<ClaimKey>> {
        self.claim_keys(ClaimKey::first(kind, code, 0)..=ClaimKey::last(kind, code, u8::MAX))?.collect()
    }

    /// The ranks in use among the tasks of a status.
    pub(crate) fn ranks(&mut self, kind: u32, code: i32) -> Result<Vec<u8>> {
        let mut ranks = Vec::new();
        let mut from = Some(0);
        while let Some(rank) = from {
            let (first, last) = (ClaimKey::first(kind, code, rank), ClaimKey::last(kind, code, u8::MAX));
            let Some(head) = self.first_between(first, last)? else { break };
            ranks.push(head.rank);
            from = head.rank.checked_add(1);
        }
        Ok(ranks)
    }

    /// The ended tasks of a status that ended before a time, oldest first within a priority.
    pub(crate) fn ended_before(&mut self, kind: &Kind, code: i32, before: Micros, most: usize) -> Result<Vec<TaskRef>> {
        if status_order(&kind.graph, code) != StatusOrder::Ended {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for rank in self.ranks(kind.id, code)? {
            let first = ClaimKey::first(kind.id, code, rank);
            for key in self.claim_keys(first..ClaimKey { at: before, ..first })?.take(most - found.len()) {
                found.push(key?.task());
            }
        }
        Ok(found)
    }

    /// The waiting tasks that no claim finds: unreadable ones, and those without a due time.
    pub(crate) fn unreadable_tasks(&mut self, kind: &Kind) -> Result<Vec<TaskRef>> {
        let mut found = Vec::new();
        for status in kind.graph.statuses() {
            if status_order(&kind.graph, status.code) != StatusOrder::Waiting {
                continue;
            }
            for rank in self.ranks(kind.id, status.code)? {
                let last = ClaimKey::last(kind.id, status.code, rank);
                let first = ClaimKey::first_at(kind.id, status.code, rank, last.at);
                for key in self.claim_keys(first..=last)? {
                    found.push(key?.task());
                }
            }
        }
        Ok(found)
    }

    /// The numbers of the tasks whose index has this value, in the order of submission.
    pub(crate) fn with_index(&mut self, kind: u32, number: u16, value: &[u8]) -> Result<Vec<u64>> {
        let (first, last) = (keys::index_key(kind, number, value, 0), keys::index_key(kind, number, value, u64::MAX));
        let range = self.indexes()?.range::<&[u8]>(first.as_slice()..=last.as_slice())?;
        range.map(|entry| Ok(keys::index_seq(entry?.0.value()).unwrap_or(0))).collect()
    }

    /// The next tasks whose index has this value, beyond one of them, in the order of submission or against it.
    pub(crate) fn with_index_beyond(
        &mut self,
        (kind, number, value): (u32, u16, &[u8]),
        beyond: Option<u64>,
        newest_first: bool,
        most: usize,
    ) -> Result<Vec<u64>> {
        let sides = match (beyond, newest_first) {
            (None, _) => Some((0, u64::MAX)),
            (Some(seq), false) => seq.checked_add(1).map(|next| (next, u64::MAX)),
            (Some(seq), true) => seq.checked_sub(1).map(|next| (0, next)),
        };
        let Some((first, last)) = sides else { return Ok(Vec::new()) };
        let (first, last) = (keys::index_key(kind, number, value, first), keys::index_key(kind, number, value, last));
        let range = self.indexes()?.range::<&[u8]>(first.as_slice()..=last.as_slice())?;
        let rows: Box<dyn Iterator<Item = _>> = if newest_first { Box::new(range.rev()) } else { Box::new(range) };
        rows.take(most).map(|entry| Ok(keys::index_seq(entry?.0.value()).unwrap_or(0))).collect()
    }

    /// The first shared limit of a kind that is reached.
    pub(crate) fn reached_shared_limit(&mut self, kind: &Kind) -> Result<Option<SharedLimit>> {
        if kind.policy.shared_limits.is_empty() {
            return Ok(None);
        }
        let kinds = self.all_kinds()?;
        let kinds: Vec<_> = kinds.all().map(|kind| &**kind).collect();
        let in_progress = |kind: &Kind| Ok(kind.in_progress(&self.counts_of(kind.id)?));
        Ok(kind.reached_shared_limit(&kinds, in_progress)?.cloned())
    }

    /// The kept counters of a kind.
    pub(crate) fn counts_of(&mut self, kind: u32) -> Result<Vec<(i32, u64)>> {
        let key = |code| CountKey { kind, code }.pack();
        let counts = Rows::of("tracker.counts", self.counts()?, key(i32::MIN)..=key(i32::MAX))?.map(|row| {
            let (key, count) = row?;
            Ok((CountKey::unpack(key.value()).code, count.value()))
        });
        counts.collect()
    }
}
