use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Settings, Summary,
    heartbeats::Heartbeats,
    isolation::{Isolation, IsolationEntry},
    kind_runner::{KindRunner, PassResult, ThreadKindRunner},
    pass::{AfterPass, Pass},
    prefetch_buffer::{FinishedAttempt, PrefetchBuffer},
    threads,
};
use crate::{
    api::{execution::Execution, handler::IntoOutcome, tasks::Tasks},
    engine::{Engine, Signal},
    model::{
        contain,
        error::{ErrorKind, Result},
        failure::failure_of,
        task::TrackedTask,
        transition::{Failure, Outcome},
    },
};

/// Threads that serve several kinds at once, taking turns between them.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::{Execution, Tracker, worker::WorkerPool};
/// let tracker = Tracker::in_memory()?;
/// let (mails, images) = (tracker.tasks_as::<Job>("mail")?, tracker.tasks_as::<Job>("image")?);
/// mails.submit(&job("a"))?;
/// images.submit(&job("b"))?;
/// let summary = WorkerPool::new()
///     .threads(2)
///     .serve(&mails, |_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))
///     .serve(&images, |_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))
///     .run()?;
/// assert_eq!(summary.succeeded, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct WorkerPool<'a> {
    settings: Settings,
    lanes: Vec<Box<dyn KindRunner + Send + 'a>>,
    engine: Option<Arc<Engine>>,
}

/// Stops workers from anywhere. Clones stop the same ones.
#[derive(Clone, Default)]
pub struct StopHandle(Arc<Stop>);

#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    finishing: AtomicBool,
    signals: Mutex<Vec<Arc<Signal>>>,
}

impl StopHandle {
    /// A handle that has not stopped anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tasks that run end, none begins, and the workers return.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Workers that [run on](super::Worker::keep_running) return when nothing is left, as others do: for when it is known that no more
    /// tasks will come.
    pub fn finish(&self) {
        self.0.finishing.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        for signal in self.0.signals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            signal.raise();
        }
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.0.finishing.load(Ordering::Acquire)
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn wakes(&self, signal: &Arc<Signal>) {
        self.0.signals.lock().unwrap_or_else(PoisonError::into_inner).push(signal.clone());
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopHandle").field(&self.is_stopped()).finish()
    }
}

/// What the threads of a crew share while they work.
pub(super) struct PoolState<'s> {
    pub settings: &'s Settings,
    pub isolation: Isolation,
    pub running: Arc<Heartbeats>,
    pub buffer: Arc<PrefetchBuffer>,
    summary: Mutex<Summary>,
    /// Too many failures, or an error of the storage.
    halted: AtomicBool,
    /// A thread has found that nothing is left: the others need not look for themselves.
    over: AtomicBool,
    /// Whether the log was told that a kind is paused; one flag per kind.
    paused: Vec<AtomicBool>,
}

