//! `ClaimStarts`: where claims begin to read the claim order, so that they skip the index entries of tasks that have left it, which the server
//! keeps until it vacuums. Asked by `load` for a plan; `unit` tells it what claims have found. Pure.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    time::{Duration, Instant},
};

use tracker_core::store::ClaimPosition;

use crate::sql::SLOW_MICROS;

/// A claim skips no claim key whose time is less than this before that of its unit, in microseconds: a unit that began earlier may still commit a
/// task there. A transaction that lasts longer than half of it counts as a rewind, and the other half is left for the end of the commit.
const MARGIN: i64 = 2 * SLOW_MICROS;

/// Time between two reads of a whole range. They find a task that a server committed so late that its claim key is skipped.
const WHOLE_READS: Duration = Duration::from_secs(5);

/// Time between two claims that learn where the next ones begin: to learn it, a claim looks for the first task a second time, which costs a tenth of the
/// statement. So claims read at most the index entries of tasks that left the range within this time.
const LEARNS_EVERY: Duration = Duration::from_millis(100);

/// How long claims read the whole range after a rewind, and after a claim that has found few tasks: a claim that skips and must then read the whole range needs
/// two round trips.
const PAUSE: Duration = Duration::from_secs(1);

/// The most priorities of a range with a start, since each costs a search in the index for each claim. Those of the highest priorities are kept.
const PRIORITIES_MAX: usize = 16;

/// A kind and a status. Claims read one range for each.
type RangeId = (u32, i32);

/// Where claims begin to read, for each range and priority.
///
/// A claim that has read a range knows that no task has a claim key before the first one that it has found. This remains so until a commit gives a task
/// a claim key with a time before its unit began. Such commits count as rewinds, and each unit reads their number.
#[derive(Debug, Default)]
pub(crate) struct ClaimStarts(HashMap<RangeId, Starts>);

#[derive(Debug)]
struct Starts {
    rewinds: u64,
    read_whole: Instant,
    learned: Instant,
    /// Claims skip nothing before.
    skips_after: Instant,
    /// The first key to read, by rank: 255 less the priority.
    keys: BTreeMap<u8, Vec<u8>>,
}

/// The state of a unit that reads ranges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitTime {
    /// The number of rewinds.
    pub rewinds: u64,
    /// In microseconds since 1970.
    pub now: i64,
    pub began: Instant,
}

/// The parts of a range that a claim reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// First keys, and first keys behind, in their order.
    pub keys: Vec<(Vec<u8>, Vec<u8>)>,
    /// `None` if the keys span several kinds or statuses, or begin inside of one: then claims read all of them.
    range: Option<ClaimRange>,
    /// The state in which no task had a skipped claim key; `None` if nothing is skipped.
    skips: Option<Skip>,
    /// Whether the claim needs the first key for [`ClaimStarts::learn`].
    pub learns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skip {
    rewinds: u64,
    read_whole: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ClaimRange {
    id: RangeId,
    last_rank: u8,
}

/// The answer to a read of the parts of a range.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RangeAnswer<'a> {
    /// The first key, also of a locked task; `None` if the claim does not learn.
    pub first: Option<&'a [u8]>,
    /// The last key of the tasks that were returned.
    pub last: Option<&'a [u8]>,
    /// Whether the parts have no further task.
    pub is_complete: bool,
}

impl ClaimStarts {
    /// Returns the parts of a range that a claim reads at this time.
    pub(crate) fn parts(&self, from: &[u8], to: &[u8], now: Instant) -> Parts {
        let whole = Parts::whole(from, to);
        let Some(range) = whole.range else { return whole };
        let Some(starts) = self.0.get(&range.id) else { return whole };
        let learns = now.duration_since(starts.learned) >= LEARNS_EVERY;
        if !starts.is_used(now) {
            return Parts { learns, ..whole };
        }
        let mut keys = Vec::new();
        let mut read_to = from;
        for (rank, start) in starts.keys.iter().filter(|(_, start)| start.as_slice() < to) {
            let first = range.first_key(*rank, i64::MIN);
            if first.as_slice() > read_to {
                keys.push((read_to.to_vec(), first));
            }
            read_to = start;
        }
        keys.push((read_to.to_vec(), to.to_vec()));
        let skips = Some(Skip { rewinds: starts.rewinds, read_whole: starts.read_whole });
        Parts { keys, range: whole.range, skips, learns }
    }

