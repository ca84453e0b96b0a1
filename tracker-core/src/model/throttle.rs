//! `Throttle` is the key and the period of a throttled submit, and `AcceptedSubmit` the stored row of the submit that was accepted. Used by
//! `api/tasks/options`, `model/new_task`, `engine`, `storage`, `portable` and `maintenance`; pure.

use super::{
    error::{Error, Result},
    task::TaskKey,
    time::Micros,
};

/// The throttle of a submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Throttle {
    pub key: TaskKey,
    pub period: Micros,
}

/// The submit with a throttle key that was accepted last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedSubmit {
    pub at: Micros,
    pub period: Micros,
    /// The id of its task.
    pub id: TaskKey,
}

impl Throttle {
    pub(crate) fn check(&self) -> Result<()> {
        if self.period <= 0 {
            return Err(Error::invalid("cannot throttle submits for a period of zero: give at least 1 microsecond"));
        }
        super::bounds::check_throttle_key(&self.key)
    }
}

impl AcceptedSubmit {
    /// Whether a submit at `now` comes within the period after this one.
    pub(crate) fn throttles(&self, now: Micros) -> bool {
        self.at <= now && now < self.end()
    }

    /// When the period has passed, so that the row can be removed.
    pub(crate) fn end(&self) -> Micros {
        self.at.saturating_add(self.period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::TaskId;

    #[test]
    fn submits_are_throttled_until_the_period_has_passed() {
        let accepted = AcceptedSubmit { at: 100, period: 10, id: "a".to_key() };
        for (now, throttled) in [(99, false), (100, true), (109, true), (110, false), (i64::MAX, false)] {
            assert_eq!(accepted.throttles(now), throttled, "at {now}");
        }
        assert!(AcceptedSubmit { at: i64::MAX - 1, ..accepted }.throttles(i64::MAX - 1));
    }

    #[test]
    fn a_throttle_needs_a_key_and_a_period() {
        let throttle = Throttle { key: "a".to_key(), period: 1 };
        assert!(throttle.check().is_ok());
        assert!(Throttle { period: 0, ..throttle.clone() }.check().is_err());
        assert!(Throttle { key: "".to_key(), ..throttle.clone() }.check().is_err());
        assert!(Throttle { key: "a".repeat(4096).to_key(), ..throttle }.check().is_err());
    }
}
