//! `LiveThroughput`: the throughput of a kind while the live view runs, from the counts at each refresh. Fed by `app`, drawn by
//! `view/overview`; pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::source::KindSnapshot;

/// How many samples are remembered.
const SAMPLES: usize = 240;

#[derive(Default)]
pub struct LiveThroughput {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    ended: u64,
    remaining: u64,
}

impl LiveThroughput {
    pub fn record(&mut self, kind: &KindSnapshot, at: Instant) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, ended: kind.ended(), remaining: kind.remaining() });
    }

    /// Returns how many tasks ended between samples, oldest first. A decrease counts as zero.
    pub fn steps(&self) -> Vec<u64> {
        self.samples.iter().zip(self.samples.iter().skip(1)).map(|(a, b)| b.ended.saturating_sub(a.ended)).collect()
    }

    /// Returns ended tasks per second over all samples.
    pub fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else { return 0.0 };
        let seconds = (last.at - first.at).as_secs_f64();
        let ended: u64 = self.steps().iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        if seconds > 0.0 { ended as f64 / seconds } else { 0.0 }
    }

    /// Returns the time that the remaining tasks take; `None` without remaining tasks or without progress.
    pub fn eta(&self) -> Option<Duration> {
        let remaining = self.samples.back()?.remaining;
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let seconds = remaining as f64 / self.per_second();
        if remaining == 0 { None } else { Duration::try_from_secs_f64(seconds).ok() }
    }
}
