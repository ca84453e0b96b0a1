//! Reads the claim order: the next task, also of the eligible heads, the first lease to expire, and positions. Called by `engine/action`,
//! `engine/writer/leases`, `api/tasks/lookup`, `portable/export` and `storage/read`. Writes no row; a writing unit of work on a store locks the
//! rows that it loads.

use std::{cmp::Ordering, ops::RangeBounds};

use super::rows::Rows;
#[cfg(feature = "json")]
use crate::{
    model::place::place_of_submission,
    storage::order::{StatusOrder, status_order},
};
use crate::{
    model::{error::Result, kind::Kind, place::Window, status::Role, task::TaskRef, time::Micros, transition::LATEST},
    storage::{
        keys::ClaimKey,
        tables::{Source, Tables},
    },
};

/// The next task to claim, or when one will be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Now(TaskRef),
    /// No task is due before this time.
    At(Micros),
    /// Due tasks wait for a concurrency limit. With the time when the next task of another limit key is due.
    HeldBack(Option<Micros>),
    /// No task waits.
    NoTask,
}

/// The ranges of the claim order that a claim of up to `most` tasks reads: the leases that have expired by `now`, and the first tasks of these statuses.
/// First claim key, last claim key, number of tasks.
pub(super) fn claim_ranges(
    kind: &Kind,
    codes: &[i32],
    now: Micros,
    most: usize,
) -> impl Iterator<Item = (ClaimKey, ClaimKey, usize)> {
    let kind_id = kind.id;
    let running = kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress);
    let expired = running
        .map(move |status| (ClaimKey::first(kind_id, status.code, 0), ClaimKey::last_at(kind_id, status.code, 0, now)));
    let waiting =
        codes.iter().map(move |code| (ClaimKey::first(kind_id, *code, 0), ClaimKey::last(kind_id, *code, u8::MAX)));
    expired.chain(waiting).map(move |(first, last)| (first, last, most))
}

impl<S: Source> Tables<S> {
    /// The keys of a range of the claim order.
    pub(crate) fn claim_keys(
        &mut self,
        range: impl RangeBounds<ClaimKey>,
    ) -> Result<impl Iterator<Item = Result<ClaimKey>>> {
        let bounds = (range.start_bound().map(|key| key.pack()), range.end_bound().map(|key| key.pack()));
        let rows = Rows::of("tracker.claim_order", self.claim_order()?, bounds)?;
        Ok(rows.map(|row| Ok(ClaimKey::unpack(row?.0.value()))))
    }

    /// The first key of the claim order between two keys, both included.
    pub(crate) fn first_between(&mut self, from: ClaimKey, to: ClaimKey) -> Result<Option<ClaimKey>> {
        self.claim_keys(from..=to)?.next().transpose()
    }

    /// The first eligible head between two claim keys, both included.
    fn first_eligible(&mut self, from: ClaimKey, to: ClaimKey) -> Result<Option<ClaimKey>> {
        let first =
            Rows::of("tracker.limit_heads", self.limit_heads()?, from.pack()..=to.pack())?.next().transpose()?;
        Ok(first.map(|(key, _)| ClaimKey::unpack(key.value())))
    }

    /// Loads what a claim of up to `most` tasks reads from a store, in one round trip: the expired leases, and the first tasks of these statuses.
    pub(crate) fn prefetch_claim(&mut self, kind: &Kind, codes: &[i32], now: Micros, most: usize) -> Result<()> {
        if self.source().working_set().is_none() {
            return Ok(());
        }
        let ranges: Vec<_> =
            claim_ranges(kind, codes, now, most).map(|(first, last, most)| (first.pack(), last.pack(), most)).collect();
        self.claim_order()?.prefetch_ranges(ranges.iter().map(|(first, last, most)| (first, last, *most)))
    }

    /// The next task of these statuses that is due and may start: by priority, then due time, then place.
    pub(crate) fn next_ready(&mut self, kind: &Kind, codes: &[i32], now: Micros) -> Result<Ready> {
        if kind.limit().is_none() {
            return self.next_of(kind.id, codes, now, Self::first_between);
        }
        match self.next_of(kind.id, codes, now, Self::first_eligible)? {
            Ready::Now(task) => Ok(Ready::Now(task)),
            later => Ok(match (later, self.next_of(kind.id, codes, now, Self::first_between)?) {
                (Ready::At(at), Ready::Now(_)) => Ready::HeldBack(Some(at)),
                (_, Ready::Now(_)) => Ready::HeldBack(None),
                (_, whole) => whole,
            }),
        }
    }

    fn next_of(
        &mut self,
        kind: u32,
        codes: &[i32],
        now: Micros,
        mut first: impl FnMut(&mut Self, ClaimKey, ClaimKey) -> Result<Option<ClaimKey>>,
    ) -> Result<Ready> {
        let mut best: Option<ClaimKey> = None;
        let mut soonest: Option<Micros> = None;
        for &code in codes {
            let mut rank = 0;
            // One read per priority that is in use, because its first key has its first due time.
            while let Some(key) = first(self, ClaimKey::first(kind, code, rank), ClaimKey::last(kind, code, u8::MAX))? {
                if key.at <= now {
                    if best.is_none_or(|best| key.order() < best.order()) {
                        best = Some(key);
                    }
                    break;
                }
                if key.at <= LATEST {
                    soonest = Some(soonest.map_or(key.at, |at| at.min(key.at)));
                }
                match key.rank.checked_add(1) {
                    Some(next) => rank = next,
                    None => break,
                }
            }
        }
        Ok(match (best, soonest) {
            (Some(key), _) => Ready::Now(key.task()),
            (None, Some(at)) => Ready::At(at),
            (None, None) => Ready::NoTask,
        })
    }

