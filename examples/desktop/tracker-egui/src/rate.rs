//! `Rate`: a smoothed amount per second, and the time that it leaves. Pure: times are values.

use std::time::Duration;

/// Seconds after which a change of the rate has mostly arrived.
const SMOOTHING: f64 = 2.0;
/// Times left above this are not shown: no rate predicts more than 99 hours.
const LONGEST: f64 = 99.0 * 3600.0;

/// An amount per second, smoothed over two seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    /// The time in seconds and the amount of the last observation.
    last: Option<(f64, u64)>,
    per_second: Option<f64>,
}

impl Rate {
    /// Observes an amount at a time in seconds. An amount that falls starts anew.
    pub fn observe(&mut self, now: f64, amount: u64) {
        let Some((before, known)) = self.last else {
            self.last = Some((now, amount));
            return;
        };
        if amount < known {
            *self = Self { last: Some((now, amount)), per_second: None };
            return;
        }
        let passed = now - before;
        // Two reports of one frame have no measurable time between them.
        if passed < 0.05 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let current = (amount - known) as f64 / passed;
        let weight = 1.0 - (-passed / SMOOTHING).exp();
        let smoothed = self.per_second.map_or(current, |rate| rate + (current - rate) * weight);
        *self = Self { last: Some((now, amount)), per_second: Some(smoothed) };
    }

    pub fn per_second(&self) -> Option<f64> {
        self.per_second
    }
}

/// Time that an amount takes at a rate. `None` if the rate is too low to tell.
pub(crate) fn time_left(amount: u64, per_second: f64) -> Option<Duration> {
    #[expect(clippy::cast_precision_loss, reason = "a time for people")]
    let seconds = amount as f64 / per_second;
    (seconds.is_finite() && seconds <= LONGEST).then(|| Duration::from_secs_f64(seconds.max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_amounts_give_their_rate_and_time_left() {
        let mut rate = Rate::default();
        for second in 0..5_u32 {
            rate.observe(f64::from(second), u64::from(second) * 100);
        }
        assert!((rate.per_second().unwrap_or_default() - 100.0).abs() < 1e-9);
        assert_eq!(time_left(250, 100.0), Some(Duration::from_millis(2500)));
    }

    #[test]
    fn falling_amount_starts_anew() {
        let mut rate = Rate::default();
        rate.observe(0.0, 0);
        rate.observe(1.0, 1000);
        rate.observe(2.0, 10);
        assert_eq!(rate.per_second(), None);
    }

    #[test]
    fn rate_of_zero_leaves_no_time() {
        assert_eq!(time_left(10, 0.0), None);
        assert_eq!(time_left(0, 0.0), None);
        assert_eq!(time_left(u64::MAX, 1.0), None);
    }
}
