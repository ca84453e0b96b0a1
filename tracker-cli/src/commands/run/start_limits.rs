//! The options `--load` and `--memfree`: commands start only while the machine has room. Made by `run/mod`; the worker checks them before each
//! start.

use std::{
    num::NonZero,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tracker_core::worker::{CpuLoad, FreeMemory, RecentStarts, StartCheck, StartCondition, Worker};

use super::{line::Line, run_output::RunOutput};

/// The load below which commands start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadArg {
    /// Processes that run or wait for a disk.
    Processes(f64),
    /// A share of the processors: 1.0 is all of them.
    Share(f64),
}

impl FromStr for LoadArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, arg): (_, fn(f64) -> Self) = match text.strip_suffix('%') {
            Some(percent) => (percent, |percent| Self::Share(percent / 100.0)),
            None => (text, Self::Processes),
        };
        let number = number.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
        number
            .map(arg)
            .ok_or_else(|| "expected a number above 0 such as 4 or 1.5, or a percentage such as 80%".to_owned())
    }
}

impl LoadArg {
    /// The condition on a machine with so many processors.
    fn condition(self, processors: usize) -> CpuLoad {
        #[expect(clippy::cast_precision_loss, reason = "a machine has fewer than 2^52 processors")]
        let processors = processors as f64;
        CpuLoad::below(match self {
            Self::Processes(load) => load / processors,
            Self::Share(share) => share,
        })
    }
}

/// A number of bytes, with the suffixes of GNU parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryArg(u64);

impl FromStr for MemoryArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, factor) = match text.chars().next_back().filter(char::is_ascii_alphabetic) {
            Some(unit) => (text.strip_suffix(unit).unwrap_or_default(), factor(unit)),
            None => (text, Some(1.0)),
        };
        let bytes = number.parse::<f64>().ok().zip(factor).map(|(number, factor)| number * factor);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        match bytes {
            Some(bytes) if (1.0..1e18).contains(&bytes) => Ok(Self(bytes as u64)),
            _ => Err("expected a number of bytes from 1, such as 1G, 500M or 1.5g".to_owned()),
        }
    }
}

/// Returns the factor of a unit: a power of 1000 for small letters, of 1024 for capitals.
fn factor(unit: char) -> Option<f64> {
    let base = if unit.is_ascii_lowercase() { 1_000_f64 } else { 1_024_f64 };
    let power = "kmgtp".find(unit.to_ascii_lowercase())? + 1;
    Some(base.powi(i32::try_from(power).ok()?))
}

/// The conditions of a run.
pub struct StartLimits {
    load: Option<CpuLoad>,
    memory: Option<FreeMemory>,
}

impl StartLimits {
    /// Checks the options.
    ///
    /// # Errors
    /// The machine has no such reading, or less memory.
    pub fn new(load: Option<LoadArg>, memory: Option<MemoryArg>) -> Result<Self, String> {
        let load = load.map(|load| load.condition(available_parallelism().map_or(1, NonZero::get)));
        let memory = memory.map(|memory| FreeMemory::at_least(memory.0));
        let refused = |option: &'static str| move |error: tracker_core::Error| format!("{option}: {error}");
        load.map_or(Ok(()), |load| load.validate()).map_err(refused("--load"))?;
        memory.map_or(Ok(()), |memory| memory.validate()).map_err(refused("--memfree"))?;
        Ok(Self { load, memory })
    }

    /// Gives the conditions to a worker. Their waits are reported in the output.
    pub fn apply(self, mut worker: Worker<Line>, output: &Arc<RunOutput>) -> Worker<Line> {
        let reported = || {
            let output = output.clone();
            WaitReports::new(move |reason| output.warn(&format!("no command starts now: {reason}")))
        };
        if let Some(condition) = self.load {
            worker = worker.start_when(Reported { condition, reports: reported() });
        }
        if let Some(condition) = self.memory {
            worker = worker.start_when(Reported { condition, reports: reported() });
        }
        worker
    }
}

/// A condition whose waits are reported.
struct Reported<C, R> {
    condition: C,
    reports: WaitReports<R>,
}

impl<C: StartCondition, R: Fn(&str) + Send + Sync> StartCondition for Reported<C, R> {
    fn check(&self, recent: &RecentStarts<'_>) -> StartCheck {
        let check = self.condition.check(recent);
        self.reports.add(&check, Instant::now());
        check
    }

    fn name(&self) -> &str {
        self.condition.name()
    }
}

/// Reports the first check of each wait, at most once a minute.
struct WaitReports<R> {
    report: R,
    state: Mutex<WaitState>,
}

#[derive(Default)]
struct WaitState {
    waits: bool,
    reported: Option<Instant>,
}

/// The shortest time between two reports.
const REPORT_EVERY: Duration = Duration::from_secs(60);

impl<R: Fn(&str)> WaitReports<R> {
    fn new(report: R) -> Self {
        Self { report, state: Mutex::default() }
    }

    fn add(&self, check: &StartCheck, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = match check {
            StartCheck::Wait { reason, .. } => reason,
            StartCheck::Failed { error } => error,
            _ => {
                state.waits = false;
                return;
            }
        };
        let is_due = state.reported.is_none_or(|at| now.saturating_duration_since(at) >= REPORT_EVERY);
        if !std::mem::replace(&mut state.waits, true) && is_due {
            state.reported = Some(now);
            (self.report)(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_is_a_number_or_a_share_of_the_processors() {
        for (text, expected) in [
            ("4", LoadArg::Processes(4.0)),
            ("0.5", LoadArg::Processes(0.5)),
            ("80%", LoadArg::Share(0.8)),
            ("150%", LoadArg::Share(1.5)),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "0", "-1", "0%", "%", "nan", "inf", "4x", "1e999"] {
            assert!(text.parse::<LoadArg>().is_err(), "{text}");
        }
        let below = |text: &str| text.parse::<LoadArg>().map(|load| load.condition(8));
        assert_eq!((below("4"), below("80%")), (Ok(CpuLoad::below(0.5)), Ok(CpuLoad::below(0.8))));
    }

    #[test]
    fn size_has_the_units_of_gnu_parallel() {
        for (text, bytes) in [
            ("1", 1),
            ("1k", 1_000),
            ("1K", 1_024),
            ("1.5M", 3 << 19),
            ("2g", 2_000_000_000),
            ("1G", 1 << 30),
            ("1T", 1 << 40),
            ("1p", 1_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(MemoryArg(bytes)), "{text}");
        }
        for text in ["", "0", "G", "-1G", "1X", "1GB", "1GG", "nan", "1e30", "ü", "0.5"] {
            assert!(text.parse::<MemoryArg>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_wait_is_reported_once_and_at_most_each_minute() {
        let reported = Mutex::new(Vec::new());
        let reports =
            WaitReports::new(|reason: &str| reported.lock().unwrap_or_else(|_| panic!()).push(reason.to_owned()));
        let begin = Instant::now();
        let wait = StartCheck::wait;
        for (second, check) in [
            (0, wait("a")),
            (1, wait("b")),
            (90, wait("c")),
            (91, StartCheck::Ready),
            (92, wait("d")),
            (93, StartCheck::Ready),
            (94, wait("e")),
            (200, StartCheck::Ready),
            (201, StartCheck::Failed { error: "f".to_owned() }),
        ] {
            reports.add(&check, begin + Duration::from_secs(second));
        }
        assert_eq!(*reported.lock().unwrap_or_else(|_| panic!()), ["a", "d", "f"]);
    }
}