    /// The first task of a rank that is due at some time, apart from one task.
    pub(crate) fn first_of(&mut self, kind: u32, codes: &[i32], rank: u8, except: TaskRef) -> Result<Option<ClaimKey>> {
        let mut first: Option<ClaimKey> = None;
        for &code in codes {
            let range = ClaimKey::first(kind, code, rank)..=ClaimKey::last_at(kind, code, rank, LATEST);
            for key in self.claim_keys(range)?.take(2) {
                let key = key?;
                if key.task() != except && first.is_none_or(|first| key.order() < first.order()) {
                    first = Some(key);
                }
            }
        }
        Ok(first)
    }

    /// The last task of the same rank before a position, apart from one task.
    pub(crate) fn last_before(
        &mut self,
        position: ClaimKey,
        codes: &[i32],
        except: TaskRef,
    ) -> Result<Option<ClaimKey>> {
        let mut last: Option<ClaimKey> = None;
        for &code in codes {
            let first = ClaimKey::first(position.kind, code, position.rank);
            let range = first.pack()..ClaimKey { code, ..position }.pack();
            let rows = Rows::of("tracker.claim_order", self.claim_order()?, range)?.newest_first(true);
            for row in rows.take(2) {
                let key = ClaimKey::unpack(row?.0.value());
                if key.task() != except && last.is_none_or(|last| key.order() > last.order()) {
                    last = Some(key);
                }
            }
        }
        Ok(last)
    }

    /// The tasks of a rank and due time whose places lie in a window, in their order, apart from one task.
    pub(crate) fn in_window(
        &mut self,
        kind: u32,
        codes: &[i32],
        rank: u8,
        at: Micros,
        window: Window,
        except: TaskRef,
    ) -> Result<Vec<ClaimKey>> {
        let mut found = Vec::new();
        for &code in codes {
            let first = ClaimKey { place: window.first, ..ClaimKey::first_at(kind, code, rank, at) };
            let last = ClaimKey { place: window.last, ..ClaimKey::last_at(kind, code, rank, at) };
            for key in self.claim_keys(first..=last)? {
                found.extend(Some(key?).filter(|key| key.task() != except));
            }
        }
        found.sort_unstable_by_key(|key| key.order());
        Ok(found)
    }

    /// Whether an operator has moved a waiting task of the kind.
    #[cfg(feature = "json")]
    pub(crate) fn has_moved_tasks(&mut self, kind: &Kind) -> Result<bool> {
        for status in kind.graph.statuses() {
            if status_order(&kind.graph, status.code) != StatusOrder::Waiting {
                continue;
            }
            let (first, last) =
                (ClaimKey::first(kind.id, status.code, 0), ClaimKey::last(kind.id, status.code, u8::MAX));
            for key in self.claim_keys(first..=last)? {
                let key = key?;
                if key.place != place_of_submission(key.seq) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The lease of this in-progress status that runs out first, and when.
    pub(crate) fn first_expiring(&mut self, kind: u32, code: i32, after: Option<ClaimKey>) -> Result<Option<ClaimKey>> {
        self.first_between(next_lease_key(kind, code, after), ClaimKey::last(kind, code, 0))
    }

    /// The lease of this in-progress status that ran out first, at `now` or before. Reads no other lease, because a store locks the rows that it loads.
    pub(crate) fn first_expired(
        &mut self,
        kind: u32,
        code: i32,
        now: Micros,
        after: Option<ClaimKey>,
    ) -> Result<Option<ClaimKey>> {
        self.first_between(next_lease_key(kind, code, after), ClaimKey::last_at(kind, code, 0, now))
    }

    /// How many tasks of these statuses come before a task in the claim order.
    pub(crate) fn count_before(&mut self, task: ClaimKey, codes: &[i32], now: Micros) -> Result<u64> {
        let mut ahead = 0;
        for &code in codes {
            for rank in self.ranks(task.kind, code)? {
                let first = ClaimKey::first(task.kind, code, rank);
                let end = match rank.cmp(&task.rank) {
                    Ordering::Less => ClaimKey::last_at(task.kind, code, rank, now),
                    Ordering::Equal => ClaimKey { code, ..task },
                    Ordering::Greater => break,
                };
                for key in self.claim_keys(first..end)? {
                    key?;
                    ahead += 1;
                }
            }
        }
        Ok(ahead)
    }
}

/// The first claim key of a lease of an in-progress status, or the one after another claim key.
fn next_lease_key(kind: u32, code: i32, after: Option<ClaimKey>) -> ClaimKey {
    match after {
        Some(key) => ClaimKey { seq: key.seq.saturating_add(1), ..key },
        None => ClaimKey::first(kind, code, 0),
    }
}
