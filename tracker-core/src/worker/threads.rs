//! The threads of a pool: started, watched for panics, and joined.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
    thread::{self, Scope, ScopedJoinHandle},
};

use super::{Settings, cause::first_cause, pool_state::PoolState};
use crate::model::{
    contain::{self, discard},
    error::{Error, ErrorKind, Result},
    failure::failure_of_panic,
};

/// Runs `work` with the slot of each thread, on as many threads as the settings ask for, and renews leases on one more. Returns when
/// all threads have ended. If the system refuses a thread, the pool works with the threads that exist.
pub(super) fn run(pool: &PoolState<'_>, work: &(impl Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    let settings = pool.settings;
    let done = Done::default();
    thread::scope(|scope| {
        let heartbeat = || {
            contained(pool, || {
                keep_alive(pool, &done);
                Ok(())
            })
        };
        let heartbeat = spawn(scope, settings, 0, heartbeat).map_err(no_thread)?;
        let mut threads = Vec::with_capacity(settings.threads);
        let mut refused = None;
        for number in 0..settings.threads {
            match spawn(scope, settings, number + 1, move || contained(pool, || work(number))) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let mut ended = Vec::with_capacity(threads.len() + 2);
        if let Some(error) = refused {
            let (started, wanted) = (threads.len(), settings.threads);
            if started == 0 {
                ended.push(Err(no_thread(error)));
            } else {
                contain::log(
                    || tracing::warn!(%error, started, wanted, "the system refuses further threads: the worker runs on those that it has"),
                );
            }
        }
        ended.extend(threads.into_iter().map(join));
        done.set();
        ended.push(join(heartbeat));
        first_cause(ended)
    })
}

/// Starts a thread, before which `number` threads were started.
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
fn contained(pool: &PoolState<'_>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| halt(pool, payload))
}

/// Halts the pool with the error of a panic.
pub(super) fn halt(pool: &PoolState<'_>, payload: Box<dyn Any + Send>) -> Result<()> {
    let text = failure_of_panic(&*payload).error;
    discard(payload);
    pool.dispatching.halt();
    Err(Error::new(ErrorKind::Invalid, format!("the worker has halted: user code panicked outside an attempt: {text}")))
}

/// Whether the threads that run handlers have ended.
#[derive(Default)]
struct Done(Mutex<bool>, Condvar);

impl Done {
    fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.1.notify_all();
    }
}

/// Renews leases and enforces time limits until the threads that run handlers have ended.
fn keep_alive(pool: &PoolState<'_>, done: &Done) {
    let mut ended = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*ended {
        ended =
            done.1.wait_timeout(ended, pool.dispatching.heartbeats.pause()).unwrap_or_else(PoisonError::into_inner).0;
        if *ended {
            break;
        }
        drop(ended);
        pool.dispatching.heartbeats.renew_due();
        pool.dispatching.time_passed();
        ended = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests;