impl<'s> PoolState<'s> {
    pub(super) fn new(settings: &'s Settings, kinds: usize) -> Self {
        let running = Arc::<Heartbeats>::default();
        Self {
            settings,
            isolation: Isolation::default(),
            buffer: PrefetchBuffer::new(settings.threads, settings.prefetch, kinds, running.clone()),
            running,
            summary: Mutex::default(),
            halted: AtomicBool::new(false),
            over: AtomicBool::new(false),
            paused: (0..kinds).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// Whether tasks of this kind are claimed ahead. Under a limit none is: it would hold a slot while it waits here, and
    /// start later than the rate has counted.
    pub(super) fn prefetches<T: TrackedTask>(&self, tasks: &Tasks<T>) -> Result<bool> {
        Ok(self.buffer.prefetches() && !tasks.kind()?.is_limited())
    }

    pub(super) fn into_summary(self) -> Summary {
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all threads, since nothing is left. Each wakes once: where each looked for itself and woke the others when it ended, an
    /// end would cost the square of the number of threads.
    pub(super) fn end(&self, signal: &Signal) {
        self.over.store(true, Ordering::Release);
        signal.raise();
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Logs once that a kind is paused, where a look found that something is held back.
    pub(super) fn log_pause<T: TrackedTask>(&self, tasks: &Tasks<T>, number: usize, turn: PassResult) -> Result<()> {
        let Some(logged) = self.paused.get(number) else { return Ok(()) };
        let paused = matches!(turn, PassResult::Idle { held_back: true, .. }) && tasks.kind()?.paused;
        if logged.swap(paused, Ordering::Relaxed) != paused && paused {
            let kind = tasks.name();
            contain::log(|| {
                tracing::info!(
                    kind,
                    "the kind is paused: the worker waits until Tasks::resume or `tracker resume` ends the pause"
                )
            });
        }
        Ok(())
    }

    /// Stops everybody, after an error of the storage.
    pub(super) fn halt(&self, signal: &Signal) {
        self.halted.store(true, Ordering::Relaxed);
        signal.raise();
    }

    pub(super) fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the isolation after a turn, and wakes whoever waits for that.
    pub(super) fn leave(&self, entry: IsolationEntry, turn: Option<&PassResult>, signal: &Signal) {
        self.isolation.leave(entry);
        // A look that found nothing changes nothing for the others: to wake them, or oneself, would never end.
        let looked = matches!(turn, Some(PassResult::Idle { .. }));
        let for_all = entry == IsolationEntry::Alone || !self.isolation.may_go_on() || self.stops();
        if for_all || (!looked && self.isolation.is_empty()) {
            signal.raise();
        }
    }

    pub(super) fn stops(&self) -> bool {
        self.halted.load(Ordering::Relaxed) || self.settings.stop.is_stopped()
    }

    /// Counts what came of storing the end of an attempt. Where the outcome was refused, the failure to be stored instead.
    pub(super) fn stored(&self, stored: Result<()>, ended: &FinishedAttempt) -> Result<Option<Failure>> {
        let FinishedAttempt { owner, outcome, failure, panicked, run, .. } = ended;
        let run = *run;
        match stored {
            Ok(()) => self.count(outcome, failure.as_ref(), *panicked, run),
            // The crew has stored the failure itself when the time was over.
            Err(error) if error.kind() == ErrorKind::LeaseLost && self.running.has_expired(owner.fence) => {
                let failure = Failure::new("the attempt took longer than its time limit");
                self.count(&Outcome::Fail { retry_in: None }, Some(&failure), false, run);
            }
            Err(error) if error.kind() == ErrorKind::LeaseLost => {
                contain::log(|| tracing::warn!(%error, "an attempt ended after its lease was lost"));
                self.summary().lost += 1;
            }
            // The outcome is not to be had for this task: that is its failure.
            Err(error) if error.is_refusal() => {
                let failure = failure_of(&error);
                self.count(&Outcome::Fail { retry_in: None }, Some(&failure), false, run);
                return Ok(Some(failure));
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    pub(super) fn count(&self, outcome: &Outcome, failure: Option<&Failure>, panicked: bool, run: Duration) {
        let mut summary = self.summary();
        match outcome {
            Outcome::Succeed => summary.succeeded += 1,
            Outcome::Fail { .. } | Outcome::GiveUp => summary.failed += 1,
            _ => summary.other += 1,
        }
        summary.panicked += u64::from(panicked);
        summary.time(run);
        if let Some(failure) = failure {
            summary.error(&failure.error);
        }
        let (failed, all) = (summary.failed, summary.attempts());
        #[expect(clippy::cast_precision_loss, reason = "a share of a count needs no more than 52 bits")]
        let share = self.settings.failure_rate.is_some_and(|share| all >= 20 && failed as f64 >= share * all as f64);
        if share || self.settings.stop_after_failures.is_some_and(|most| failed >= most) {
            summary.halted = true;
            self.halted.store(true, Ordering::Relaxed);
        }
    }
}

impl<'a> WorkerPool<'a> {
    /// One thread, no kinds yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    super::settings!();

    /// Serves a kind, with this body. All kinds must be of the same tracker.
    #[must_use]
    pub fn serve<T, F, R, E>(mut self, tasks: &Tasks<T>, body: F) -> Self
    where
        T: TrackedTask,
        F: Fn(&mut Execution<T>) -> Result<R, E> + Send + Sync + 'a,
        R: IntoOutcome + 'a,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug + 'a,
    {
        self.engine = Some(tasks.shared.engine.clone());
        self.lanes.push(Box::new(ThreadKindRunner { tasks: tasks.clone(), body, buffer_index: self.lanes.len() }));
        self
    }

    /// Works until nothing is left, or it is stopped. Returns when all outcomes are durable.
    ///
    /// # Errors
    /// As [`Worker::run`](super::Worker::run).
    pub fn run(self) -> Result<Summary> {
        self.settings.check()?;
        let Some(engine) = self.engine else { return Ok(Summary::default()) };
        // Its threads would wait for a transaction that waits for them.
        engine.refuse_inside_transaction()?;
        self.settings.stop.wakes(&engine.signal);
        let shift = PoolState::new(&self.settings, self.lanes.len());
        let result = threads::run(&shift, &engine.signal, &|number| work(&self.lanes, &engine, &shift, number));
        shift.buffer.close();
        result?;
        Ok(shift.into_summary())
    }
}

/// Waits for all ends, and gives the error that says most: that the file is closed follows from another one.
pub(super) fn all_well(ended: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let errors: Vec<_> = ended.into_iter().filter_map(Result::err).collect();
    let says_most = errors.iter().position(|error| error.kind() != ErrorKind::Closed).unwrap_or(0);
    errors.into_iter().nth(says_most).map_or(Ok(()), Err)
}

/// One thread: takes turns between the kinds, and sleeps when nothing is due.
fn work(
    lanes: &[Box<dyn KindRunner + Send + '_>],
    engine: &Engine,
    shift: &PoolState<'_>,
    number: usize,
) -> Result<()> {
    let mut first = number;
    while !shift.stops() {
        let seen = engine.signal.seen();
        if shift.is_over() {
            return Ok(());
        }
        shift.settings.count_round();
        let mut round = Pass::begin(shift);
        for at in 0..lanes.len() {
            let lane = &lanes[(first + at) % lanes.len()];
            round.add(lane.turn(shift, number, lanes.len()).inspect_err(|_| shift.halt(&engine.signal))?);
        }
        first += 1;
        match round.rest(shift, engine, seen) {
            AfterPass::Over => return Ok(()),
            AfterPass::Wait(wait) if !shift.stops() => engine.wait(seen, wait),
            AfterPass::None | AfterPass::Wait(_) => {}
        }
    }
    lanes.iter().try_for_each(|lane| lane.close(shift))
}

impl fmt::Debug for WorkerPool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("settings", &self.settings)
            .field("kinds", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::Error;

    #[test]
    fn pool_reports_the_error_that_caused_the_others() {
        let closed = || Err(Error::closed());
        let error =
            all_well([Ok(()), closed(), Err(Error::invalid("the cause")), closed()]).map_err(|error| error.kind());
        assert_eq!(error, Err(ErrorKind::Invalid));
        assert_eq!(all_well([Ok(()), closed()]).map_err(|error| error.kind()), Err(ErrorKind::Closed));
        assert!(all_well([Ok(()), Ok(())]).is_ok());
    }

    #[test]
    fn leaving_thread_wakes_others_when_needed() {
        let settings = Settings::default();
        let idle = || PassResult::Idle { due: None, expiry: None, held_back: false };
        let leaves =
            |others: usize, entry: Option<IsolationEntry>, turn: Option<PassResult>, meanwhile: fn(&PoolState<'_>)| {
                let (shift, signal) = (PoolState::new(&settings, 1), Signal::default());
                (0..others).for_each(|_| assert_eq!(shift.isolation.enter(), IsolationEntry::Open));
                if entry == Some(IsolationEntry::Alone) {
                    shift.isolation.drain();
                }
                let entered = shift.isolation.enter();
                meanwhile(&shift);
                shift.leave(entered, turn.as_ref(), &signal);
                signal.seen() > 0
            };
        let nothing = |_: &PoolState<'_>| {};
        assert!(!leaves(0, None, Some(idle()), nothing), "a look that found nothing");
        assert!(!leaves(1, None, Some(PassResult::Worked), nothing), "another one is at work");
        assert!(leaves(0, None, Some(PassResult::Worked), nothing), "it was the last at work");
        assert!(leaves(0, None, None, nothing), "it ended by an error");
        assert!(leaves(0, Some(IsolationEntry::Alone), Some(idle()), nothing), "a isolated has ended");
        assert!(leaves(1, None, Some(idle()), |shift| shift.isolation.drain()), "a isolated waits");
        let halts = |shift: &PoolState<'_>| shift.halted.store(true, Ordering::Relaxed);
        assert!(leaves(1, None, Some(PassResult::Worked), halts), "nobody may sleep through a halt");
    }
}
