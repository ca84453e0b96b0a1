use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::source::Kind;

/// How many looks are remembered.
const LOOKS: usize = 240;

/// How fast the tasks of a kind end, seen from one look to the next.
#[derive(Default)]
pub struct Throughput {
    looks: VecDeque<Look>,
}

#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    ended: u64,
    left: u64,
}

impl Throughput {
    pub fn look(&mut self, kind: &Kind, at: Instant) {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(Look { at, ended: kind.ended(), left: kind.left() });
    }

    /// Tasks that ended from each look to the next, oldest first; what was removed or tried again counts for nothing.
    pub fn steps(&self) -> Vec<u64> {
        self.looks.iter().zip(self.looks.iter().skip(1)).map(|(a, b)| b.ended.saturating_sub(a.ended)).collect()
    }

    /// Tasks per second over the remembered time.
    pub fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else { return 0.0 };
        let seconds = (last.at - first.at).as_secs_f64();
        let ended: u64 = self.steps().iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        if seconds > 0.0 { ended as f64 / seconds } else { 0.0 }
    }

    /// How long the rest takes at this pace; `None` where nothing is left or nothing moves.
    pub fn eta(&self) -> Option<Duration> {
        let left = self.looks.back()?.left;
        #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
        let seconds = left as f64 / self.per_second();
        if left == 0 { None } else { Duration::try_from_secs_f64(seconds).ok() }
    }
}