    /// Remembers what a unit has found, if it learns.
    pub(crate) fn learn(&mut self, parts: &Parts, answer: &RangeAnswer<'_>, unit: UnitTime) {
        let Some(range) = parts.range.filter(|_| parts.learns) else { return };
        let starts = self.0.entry(range.id).or_insert_with(|| Starts::new(unit));
        // Another unit has read the whole range since.
        if starts.rewinds > unit.rewinds || parts.skips.is_some_and(|skip| skip.read_whole != starts.read_whole) {
            return;
        }
        if range.is_short(answer, unit) || starts.rewinds != unit.rewinds {
            starts.skips_after = unit.began + PAUSE;
        }
        (starts.rewinds, starts.learned) = (unit.rewinds, unit.began);
        if parts.skips.is_none() {
            starts.read_whole = unit.began;
            starts.keys.clear();
        }
        let first = answer.first.and_then(ClaimPosition::from_key);
        if range.is_open() && first.is_none() {
            // Without keys, the next claim reads the whole range too.
            return;
        }
        let first_rank = first.map_or(range.last_rank, |first| rank(&first));
        // All ranks before that of the first task are empty, and its own up to the task.
        let mut ranks: Vec<_> = starts.keys.range(..first_rank).map(|(rank, _)| *rank).collect();
        ranks.push(first_rank);
        for rank in ranks {
            let mut start = range.first_key(rank, unit.now.saturating_sub(MARGIN));
            if let Some(first) = answer.first.filter(|first| start.as_slice() > *first) {
                start = first.to_vec();
            }
            let key = starts.keys.entry(rank).or_default();
            *key = start.max(mem::take(key));
        }
        while starts.keys.len() > PRIORITIES_MAX {
            starts.keys.pop_last();
        }
    }
}

impl Parts {
    /// The whole range.
    pub(crate) fn whole(from: &[u8], to: &[u8]) -> Self {
        Self { keys: vec![(from.to_vec(), to.to_vec())], range: ClaimRange::of(from, to), skips: None, learns: true }
    }

    /// These parts for a unit that does not learn.
    pub(crate) fn without_learning(self) -> Self {
        Self { learns: false, ..self }
    }

    /// Whether the unit has to read the whole range after these parts: tasks may have skipped claim keys by now, or there are not enough tasks
    /// that are due, so that a task of a slow commit might wait for long.
    pub(crate) fn need_whole(&self, answer: &RangeAnswer<'_>, unit: UnitTime) -> bool {
        let (Some(range), Some(skip)) = (self.range, self.skips) else { return false };
        skip.rewinds != unit.rewinds || range.is_short(answer, unit)
    }
}

impl Starts {
    fn new(unit: UnitTime) -> Self {
        let UnitTime { rewinds, began, .. } = unit;
        Self { rewinds, read_whole: began, learned: began, skips_after: began, keys: BTreeMap::new() }
    }

    fn is_used(&self, now: Instant) -> bool {
        !self.keys.is_empty() && now >= self.skips_after && now.duration_since(self.read_whole) < WHOLE_READS
    }
}

impl ClaimRange {
    fn of(from: &[u8], to: &[u8]) -> Option<Self> {
        let (first, last) = (ClaimPosition::from_key(from)?, ClaimPosition::from_key(to.get(..from.len())?)?);
        let range = Self { id: (first.kind, first.status), last_rank: rank(&last) };
        (range.id == (last.kind, last.status) && range.first_key(0, i64::MIN) == from).then_some(range)
    }

    /// Whether it holds all claim keys of its status. Otherwise it ends at a time: leases that have expired, of which the first is looked for again
    /// where a worker finds no task.
    fn is_open(self) -> bool {
        self.last_rank == u8::MAX
    }

    /// Whether a claim has found fewer tasks that are due than it has asked for.
    fn is_short(self, answer: &RangeAnswer<'_>, unit: UnitTime) -> bool {
        let last = answer.last.and_then(ClaimPosition::from_key);
        self.is_open() && (answer.is_complete || last.is_none_or(|last| last.at > unit.now))
    }

    fn first_key(self, rank: u8, at: i64) -> Vec<u8> {
        let (kind, status) = self.id;
        ClaimPosition::first_key(kind, status, u8::MAX - rank, at)
    }
}

fn rank(position: &ClaimPosition) -> u8 {
    u8::MAX - position.priority
}

#[cfg(test)]
mod tests;
