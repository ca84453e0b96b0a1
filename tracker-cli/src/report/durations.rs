//! `Durations`: percentiles of durations. Filled by `gather`, read by `html`; pure.

use std::time::Duration;

#[derive(Clone, Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Durations {
    pub fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Sorts the durations. Percentiles need sorted durations.
    pub fn sorted(mut self) -> Self {
        self.0.sort_unstable();
        self
    }

    /// Returns the duration that this percentage of all does not exceed.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_is_one_of_the_durations() {
        let millis = |percent, durations: &Durations| durations.percentile(percent).map(|one| one.as_millis());
        let mut durations = Durations::default();
        assert_eq!(millis(50, &durations), None);
        for millis in (1..=200).rev() {
            durations.add(Duration::from_millis(millis));
        }
        let durations = durations.sorted();
        assert_eq!([0, 50, 95, 99, 100].map(|percent| millis(percent, &durations)), [1, 100, 190, 198, 200].map(Some));
    }
}
