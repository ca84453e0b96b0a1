//! Publishes ends of tasks after their commit: wakes the calls that wait for one task, and hands tasks that were given up to the callbacks of
//! their kinds, which run on a `JobThread`. Called by `api/tasks/ends`, which registers, and by `engine/group_commit`, which publishes the `Ends`
//! that `engine/writer` has gathered. In memory, behind locks; registering a callback starts the thread, and `clear` drops callbacks.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Engine, Signal, cross_process::PollIntervals};
use crate::model::{error::Result, panics, status::Role, task::TaskRef};

/// A task that has ended, or that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskEnd {
    pub task: TaskRef,
    /// `None` if the task is deleted.
    pub role: Option<Role>,
}

/// The ends of one commit.
#[derive(Debug, Default)]
pub(crate) enum Ends {
    /// Nothing waited for an end when the transaction began, so they were not listed.
    #[default]
    Unlisted,
    Listed(Vec<TaskEnd>),
}

impl Ends {
    pub(super) fn len(&self) -> usize {
        if let Self::Listed(ends) = self { ends.len() } else { 0 }
    }

    /// Drops the ends after the first `len`, whose changes were undone.
    pub(super) fn truncate(&mut self, len: usize) {
        if let Self::Listed(ends) = self {
            ends.truncate(len);
        }
    }
}

/// The calls that wait for ends, by task.
#[derive(Default)]
pub(crate) struct EndWaits(Mutex<HashMap<TaskRef, AwaitedTask>>);

#[derive(Default)]
struct AwaitedTask {
    calls: usize,
    signal: Arc<Signal>,
}

impl EndWaits {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskRef, AwaitedTask>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn register(&self, task: TaskRef, within: Duration, polls: Option<PollIntervals>) -> EndWait<'_> {
        let mut waits = self.lock();
        let awaited = waits.entry(task).or_default();
        awaited.calls += 1;
        let signal = awaited.signal.clone();
        EndWait { waits: self, task, signal, deadline: Instant::now().checked_add(within), polls }
    }

    pub(super) fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Wakes the calls that wait for these tasks. A call registers before it reads the task, so it has seen the commit or is woken here.
    pub(super) fn publish(&self, ends: &Ends) {
        let waits = self.lock();
        let awaited: Vec<_> = match ends {
            Ends::Listed(ends) => ends.iter().filter_map(|end| waits.get(&end.task)).collect(),
            // The first call has registered while the transaction ran.
            Ends::Unlisted => waits.values().collect(),
        };
        let signals: Vec<_> = awaited.into_iter().map(|awaited| awaited.signal.clone()).collect();
        drop(waits);
        for signal in signals {
            signal.raise();
        }
    }
}

/// One call that waits for the end of a task. It is registered until it is dropped.
pub(crate) struct EndWait<'e> {
    waits: &'e EndWaits,
    task: TaskRef,
    pub signal: Arc<Signal>,
    deadline: Option<Instant>,
    /// The pauses between two reads of the file, if another process can end the task.
    polls: Option<PollIntervals>,
}

impl EndWait<'_> {
    /// How long the call waits for the signal before it reads again: `Some(None)` is without a bound, `None` is after the deadline.
    #[expect(clippy::option_option, reason = "outside: whether to wait; inside: the bound")]
    pub(crate) fn next_pause(&mut self) -> Option<Option<Duration>> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let poll = self.polls.as_mut().and_then(PollIntervals::next);
        Some(left.into_iter().chain(poll).min())
    }
}

impl Drop for EndWait<'_> {
    fn drop(&mut self) {
        let mut waits = self.waits.lock();
        if let Some(awaited) = waits.get_mut(&self.task) {
            awaited.calls -= 1;
            if awaited.calls == 0 {
                waits.remove(&self.task);
            }
        }
    }
}

/// The callback for each task of a kind that is given up. It must not panic.
pub(crate) type GivenUpCallback = Arc<dyn Fn(&Engine, TaskRef) + Send + Sync>;

/// The callbacks for tasks that are given up, one for each kind. They run on the thread for callbacks.
#[derive(Default)]
pub(super) struct GivenUpCallbacks(Mutex<HashMap<u32, RegisteredCallback>>);

#[derive(Clone)]
struct RegisteredCallback {
    engine: Arc<Engine>,
    callback: GivenUpCallback,
}

