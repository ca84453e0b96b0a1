//! `FreeMemory` is a start condition on the memory of the machine. Given by users and `tracker-cli`, asked by `checker`; reads
//! `/proc/meminfo`.

use std::{fs, time::Duration};

use super::{RecentStarts, StartCheck, StartCondition};
use crate::model::error::{Error, Result};

/// A [`StartCondition`] that holds while enough memory is free. Linux only.
///
/// Free is what the kernel can give to programs without swapping (`MemAvailable`). A handler needs a while to allocate its memory:
/// [`reserving`](Self::reserving) keeps it free for those that have just started.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # use tracker_core::worker::FreeMemory;
/// # let tracker = tracker_core::Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// let memory = FreeMemory::at_least(2 << 30).reserving(500 << 20, Duration::from_secs(10));
/// let worker = jobs.worker().threads(8).start_when(memory);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeMemory {
    bytes: u64,
    reserve: u64,
    reserve_for: Duration,
}

impl FreeMemory {
    /// Holds while at least so many bytes are free. At least 1.
    #[must_use]
    pub fn at_least(bytes: u64) -> Self {
        Self { bytes, reserve: 0, reserve_for: Duration::ZERO }
    }

    /// Counts `bytes` as used for each handler that has started less than `time` ago. `time` counts as at most a minute.
    #[must_use]
    pub fn reserving(self, bytes: u64, time: Duration) -> Self {
        Self { reserve: bytes, reserve_for: time, ..self }
    }

    /// Whether a handler may start while so many bytes are available.
    fn decide(self, available: u64, recent: &RecentStarts<'_>) -> StartCheck {
        let starts = u64::try_from(recent.within(self.reserve_for)).unwrap_or(u64::MAX);
        let reserved = self.reserve.saturating_mul(starts);
        if available.saturating_sub(reserved) >= self.bytes {
            return StartCheck::Ready;
        }
        let mib = |bytes: u64| bytes >> 20;
        let reserved = match reserved {
            0 => String::new(),
            _ => format!(", {} MiB of them reserved for handlers that have just started", mib(reserved)),
        };
        StartCheck::wait(format!(
            "{} MiB of memory are free{reserved}: less than {} MiB",
            mib(available),
            mib(self.bytes)
        ))
    }
}

impl StartCondition for FreeMemory {
    fn check(&self, recent: &RecentStarts<'_>) -> StartCheck {
        memory("MemAvailable:").map(|available| self.decide(available, recent)).into()
    }

    fn name(&self) -> &'static str {
        "free memory"
    }

    fn validate(&self) -> Result<()> {
        if self.bytes == 0 {
            return Err(Error::invalid("FreeMemory::at_least(0) always holds: give the number of bytes to keep free"));
        }
        let total = memory("MemTotal:").map_err(Error::invalid)?;
        if self.bytes > total {
            return Err(Error::invalid(format!(
                "{} bytes of memory are never free: the machine has {total} bytes",
                self.bytes
            )));
        }
        Ok(())
    }
}

fn memory(name: &str) -> Result<u64, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|error| {
        format!("cannot read the memory of the machine from /proc/meminfo: {error}; FreeMemory works on Linux")
    })?;
    parse(&text, name).ok_or_else(|| format!("/proc/meminfo has no line {name:?} in kB"))
}

/// A line of the kernel's table, in bytes.
fn parse(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn line_of_the_kernel_is_read_in_bytes() {
        let text = "MemTotal:       16315328 kB\nMemFree: 1 kB\nMemAvailable:    8157664 kB\n";
        assert_eq!(parse(text, "MemAvailable:"), Some(8_157_664 << 10));
        assert_eq!(parse(text, "MemTotal:"), Some(16_315_328 << 10));
        let wrong = ["", "MemAvailable: 12", "MemAvailable: x kB", "MemAvailable: 18446744073709551615 kB"];
        assert!(wrong.iter().all(|text| parse(text, "MemAvailable:").is_none()));
    }

    #[test]
    fn memory_of_recent_starts_is_reserved() {
        let condition = FreeMemory::at_least(1_000).reserving(300, Duration::from_secs(10));
        let ready = |available: u64, ages: &[u64]| {
            let ages: Vec<_> = ages.iter().map(|age| Duration::from_secs(*age)).collect();
            condition.decide(available, &RecentStarts { ages: &ages }) == StartCheck::Ready
        };
        assert!(ready(1_000, &[]) && !ready(999, &[]));
        assert!(ready(1_600, &[0, 9]) && !ready(1_599, &[0, 9]), "two starts");
        assert!(ready(1_300, &[0, 10]), "the second is ten seconds old");
        assert!(!ready(100, &[0]), "less than what is reserved");
    }

    #[test]
    fn amount_that_never_or_always_holds_is_refused() {
        for bytes in [0, u64::MAX] {
            let error = FreeMemory::at_least(bytes).validate().map_err(|error| error.kind());
            assert!(error == Err(ErrorKind::Invalid), "{bytes}: {error:?}");
        }
    }
}
