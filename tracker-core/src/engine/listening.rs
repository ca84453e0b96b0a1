//! `Listening` is a thread that learns of commits of other processes while calls wait for tasks, on a store that has listeners. Started by
//! `cross_process`; reads the store. It only shortens waits: each wait also reads the change number at intervals, so a commit that the
//! thread misses is seen later.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::Signal;
use crate::{
    model::panics::{self, catch_panic},
    storage::store::{Store, StoreListener},
};

/// The longest time that one call of a listener takes. The thread ends within this time.
const SLICE: Duration = Duration::from_millis(100);
/// How long a listener stays open after the last wait.
const LINGER: Duration = Duration::from_secs(10);
/// Time between the first two attempts to open a listener. It doubles with each further one, up to the longest.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// The waits of a tracker, and the thread that listens for them.
#[derive(Clone, Default)]
pub(super) struct Listening(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waits: usize,
    /// When the last wait ended.
    left: Option<Instant>,
    thread: Thread,
    /// Whether a listener is open.
    is_listening: bool,
    closed: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    None,
    Runs,
    /// The store has no listeners, or the system refused the thread.
    Refused,
}

/// A wait for which the thread listens until it is dropped.
pub(super) struct ListenedWait(Listening);

impl Drop for ListenedWait {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waits -= 1;
        state.left = Some(Instant::now());
    }
}

impl Listening {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether commits of other processes raise the signal now.
    pub(super) fn is_listening(&self) -> bool {
        self.lock().is_listening
    }

    /// Listens until the returned wait is dropped. The signal rises when another process may have made a task startable.
    pub(super) fn start_wait(&self, store: Arc<dyn Store>, signal: &Arc<Signal>) -> ListenedWait {
        let mut state = self.lock();
        state.waits += 1;
        if state.thread == Thread::None && !state.closed {
            let (this, signal) = (self.clone(), signal.clone());
            let run = move || {
                drop(catch_panic(|| this.run(&*store, &signal)));
                this.lock().is_listening = false;
            };
            let started = thread::Builder::new().name("tracker-listener".to_owned()).spawn(run);
            state.thread = if started.is_ok() { Thread::Runs } else { Thread::Refused };
        }
        self.0.changed.notify_all();
        ListenedWait(self.clone())
    }

