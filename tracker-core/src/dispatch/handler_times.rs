//! `HandlerTimes` keeps how long the last handlers of a pool have taken, and decides whether they are short, whether one slot
//! claims for all, and how many slots some tasks keep busy. Used by `Dispatcher`; pure.

use std::time::Duration;

/// A handler that takes less is short, so that waking a thread for it costs more than the handler.
pub(super) const SHORT: Duration = Duration::from_micros(50);
/// In the mean, a handler that takes longer counts as this long.
const LONG: Duration = Duration::from_micros(200);
/// A handler that takes longer has waited, e.g. for a network: others would have waited behind it.
const BLOCKING: Duration = Duration::from_millis(1);
/// How many handlers in a row must not block before a slot runs tasks one after another that others could run.
const CALM: u8 = 64;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HandlerTimes {
    /// The mean, in which the last ones weigh most.
    mean: Duration,
    /// How many handlers in a row have not blocked, up to [`CALM`].
    calm: u8,
    /// Whether they are so short that slots without prefetch share claims.
    shared: bool,
}

impl HandlerTimes {
    /// Nothing is known, so handlers count as long.
    pub(super) fn new() -> Self {
        Self { mean: LONG, calm: 0, shared: false }
    }

    /// The times after `handlers` that have taken `took`.
    #[cfg(test)]
    pub(super) fn after(handlers: usize, took: Duration) -> Self {
        let mut times = Self::new();
        (0..handlers).for_each(|_| times.add(Some(took)));
        times
    }

    /// A handler has taken `took`. A time that is not known counts as long.
    pub(super) fn add(&mut self, took: Option<Duration>) {
        self.mean = (self.mean * 7 + took.map_or(LONG, |took| took.min(LONG))) / 8;
        self.calm = if took.is_some_and(|took| took < BLOCKING) { CALM.min(self.calm + 1) } else { 0 };
        // Between the two bounds nothing changes, so that slots do not change their mode with each handler.
        if self.mean < SHORT && self.calm == CALM {
            self.shared = true;
        } else if self.mean >= 2 * SHORT || self.calm == 0 {
            self.shared = false;
        }
    }

    /// Whether handlers are short in the mean.
    pub(super) fn are_short(&self) -> bool {
        self.mean < SHORT
    }

    /// Whether handlers have been so short for so long that slots without prefetch share claims.
    pub(super) fn suit_shared_claims(&self) -> bool {
        self.shared
    }

    /// How many slots the handlers of so many tasks keep busy for [`SHORT`].
    pub(super) fn slots_for(&self, tasks: usize) -> usize {
        let work = self.mean.as_micros() * tasks as u128 / SHORT.as_micros();
        usize::try_from(work).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(handlers: usize) -> HandlerTimes {
        HandlerTimes::after(handlers, SHORT / 5)
    }

    #[test]
    fn mean_of_the_last_handlers_decides_whether_they_are_short() {
        assert!(!HandlerTimes::new().are_short(), "nothing is known");
        assert!(!short(11).are_short());
        let mut times = short(12);
        assert!(times.are_short());
        times = short(100);
        times.add(Some(Duration::from_secs(3_600)));
        assert!(times.are_short(), "one long handler");
        times.add(None);
        assert!(!times.are_short(), "a duration that is not known counts as long");
    }

    #[test]
    fn claims_are_shared_once_enough_handlers_did_not_block() {
        assert!(!short(63).suit_shared_claims());
        assert!(short(64).suit_shared_claims());
        let mut times = short(100);
        times.add(Some(BLOCKING));
        assert!(!times.suit_shared_claims(), "one handler has blocked");
        (0..63).for_each(|_| times.add(Some(SHORT / 5)));
        assert!(!times.suit_shared_claims());
        times.add(Some(SHORT / 5));
        assert!(times.suit_shared_claims());
        times.add(None);
        assert!(!times.suit_shared_claims(), "it is not known whether the handler has blocked");
    }

    #[test]
    fn claims_stay_shared_until_handlers_take_twice_as_long() {
        let after = |mut times: HandlerTimes, took: Duration| {
            (0..100).for_each(|_| times.add(Some(took)));
            times.suit_shared_claims()
        };
        let between = SHORT * 3 / 2;
        assert!(after(short(100), between), "they were shared");
        assert!(!after(HandlerTimes::new(), between), "they were not");
        assert!(!after(short(100), SHORT * 21 / 10));
    }

    #[test]
    fn longer_handlers_keep_more_slots_busy() {
        let times = short(200);
        assert_eq!([0, 4, 5, 64].map(|tasks| times.slots_for(tasks)), [0, 0, 1, 12]);
        assert_eq!(HandlerTimes::new().slots_for(3), 12);
    }
}
