//! `Settings` holds and checks the options of a worker. Set by the builders in `worker/mod.rs` and `async_worker`, read by most of `worker`; the
//! check calls the user's start conditions, which may read `/proc`.

use std::{io, sync::Arc, time::Duration};

use super::{
    PoolSize, StopHandle,
    start_condition::{StartConditions, StartStatus},
};
use crate::model::{
    error::{Error, Result},
    kind::Kind,
    needs::Budgets,
};

/// The options of one worker or pool.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub size: PoolSize,
    pub prefetch: usize,
    pub keep_running: bool,
    pub stop_after_failures: Option<u64>,
    pub failure_rate: Option<f64>,
    pub timeout: Option<Duration>,
    pub start_conditions: StartConditions,
    pub start_status: StartStatus,
    pub budgets: Budgets,
    /// Whether a cancelled async handler is only asked to end, and not dropped.
    #[cfg(feature = "tokio")]
    pub cancels_cooperatively: bool,
    pub stop: StopHandle,
    #[cfg(test)]
    pub observed: Arc<Observed>,
}

/// Settings and counters with which a test observes the threads of a worker.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The system refuses threads from this number on.
    pub most_threads: Option<usize>,
    /// How often slots have asked what to do.
    pub steps: std::sync::atomic::AtomicUsize,
    /// The first step panics.
    pub panics: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            size: PoolSize::new(1),
            prefetch: 0,
            keep_running: false,
            stop_after_failures: None,
            failure_rate: None,
            timeout: None,
            start_conditions: StartConditions::default(),
            start_status: StartStatus::default(),
            budgets: Budgets::default(),
            #[cfg(feature = "tokio")]
            cancels_cooperatively: false,
            stop: StopHandle::default(),
            #[cfg(test)]
            observed: Arc::default(),
        }
    }
}

impl Settings {
    /// Refuses values that have no meaning.
    pub(super) fn check(&self) -> Result<()> {
        self.size.check()?;
        self.start_conditions.validate()?;
        if self.stop_after_failures == Some(0) {
            return Err(Error::invalid(
                "stop_after_failures(0) would halt the worker before it starts a handler: give 1 or more failures",
            ));
        }
        if let Some(share) = self.failure_rate.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            return Err(Error::invalid(format!(
                "stop_at_failure_rate({share}) is no share of the attempts: give a number above 0 and at most 1"
            )));
        }
        if self.timeout == Some(Duration::ZERO) {
            return Err(Error::invalid("timeout(0) would fail every attempt: give a longer time, or none"));
        }
        Ok(())
    }

    /// Refuses budgets that start no task, and those that no kind of the pool needs.
    pub(super) fn check_budgets(&self, kinds: &[Arc<Kind>]) -> Result<()> {
        for (resource, amount) in &self.budgets.0 {
            let mut needs = kinds.iter().flat_map(|kind| kind.policy.needs.iter()).map(|need| &*need.resource);
            if !needs.any(|need| need == resource) {
                let names: Vec<_> = kinds.iter().map(|kind| format!("{:?}", kind.name)).collect();
                return Err(Error::invalid(format!(
                    "budget({resource:?}) is of a resource that no kind of the pool needs ({}): write e.g. #[task(needs({resource} = 1))]",
                    names.join(", ")
                )));
            }
            if *amount == 0 {
                return Err(Error::invalid(format!(
                    "budget({resource:?}, 0) would start no task that needs it: give 1 or more"
                )));
            }
        }
        Ok(())
    }

    /// Returns an error for each thread that a test refuses in place of the system.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a test refuses threads here")
    )]
    pub(super) fn refuse_thread(&self, number: usize) -> io::Result<()> {
        #[cfg(test)]
        if self.observed.most_threads.is_some_and(|most| number >= most) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let _ = number;
        Ok(())
    }

    /// Counts the steps of all slots for a test.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only a test counts"))]
    pub(super) fn count_step(&self) {
        #[cfg(test)]
        {
            self.observed.steps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(!self.observed.panics, "a step panics");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn settings_without_meaning_are_refused() {
        let refused = |settings: Settings| settings.check().map_err(|error| error.kind()) == Err(ErrorKind::Invalid);
        for share in [0.0, -0.5, 1.1, f64::NAN, f64::INFINITY] {
            assert!(refused(Settings { failure_rate: Some(share), ..Settings::default() }), "{share}");
        }
        assert!(refused(Settings { stop_after_failures: Some(0), ..Settings::default() }));
        assert!(refused(Settings { timeout: Some(Duration::ZERO), ..Settings::default() }));
        assert!(refused(Settings { size: PoolSize::new(PoolSize::MAX + 1), ..Settings::default() }));
        let fine = Settings {
            size: PoolSize::new(PoolSize::MAX),
            failure_rate: Some(1.0),
            stop_after_failures: Some(1),
            timeout: Some(Duration::from_nanos(1)),
            ..Settings::default()
        };
        assert!(fine.check().is_ok() && Settings::default().check().is_ok());
    }
}
