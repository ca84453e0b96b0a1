//! `JobThread` runs jobs one after the other on a thread, so that none of them runs on a committing thread; once it is closed, a job runs on the
//! thread that pushes it. `Engine` owns two: one for the callbacks of `engine/ends`, one for the deferred calls of `engine/deferred`. Started by the
//! first call that needs it; runs user code.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::model::{
    error::{Error, ErrorKind, Result},
    panics::{self, catch_panic},
};

type Job = Box<dyn FnOnce() + Send>;

/// A thread with a queue of jobs.
pub(crate) struct JobThread {
    name: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    due: VecDeque<Job>,
    running: bool,
    closed: bool,
    thread: Option<JoinHandle<()>>,
}

impl JobThread {
    /// A thread that is not started yet.
    pub(super) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread unless it runs.
    pub(super) fn start(self: &Arc<Self>) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::closed());
        }
        if state.thread.is_none() {
            let own = self.clone();
            let thread = thread::Builder::new().name(self.name.to_owned()).spawn(move || own.run());
            let refused =
                |error| Error::caused(ErrorKind::Io, format!("the thread {:?} could not be started", self.name), error);
            state.thread = Some(thread.map_err(refused)?);
        }
        Ok(())
    }

    /// Queues a job. Once the thread is closed, the job runs on the thread of the caller.
    pub(crate) fn push(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return run(Box::new(job));
        }
        state.due.push_back(Box::new(job));
        self.changed.notify_all();
    }

    /// Runs the jobs until the thread is closed.
    fn run(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.due.pop_front() {
                state.running = true;
                drop(state);
                run(job);
                state = self.lock();
                state.running = false;
                self.changed.notify_all();
            } else if state.closed {
                return;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Whether the caller is a job of this thread.
    pub(super) fn is_own_thread(&self) -> bool {
        self.lock().is_own_thread()
    }

    /// Waits until no job is due, unless the caller is a job of the thread.
    pub(super) fn settle(&self) {
        let mut state = self.lock();
        if state.is_own_thread() {
            return;
        }
        while state.thread.is_some() && (state.running || !state.due.is_empty()) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the thread when it has run the jobs that are due.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        let thread = if state.is_own_thread() { None } else { state.thread.take() };
        drop(state);
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl State {
    fn is_own_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

fn run(job: Job) {
    if let Err(panic) = catch_panic(job) {
        panics::log_catching_panics(|| tracing::warn!(panic, "a callback panicked"));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn jobs_run_in_order_and_a_panic_ends_one_job() {
        let thread = JobThread::new("test");
        thread.start().unwrap();
        let (sender, ran) = channel();
        for number in 0..3 {
            let sender = sender.clone();
            thread.push(move || {
                sender.send((number, thread::current().name().map(str::to_owned))).unwrap();
                assert!(number != 1, "the job panics");
            });
        }
        thread.settle();
        let on_thread = Some("test".to_owned());
        assert_eq!(ran.try_iter().collect::<Vec<_>>(), [0, 1, 2].map(|number| (number, on_thread.clone())));
        let own = thread.clone();
        thread.push(move || own.settle());
        thread.close();
        thread.push(move || sender.send((3, None)).unwrap());
        assert_eq!(ran.try_iter().collect::<Vec<_>>(), [(3, None)], "it runs on the thread of the caller");
        assert!(thread.start().is_err());
    }
}
