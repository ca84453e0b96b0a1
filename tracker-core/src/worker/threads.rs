//! Drives a pool of threads: starts a thread for each slot, and joins them. A panic outside an attempt halts the pool: no handler starts any more.
//! Called by `pool`; `async_worker` uses `halt`. The threads run the user's handlers; one more thread renews leases, enforces timeouts, and reports to
//! the dispatcher that time passes.

use std::{
    any::Any,
    io, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use super::{Settings, cause::first_cause, pool_state::PoolState};
use crate::{
    api::shared::Shared,
    model::{
        error::{Error, ErrorKind, Result},
        failure::failure_of_panic,
        panics::{self, discard},
    },
};

/// How often passed time is reported while handlers are short, so that slots are left asleep although they could work.
const WATCH: Duration = Duration::from_millis(1);

/// Runs `work` on a thread for each slot that the pool opens, at the start and after each resize, and renews leases on one more. Returns
/// when the pool is over and all threads have ended. If the system refuses a thread, the pool works with the threads that exist.
pub(super) fn run(pool: &PoolState<'_>, shared: &Shared, work: &(impl Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let heartbeat = || {
            halt_on_panic(pool, || {
                keep_alive(pool, shared, &done);
                Ok(())
            })
        };
        let heartbeat = spawn(scope, pool.settings, 0, heartbeat).map_err(no_thread)?;
        let mut threads = Threads::default();
        let mut ended = vec![threads.start_and_wait(scope, pool, work)];
        ended.extend(threads.join());
        done.store(true, Ordering::SeqCst);
        pool.dispatcher.watch.raise();
        ended.push(join(heartbeat));
        first_cause(ended)
    })
}

/// The threads that run handlers.
#[derive(Default)]
struct Threads<'scope> {
    running: Vec<ScopedJoinHandle<'scope, Result<()>>>,
    ended: Vec<Result<()>>,
}

impl<'scope> Threads<'scope> {
    /// Starts threads for the slots that the pool opens, until it is over. An error if the system refuses every thread at the start.
    fn start_and_wait<'env>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        pool: &'scope PoolState<'_>,
        work: &'scope (impl Fn(usize) -> Result<()> + Sync),
    ) -> Result<()> {
        let dispatcher = &pool.dispatcher;
        let mut is_start = true;
        loop {
            let seen = dispatcher.driver.seen();
            let Some(slots) = dispatcher.open_slots() else { return Ok(()) };
            self.join_ended();
            if let Err(error) = self.start(scope, pool, work, &slots) {
                if is_start && self.running.is_empty() {
                    return Err(no_thread(error));
                }
                let (threads, wanted) = (self.running.len(), pool.settings.size.get());
                panics::log_catching_panics(
                    || tracing::warn!(%error, threads, wanted, "the system refuses further threads: the worker runs on those that it has"),
                );
            }
            is_start = false;
            dispatcher.driver.wait(seen, None);
        }
    }

    /// Starts a thread for each slot. Closes the slots whose threads are refused.
    fn start<'env>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        pool: &'scope PoolState<'_>,
        work: &'scope (impl Fn(usize) -> Result<()> + Sync),
        slots: &[usize],
    ) -> io::Result<()> {
        for (started, slot) in slots.iter().enumerate() {
            let slot = *slot;
            match spawn(scope, pool.settings, self.running.len() + 1, move || halt_on_panic(pool, || work(slot))) {
                Ok(thread) => self.running.push(thread),
                Err(error) => {
                    slots[started..].iter().for_each(|slot| pool.dispatcher.abandon(*slot));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Joins the threads of slots that have left. Keeps only errors, because a pool may be resized any number of times.
    fn join_ended(&mut self) {
        let (ended, running) = mem::take(&mut self.running).into_iter().partition(ScopedJoinHandle::is_finished);
        self.running = running;
        let ended: Vec<ScopedJoinHandle<'_, _>> = ended;
        self.ended.extend(ended.into_iter().map(join).filter(Result::is_err));
    }

    fn join(self) -> impl Iterator<Item = Result<()>> {
        self.ended.into_iter().chain(self.running.into_iter().map(join))
    }
}

/// Starts a thread. `number` threads were started before.
fn spawn<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    settings: &Settings,
    number: usize,
    work: impl FnOnce() -> Result<()> + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, Result<()>>> {
    settings.refuse_thread(number)?;
    thread::Builder::new().spawn_scoped(scope, work)
}

fn join(thread: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|payload| {
        discard(payload);
        Err(Error::closed())
    })
}

fn no_thread(error: io::Error) -> Error {
    let message = format!(
        "cannot start a thread for the worker: {error}; raise the limit of threads (ulimit -u, or that of the container)"
    );
    Error::caused(ErrorKind::Io, message, error)
}

/// Runs the work of one thread. A panic outside an attempt halts the pool with an error, so that no other thread waits for ever.
fn halt_on_panic(pool: &PoolState<'_>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| halt(pool, payload))
}

/// Halts the pool with the error of a panic.
pub(super) fn halt(pool: &PoolState<'_>, payload: Box<dyn Any + Send>) -> Result<()> {
    let text = failure_of_panic(&*payload).error;
    discard(payload);
    pool.dispatcher.halt();
    Err(Error::new(ErrorKind::Invalid, format!("the worker has halted: user code panicked outside an attempt: {text}")))
}

/// Renews leases, enforces timeouts, and reports to the dispatcher that time passes, until the threads that run handlers have ended.
fn keep_alive(pool: &PoolState<'_>, shared: &Shared, done: &AtomicBool) {
    let PoolState { dispatcher, .. } = pool;
    let heartbeats = &dispatcher.heartbeats;
    let mut renewal = Instant::now() + heartbeats.pause();
    loop {
        let seen = dispatcher.watch.seen();
        if done.load(Ordering::SeqCst) {
            return;
        }
        let watched = dispatcher.time_passed(shared);
        let left = renewal.saturating_duration_since(Instant::now());
        if left.is_zero() {
            heartbeats.renew_due();
            renewal = Instant::now() + heartbeats.pause();
        } else {
            dispatcher.watch.wait(seen, Some(if watched { left.min(WATCH) } else { left }));
        }
    }
}

#[cfg(test)]
mod tests;