    /// Ends the thread, soon.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_all();
    }

    fn run(&self, store: &dyn Store, signal: &Signal) {
        let mut listener: Option<Box<dyn StoreListener>> = None;
        let mut retry = RETRY;
        while let Some(is_wanted) = self.next(listener.is_some()) {
            if !is_wanted {
                listener = None;
                continue;
            }
            let step = match &mut listener {
                None => store.listen().map(Step::Opened),
                Some(listener) => listener.wait(SLICE).map(Step::Waited),
            };
            match step {
                Ok(Step::Waited(false)) => {}
                Ok(Step::Waited(true)) => signal.raise(),
                Ok(Step::Opened(Some(opened))) => {
                    listener = Some(opened);
                    retry = RETRY;
                    self.lock().is_listening = true;
                    // Commits before the listener was open are looked for once.
                    signal.raise();
                }
                Ok(Step::Opened(None)) => {
                    self.lock().thread = Thread::Refused;
                    return;
                }
                Err(error) => {
                    panics::log_catching_panics(
                        || tracing::debug!(%error, "waiting workers ask the store for changes: it cannot notify them"),
                    );
                    let had_listener = listener.take().is_some();
                    self.lock().is_listening = false;
                    if had_listener {
                        // The waits ask more often from now on.
                        signal.raise();
                    } else {
                        self.pause(retry);
                        retry = (retry * 2).min(LONGEST_RETRY);
                    }
                }
            }
        }
    }

    /// Whether a listener is wanted; waits until one is, unless one is open. `None` at the end.
    fn next(&self, is_open: bool) -> Option<bool> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.waits > 0 || is_open && state.left.is_some_and(|left| left.elapsed() < LINGER) {
                return Some(true);
            }
            if is_open {
                state.is_listening = false;
                return Some(false);
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits before the next attempt to open a listener.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The result of one round of the thread.
enum Step {
    Opened(Option<Box<dyn StoreListener>>),
    /// Whether another process has committed.
    Waited(bool),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        Error, ErrorKind, Result,
        storage::store::{Access, StoreUnit},
    };

    /// A store whose listeners the test provides. They report the commits that the test sends.
    #[derive(Debug)]
    struct Scripted(Mutex<mpsc::Receiver<Result<Option<ScriptedListener>>>>);

    #[derive(Debug)]
    struct ScriptedListener(mpsc::Receiver<Result<bool>>);

    impl StoreListener for ScriptedListener {
        fn wait(&mut self, timeout: Duration) -> Result<bool> {
            match self.0.recv_timeout(timeout) {
                Err(mpsc::RecvTimeoutError::Timeout) => Ok(false),
                received => received.unwrap_or_else(|_| Err(lost())),
            }
        }
    }

    impl Store for Scripted {
        fn name(&self) -> String {
            "scripted".to_owned()
        }

        fn begin(&self, _: Access) -> Result<Box<dyn StoreUnit>> {
            Err(lost())
        }

        fn change(&self) -> Result<u64> {
            Err(lost())
        }

        fn other_trackers(&self) -> Result<u64> {
            Err(lost())
        }

        fn close(&self) -> Result<()> {
            Ok(())
        }

        fn listen(&self) -> Result<Option<Box<dyn StoreListener>>> {
            let listener = self.0.lock().unwrap().recv().unwrap_or_else(|_| Err(lost()));
            Ok(listener?.map(|listener| Box::new(listener) as Box<dyn StoreListener>))
        }
    }

    fn lost() -> Error {
        Error::new(ErrorKind::Io, "lost".to_owned())
    }

    fn scripted() -> (Arc<Scripted>, mpsc::Sender<Result<Option<ScriptedListener>>>) {
        let (send, listeners) = mpsc::channel();
        (Arc::new(Scripted(Mutex::new(listeners))), send)
    }

    #[test]
    fn signal_rises_for_notifications_and_a_broken_listener() {
        let (listening, signal) = (Listening::default(), Arc::new(Signal::default()));
        let (store, listeners) = scripted();
        let _wait = listening.start_wait(store, &signal);
        assert!(!listening.is_listening(), "it is not open yet");
        let (commits, notifications) = mpsc::channel();
        let mut seen = signal.seen();
        let mut rises = |is_open: bool| {
            signal.wait(seen, None);
            seen = signal.seen();
            assert_eq!(listening.is_listening(), is_open);
        };
        listeners.send(Ok(Some(ScriptedListener(notifications)))).unwrap();
        rises(true);
        commits.send(Ok(true)).unwrap();
        rises(true);
        commits.send(Err(lost())).unwrap();
        rises(false);
        let (_commits, notifications) = mpsc::channel();
        listeners.send(Ok(Some(ScriptedListener(notifications)))).unwrap();
        rises(true);
        listening.close();
    }

    #[test]
    fn store_without_listeners_is_asked_once() {
        let (listening, signal) = (Listening::default(), Arc::new(Signal::default()));
        let (store, listeners) = scripted();
        listeners.send(Ok(None)).unwrap();
        let wait = listening.start_wait(store.clone(), &signal);
        while listening.lock().thread != Thread::Refused {
            thread::yield_now();
        }
        drop(wait);
        let _wait = listening.start_wait(store, &signal);
        assert!(listening.lock().thread == Thread::Refused && !listening.is_listening());
        assert_eq!(signal.seen(), 0);
    }

    #[test]
    fn listener_is_wanted_while_a_call_waits_and_shortly_after() {
        let listening = Listening::default();
        listening.lock().waits = 1;
        assert_eq!(listening.next(false), Some(true));
        drop(ListenedWait(listening.clone()));
        assert_eq!(listening.next(true), Some(true), "the next wait may follow soon");
        listening.lock().left = Instant::now().checked_sub(2 * LINGER);
        if listening.lock().left.is_some() {
            assert_eq!(listening.next(true), Some(false));
        }
        listening.close();
        assert_eq!(listening.next(false), None);
    }
}