impl GivenUpCallbacks {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, RegisteredCallback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    fn publish(&self, ends: &Ends) {
        let Ends::Listed(ends) = ends else { return };
        let mut given_up = ends.iter().filter(|end| end.role == Some(Role::Exhausted)).map(|end| end.task).peekable();
        if given_up.peek().is_none() {
            return;
        }
        let registered = self.lock();
        let due: Vec<_> = given_up.filter_map(|task| Some((task, registered.get(&task.kind).cloned()?))).collect();
        drop(registered);
        for (task, RegisteredCallback { engine, callback }) in due {
            let callbacks = engine.callbacks.clone();
            callbacks.push(move || callback(&engine, task));
        }
    }

    /// Drops the callbacks. They may own the last handle of another tracker, or of this one.
    pub(super) fn clear(&self) {
        let registered = mem::take(&mut *self.lock());
        for callback in registered.into_values() {
            drop(panics::catch_panic(|| drop(callback)));
        }
    }
}

impl Engine {
    /// Registers a call that waits up to `within` for the end of a task. Read the task afterwards.
    pub(crate) fn wait_for_end(&self, task: TaskRef, within: Duration) -> EndWait<'_> {
        self.end_waits.register(task, within, self.is_written_by_others().then(PollIntervals::default))
    }

    /// Registers the callback of a kind for tasks that are given up from now on. False if the kind has one.
    pub(crate) fn on_given_up(self: &Arc<Self>, kind: u32, callback: GivenUpCallback) -> Result<bool> {
        self.refuse_read_only()?;
        let mut registered = self.given_up.lock();
        // Under the lock, so that no callback is registered after `clear`.
        self.callbacks.start()?;
        if registered.contains_key(&kind) {
            return Ok(false);
        }
        registered.insert(kind, RegisteredCallback { engine: self.clone(), callback });
        Ok(true)
    }

    /// Whether the ends of a transaction that begins now are listed.
    pub(super) fn lists_ends(&self) -> bool {
        self.end_waits.any() || self.given_up.any()
    }

    /// Makes the ends of a commit known.
    pub(super) fn publish_ends(&self, ends: &Ends) {
        self.end_waits.publish(ends);
        self.given_up.publish(ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn task(seq: u64) -> TaskRef {
        TaskRef { kind: 1, seq }
    }

    fn wait(waits: &EndWaits, seq: u64, within: Duration) -> EndWait<'_> {
        waits.register(task(seq), within, None)
    }

    fn ended(seqs: &[u64]) -> Ends {
        Ends::Listed(seqs.iter().map(|seq| TaskEnd { task: task(*seq), role: Some(Role::Succeeded) }).collect())
    }

    #[test]
    fn listed_end_wakes_only_the_calls_for_its_task() {
        let waits = EndWaits::default();
        let [one, twin, other] = [1, 1, 2].map(|seq| wait(&waits, seq, Duration::MAX));
        let seen = || [&one, &twin, &other].map(|wait| wait.signal.seen());
        waits.publish(&ended(&[1, 3]));
        assert_eq!(seen(), [1, 1, 0]);
        waits.publish(&ended(&[]));
        assert_eq!(seen(), [1, 1, 0]);
        waits.publish(&Ends::Unlisted);
        assert_eq!(seen(), [2, 2, 1], "the calls have registered while the transaction ran");
    }

    #[test]
    fn task_is_registered_until_its_last_call_ends() {
        let waits = EndWaits::default();
        let (one, twin) = (wait(&waits, 1, Duration::MAX), wait(&waits, 1, Duration::MAX));
        drop(one);
        assert!(waits.any());
        waits.publish(&ended(&[1]));
        assert_eq!(twin.signal.seen(), 1);
        drop(twin);
        assert!(!waits.any());
    }

    #[test]
    fn pause_is_bounded_by_deadline_and_poll() {
        let waits = EndWaits::default();
        assert_eq!(wait(&waits, 1, Duration::ZERO).next_pause(), None);
        assert_eq!(wait(&waits, 1, Duration::MAX).next_pause(), Some(None));
        let hour = Duration::from_secs(3600);
        assert!(wait(&waits, 1, hour).next_pause().flatten().is_some_and(|pause| pause <= hour));
        let mut polled = waits.register(task(1), Duration::MAX, Some(PollIntervals::default()));
        let pauses: Vec<_> = (0..7).map(|_| polled.next_pause().flatten().map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 100, 100].map(Some));
    }
}
