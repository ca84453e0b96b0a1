//! Starts a worker or pool on a thread of its own; `WorkerHandle` stops it, resizes it, and waits for its summary. Called by users; validates the
//! settings, which calls the user's start conditions, starts the thread, and touches no row itself.

use std::{error::Error as StdError, fmt, io, thread, time::Duration};

use super::{PoolSize, StartStatus, StopHandle, Summary, Worker, WorkerPool};
use crate::{
    api::{execution::Execution, handler::IntoOutcome, shutdown::Shutdown},
    model::{
        error::{Error, ErrorKind, Result},
        panics::discard,
        task::TrackedTask,
    },
};

/// A worker that runs in the background, started by [`Worker::spawn`] or [`WorkerPool::spawn`].
///
/// If the handle is dropped, the worker continues until it is stopped or the process ends.
#[derive(Debug)]
pub struct WorkerHandle {
    stop: StopHandle,
    size: PoolSize,
    start_status: StartStatus,
    thread: thread::JoinHandle<Result<Summary>>,
}

impl WorkerHandle {
    /// Returns the handle that stops the worker.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Returns the handle that changes how many handlers run at once.
    #[must_use]
    pub fn pool_size(&self) -> PoolSize {
        self.size.clone()
    }

    /// Returns the handle that tells which start condition lets no handler start.
    #[must_use]
    pub fn start_status(&self) -> StartStatus {
        self.start_status.clone()
    }

    /// Has the worker run this many handlers at once, 0 to [`PoolSize::MAX`]. See [`PoolSize::resize`].
    ///
    /// # Errors
    /// As [`PoolSize::resize`].
    pub fn resize(&self, handlers: usize) -> Result<()> {
        self.size.resize(handlers)
    }

    /// Stops the worker and waits up to `within` until it has ended. See [`StopHandle::shutdown`].
    ///
    /// # Errors
    /// As [`StopHandle::shutdown`].
    pub fn shutdown(&self, within: Duration) -> Result<Shutdown> {
        self.stop.shutdown(within)
    }

    /// Returns whether the worker has ended, so that [`join`](Self::join) does not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until the worker has ended, and returns its summary. Does not stop it.
    ///
    /// # Errors
    /// As [`Worker::run`].
    pub fn join(self) -> Result<Summary> {
        self.thread.join().unwrap_or_else(|payload| {
            discard(payload);
            Err(Error::closed())
        })
    }
}

impl<T: TrackedTask> Worker<T> {
    /// Runs the worker on a new thread as [`run`](Self::run) does, and returns at once.
    ///
    /// The program may end while handlers run: their attempts are interrupted then. [`WorkerHandle::shutdown`] has an example.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`] for a setting without meaning, as for [`run`](Self::run), whose other errors
    ///   [`WorkerHandle::join`] returns.
    /// - [`ErrorKind::Io`] if the system refuses the thread.
    pub fn spawn<F, R, E>(self, handler: F) -> Result<WorkerHandle>
    where
        F: Fn(&mut Execution<T>) -> Result<R, E> + Send + Sync + 'static,
        R: IntoOutcome + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug + 'static,
    {
        WorkerPool::with(self.settings).serve(&self.tasks, handler).spawn()
    }
}

impl WorkerPool<'static> {
    /// Runs the pool on a new thread as [`run`](Self::run) does, and returns at once. Handlers own what they use.
    ///
    /// # Errors
    /// As [`Worker::spawn`].
    pub fn spawn(self) -> Result<WorkerHandle> {
        self.settings.check()?;
        let (stop, size) = (self.settings.stop.clone(), self.settings.size.clone());
        let start_status = self.settings.start_status.clone();
        let no_thread = |error: io::Error| {
            Error::caused(ErrorKind::Io, format!("cannot start a thread for the worker: {error}"), error)
        };
        let thread =
            thread::Builder::new().name("tracker-worker".to_owned()).spawn(|| self.run()).map_err(no_thread)?;
        Ok(WorkerHandle { stop, size, start_status, thread })
    }
}
