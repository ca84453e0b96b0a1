//! Decides which occurrences of a schedule are due, which of them are caught up, and what an unfinished earlier one changes. Called by
//! `api/schedule` before a commit and by `engine/action/schedule` in it; pure.

use super::row::{CatchUp, OCCURRENCES, Overlap};
use crate::model::time::Micros;

/// An occurrence that is noticed later than this after its time is missed, in microseconds.
pub(crate) const GRACE: Micros = 60_000_000;

/// The nominal times of a definition.
pub(crate) trait Times {
    /// The first nominal time after `after`.
    fn next(&self, after: Micros) -> Option<Micros>;

    /// When the occurrence of a nominal time is submitted: its delay is the same in every process.
    fn start_of(&self, nominal: Micros) -> Micros;
}

/// The occurrences that are due now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The nominal times to submit, oldest first.
    pub nominal: Vec<Micros>,
    /// Number of occurrences that are not caught up, up to [`OCCURRENCES`].
    pub missed: u64,
    /// The position after them.
    pub next: Option<Micros>,
}

/// Returns the due occurrences of a schedule from `position` on, or `None` if there is none.
pub(crate) fn due(position: Option<Micros>, catch_up: CatchUp, now: Micros, times: &impl Times) -> Option<Due> {
    let first = first_of(position, times).filter(|first| times.start_of(*first) <= now)?;
    let mut nominal = started_from(first, now, times);
    let keep = match catch_up {
        CatchUp::Skip | CatchUp::Latest => 1,
        CatchUp::All { max } => usize::try_from(max).unwrap_or(OCCURRENCES).clamp(1, OCCURRENCES),
    };
    let mut next = nominal.last().and_then(|last| times.next(*last));
    let seen = nominal.len();
    if next.is_some_and(|next| times.start_of(next) <= now) {
        nominal = latest(keep, first, now, times);
        next = nominal.last().and_then(|last| times.next(*last));
    }
    nominal.drain(..nominal.len().saturating_sub(keep));
    if catch_up == CatchUp::Skip {
        nominal.retain(|time| now.saturating_sub(times.start_of(*time)) <= GRACE);
    }
    let missed = seen.saturating_sub(nominal.len()) as u64;
    Some(Due { nominal, missed, next })
}

/// The first nominal time at or after a position. Rules of a time zone may have changed since the position was stored.
pub(crate) fn first_of(position: Option<Micros>, times: &impl Times) -> Option<Micros> {
    times.next(position?.saturating_sub(1))
}

/// Up to [`OCCURRENCES`] started occurrences from `first` on.
fn started_from(first: Micros, now: Micros, times: &impl Times) -> Vec<Micros> {
    std::iter::successors(Some(first), |last| times.next(*last).filter(|next| times.start_of(*next) <= now))
        .take(OCCURRENCES)
        .collect()
}

/// The latest `count` started occurrences, found by bisection, so that a gap of years with an occurrence each second is not walked.
fn latest(count: usize, first: Micros, now: Micros, times: &impl Times) -> Vec<Micros> {
    let mut found = Vec::with_capacity(count);
    let mut before = Micros::MAX;
    while found.len() < count && first < before {
        let is_candidate = |time: Micros| time < before && times.start_of(time) <= now;
        before = last_candidate(first, now.min(before), times, is_candidate);
        found.push(before);
    }
    found.reverse();
    found
}

/// The last nominal time from `first` to `end` that is a candidate; the candidates are the first ones, and `first` is one.
fn last_candidate(first: Micros, end: Micros, times: &impl Times, is_candidate: impl Fn(Micros) -> bool) -> Micros {
    let (mut low, mut high) = (first, end);
    while let Some(next) = times.next(low).filter(|next| is_candidate(*next)) {
        low = next;
        let middle = low.saturating_add(high.saturating_sub(low) / 2);
        match times.next(middle).filter(|next| is_candidate(*next)) {
            Some(next) => low = next,
            None => high = middle,
        }
    }
    low
}

/// How due occurrences are submitted beside unfinished earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    /// The number of due occurrences that are submitted; these are the latest.
    pub count: usize,
    /// The unfinished ones are cancelled first.
    pub cancels: bool,
    /// The submitted ones start when the unfinished ones have ended.
    pub waits: bool,
}

/// Decides how many of `due` occurrences are submitted while `unfinished` earlier ones have not ended.
pub(crate) fn admit(overlap: Overlap, unfinished: usize, due: usize) -> Admission {
    match (overlap, unfinished) {
        (_, 0) => Admission { count: due, cancels: false, waits: false },
        (Overlap::QueueOne, 1) => Admission { count: due.min(1), cancels: false, waits: true },
        (Overlap::Skip | Overlap::QueueOne, _) => Admission { count: 0, cancels: false, waits: false },
        (Overlap::CancelEarlier, _) => Admission { count: due, cancels: due > 0, waits: true },
    }
}

#[cfg(test)]
mod tests;
