//! `StartCondition` must hold before a worker starts a handler: a load below a limit, or free memory. Given to the builders of workers by users
//! and `tracker-cli`, validated and kept by `worker/config`, checked by `checker` before each start. Runs user code, or reads `/proc`.

mod checker;
mod cpu_load;
mod free_memory;
mod status;

use std::{fmt, sync::Arc, time::Duration};

pub(super) use checker::{StartChecker, StartGrant};
pub use cpu_load::CpuLoad;
pub use free_memory::FreeMemory;
pub use status::{BlockingCondition, StartStatus};

use crate::model::{error::Result, panics::catch_panic};

/// A condition that must hold before a worker starts a handler, for
/// [`Worker::start_when`](super::Worker::start_when). Functions without arguments are conditions: they return a `bool`, a [`StartCheck`], or a
/// `Result` with one of these.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tracker_core::worker::StartCheck;
///
/// fn on_mains() -> StartCheck {
///     # let plugged_in = true;
///     if plugged_in {
///         StartCheck::Ready
///     } else {
///         StartCheck::wait("the machine runs on battery").retry_in(Duration::from_secs(30))
///     }
/// }
///
/// # let tracker = tracker_core::Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// # jobs.submit(&job("a"))?;
/// let summary = jobs.worker().start_when(on_mains).run(|_| Ok::<_, std::io::Error>(()))?;
/// assert_eq!(summary.succeeded, 1);
/// # Ok(())
/// # }
/// ```
pub trait StartCondition: Send + Sync {
    /// Whether a handler may start now. `recent` has the starts of this worker. Called before each start, on the thread of a slot, or in the task
    /// of an async worker, so it must not block. A panic counts as [`StartCheck::Failed`].
    fn check(&self, recent: &RecentStarts<'_>) -> StartCheck;

    /// Returns the name of the condition for [`StartStatus`]: by default `start condition`.
    fn name(&self) -> &str {
        UNNAMED
    }

    /// Refuses a condition that cannot be checked at all, before the worker starts.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a wrong value, and if the system lacks the value that is checked.
    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

impl<F, R> StartCondition for F
where
    F: Fn() -> R + Send + Sync,
    R: Into<StartCheck>,
{
    fn check(&self, _: &RecentStarts<'_>) -> StartCheck {
        self().into()
    }
}

/// The answer of a [`StartCondition`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartCheck {
    /// A handler may start.
    Ready,
    /// No handler may start now.
    #[non_exhaustive]
    Wait {
        /// Why, for the log: `the load is 7.2`.
        reason: String,
        /// When the condition is checked again, at the earliest. At least 10 ms.
        retry_in: Duration,
    },
    /// The condition could not be checked: no handler starts, and it is checked again after a second.
    Failed {
        /// Why.
        error: String,
    },
}

/// The name of a condition that gives none.
const UNNAMED: &str = "start condition";
/// How long a worker waits before it checks a condition again that names no time.
const RETRY: Duration = Duration::from_secs(1);
/// The shortest time between two checks of a condition that does not hold.
const SHORTEST_RETRY: Duration = Duration::from_millis(10);

impl StartCheck {
    /// Returns an answer that lets no handler start, to be checked again after a second.
    #[must_use]
    pub fn wait(reason: impl Into<String>) -> Self {
        Self::Wait { reason: reason.into(), retry_in: RETRY }
    }

    /// Sets when a condition that does not hold is checked again: at least 10 ms.
    #[must_use]
    pub fn retry_in(mut self, time: Duration) -> Self {
        if let Self::Wait { retry_in, .. } = &mut self {
            *retry_in = time;
        }
        self
    }
}

impl From<bool> for StartCheck {
    fn from(holds: bool) -> Self {
        if holds { Self::Ready } else { Self::wait("a start condition does not hold") }
    }
}

impl<R: Into<StartCheck>, E: fmt::Display> From<std::result::Result<R, E>> for StartCheck {
    fn from(result: std::result::Result<R, E>) -> Self {
        match result {
            Ok(check) => check.into(),
            Err(error) => Self::Failed { error: error.to_string() },
        }
    }
}

/// The handlers that a worker has started in the last minute, and the one before them.
#[derive(Clone, Copy, Debug)]
pub struct RecentStarts<'a> {
    /// How long ago each start was, latest first.
    ages: &'a [Duration],
}

impl RecentStarts<'_> {
    /// Returns how long ago the latest start was.
    #[must_use]
    pub fn last(&self) -> Option<Duration> {
        self.ages.first().copied()
    }

    /// Returns how long ago each start was, latest first.
    pub fn ages(&self) -> impl Iterator<Item = Duration> + '_ {
        self.ages.iter().copied()
    }

    /// Returns how many starts are less than `time` ago. `time` counts as at most a minute.
    #[must_use]
    pub fn within(&self, time: Duration) -> usize {
        self.ages.iter().take_while(|age| **age < time).count()
    }
}

/// The start conditions of a worker.
#[derive(Clone, Default)]
pub(crate) struct StartConditions {
    conditions: Vec<Arc<dyn StartCondition>>,
    /// The time between two starts.
    pub delay: Option<Duration>,
}

impl StartConditions {
    pub fn add(&mut self, condition: impl StartCondition + 'static) {
        self.conditions.push(Arc::new(condition));
    }

    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.delay.is_none()
    }

    pub fn validate(&self) -> Result<()> {
        self.conditions.iter().try_for_each(|condition| condition.validate())
    }

    /// The first answer that lets no handler start, with the name of its condition, if there is one.
    fn check(&self, recent: &RecentStarts<'_>) -> Option<(String, StartCheck)> {
        let too_soon = self.delay.zip(recent.last()).filter(|(delay, age)| age < delay);
        if let Some((delay, age)) = too_soon {
            let wait = StartCheck::wait("the delay between two starts").retry_in(delay.saturating_sub(age));
            return Some(("delay between starts".to_owned(), wait));
        }
        let blocking = |condition: &Arc<dyn StartCondition>| {
            let checked = catch_panic(|| condition.check(recent));
            let check = checked.unwrap_or_else(|panic| StartCheck::Failed { error: format!("it panicked: {panic}") });
            let name = || catch_panic(|| condition.name().to_owned()).unwrap_or_else(|_| UNNAMED.to_owned());
            (check != StartCheck::Ready).then(|| (name(), check))
        };
        self.conditions.iter().find_map(blocking)
    }
}

impl fmt::Debug for StartConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartConditions")
            .field("conditions", &self.conditions.len())
            .field("delay", &self.delay)
            .finish()
    }
}
