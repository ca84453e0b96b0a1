//! `CpuLoad` is a start condition on the load of the machine. Given by users and `tracker-cli`, asked by `checker`; reads `/proc/loadavg`.

use std::{fs, num::NonZero, thread::available_parallelism};

use super::{RecentStarts, StartCheck, StartCondition};
use crate::model::error::{Error, Result};

/// A [`StartCondition`] that holds while the load of the machine is low. Linux only.
///
/// The load is the average number of processes that ran or waited for a disk in the last minute. A handler that has just started is not
/// in this average yet, so each start counts as one process, less as the average takes it in.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::worker::CpuLoad;
/// # let tracker = tracker_core::Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// let worker = jobs.worker().threads(8).start_when(CpuLoad::below(0.8));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuLoad {
    share: f64,
}

/// The time in seconds in which the load average takes in 63 % of a change.
const AVERAGED_OVER: f64 = 60.0;

impl CpuLoad {
    /// Holds while the load is below `share` of the machine's processors: 1.0 means that every processor is in use. Above 0.
    #[must_use]
    pub fn below(share: f64) -> Self {
        Self { share }
    }

    /// Whether a handler may start at this load average.
    fn decide(self, average: f64, processors: f64, recent: &RecentStarts<'_>) -> StartCheck {
        let unseen: f64 = recent.ages().map(|age| (-age.as_secs_f64() / AVERAGED_OVER).exp()).sum();
        let (load, limit) = (average + unseen, self.share * processors);
        if load < limit {
            StartCheck::Ready
        } else {
            StartCheck::wait(format!("the load is {load:.2}, not below {limit:.2}"))
        }
    }
}

impl StartCondition for CpuLoad {
    fn check(&self, recent: &RecentStarts<'_>) -> StartCheck {
        let processors = available_parallelism().map_or(1, NonZero::get);
        #[expect(clippy::cast_precision_loss, reason = "a machine has fewer than 2^52 processors")]
        let processors = processors as f64;
        load_average().map(|average| self.decide(average, processors, recent)).into()
    }

    fn name(&self) -> &'static str {
        "CPU load"
    }

    fn validate(&self) -> Result<()> {
        if !(self.share > 0.0 && self.share.is_finite()) {
            return Err(Error::invalid(format!(
                "CpuLoad::below({}) would let no handler start: give a number above 0, such as 0.8",
                self.share
            )));
        }
        load_average().map(drop).map_err(Error::invalid)
    }
}

fn load_average() -> Result<f64, String> {
    let text = fs::read_to_string("/proc/loadavg").map_err(|error| {
        format!("cannot read the load of the machine from /proc/loadavg: {error}; CpuLoad works on Linux")
    })?;
    parse(&text).ok_or_else(|| format!("/proc/loadavg does not begin with a number: {text:?}"))
}

/// The average of the last minute.
fn parse(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok().filter(|average: &f64| average.is_finite())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    #[test]
    fn load_average_is_the_first_number() {
        assert_eq!(parse("0.52 0.41 0.30 2/310 4711\n"), Some(0.52));
        assert_eq!((parse(""), parse("load"), parse("NaN 1")), (None, None, None));
    }

    #[test]
    fn starts_count_until_the_average_has_them() {
        let ready = |average: f64, ages: &[u64]| {
            let ages: Vec<_> = ages.iter().map(|age| Duration::from_secs(*age)).collect();
            CpuLoad::below(0.5).decide(average, 4.0, &RecentStarts { ages: &ages }) == StartCheck::Ready
        };
        assert!(ready(1.9, &[]) && !ready(2.0, &[]));
        assert!(ready(0.9, &[0]) && !ready(1.0, &[0]), "a start is one process");
        assert!(ready(1.0, &[42, 42]) && !ready(1.1, &[41, 41]), "after 42 seconds, half a process");
    }

    #[test]
    fn load_out_of_range_is_refused() {
        for share in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = CpuLoad::below(share).validate().map_err(|error| error.kind());
            assert_eq!(error, Err(ErrorKind::Invalid), "{share}");
        }
    }
}
