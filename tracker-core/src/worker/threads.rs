//! The threads of a pool: started, watched for panics, and joined.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Condvar, Mutex, PoisonError},
    thread::{self, Scope, ScopedJoinHandle},
};

use super::{
    Settings,
    pool::{PoolState, all_well},
};
use crate::{
    engine::Signal,
    model::{
        contain::{self, discard},
        error::{Error, ErrorKind, Result},
        failure::failure_of_panic,
    },
};

/// Runs `work` with the number of each thread, on as many threads as the settings ask for, and keeps leases alive on one more.
/// Returns when all threads have ended.
///
/// Where the system refuses a thread, the pool works with those that exist.
pub(super) fn run(shift: &PoolState<'_>, signal: &Signal, work: &(impl Fn(usize) -> Result<()> + Sync)) -> Result<()> {
    let settings = shift.settings;
    let done = Done::default();
    thread::scope(|scope| {
        let heartbeat = || {
            contained(shift, signal, || {
                keep_alive(shift, &done);
                Ok(())
            })
        };
        let heartbeat = spawn(scope, settings, 0, heartbeat).map_err(no_thread)?;
        let mut threads = Vec::with_capacity(settings.threads);
        let mut refused = None;
        for number in 0..settings.threads {
            match spawn(scope, settings, number + 1, move || contained(shift, signal, || work(number))) {
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
        all_well(ended)
    })
}

/// Starts a thread. The number is the count of those before it.
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

/// The last resort: a panic that no attempt has taken halts the pool with an error, where its threads would wait forever.
fn contained(shift: &PoolState<'_>, signal: &Signal, work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| halt(shift, signal, payload))
}

/// Halts the pool with the error of a panic.
pub(super) fn halt(shift: &PoolState<'_>, signal: &Signal, payload: Box<dyn Any + Send>) -> Result<()> {
    let text = failure_of_panic(&*payload).error;
    discard(payload);
    shift.halt(signal);
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

/// Renews leases and enforces time limits until the other threads have ended.
fn keep_alive(shift: &PoolState<'_>, done: &Done) {
    let mut over = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*over {
        over = done.1.wait_timeout(over, shift.running.pause()).unwrap_or_else(PoisonError::into_inner).0;
        if *over {
            break;
        }
        drop(over);
        shift.running.renew_due();
        shift.buffer.nudge();
        over = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests;
