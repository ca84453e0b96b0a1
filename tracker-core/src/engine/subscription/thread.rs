//! Subscriptions that call user code. Each has a thread of its own, so code that blocks delays only its own subscription. A panic is logged, and
//! the next call follows. Called by users; starts threads.

use std::{panic::AssertUnwindSafe, sync::Arc, thread, time::Instant};

use super::{SharedQueue, Subscription, SubscriptionHandle};
use crate::{
    engine::event::Notification,
    model::{
        error::{Error, ErrorKind, Result},
        panics::{self, catch_panic},
    },
};

impl Subscription {
    /// Calls `callback` with each item, one after the other, on a thread of its own.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::events::{EventKind, Notification};
    ///
    /// # let (sender, received) = std::sync::mpsc::channel();
    /// let handle = jobs.subscribe().spawn(move |notification| {
    ///     if let Notification::Event(event) = notification {
    ///         let _ = sender.send(event.what);
    ///     }
    /// })?;
    /// jobs.submit(&job("one"))?;
    /// assert_eq!(received.recv()?, EventKind::Submitted);
    /// handle.close();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// - The callback is called after the commit. It may block, call the tracker, and panic: a panic is logged, and the next item follows.
    ///   While it runs, events wait in the queue of the subscription.
    /// - The thread ends when the subscription or the tracker is closed. Neither waits for the callback.
    /// - A callback that holds a handle of the tracker keeps the file open until the subscription or the tracker is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses the thread.
    pub fn spawn(self, callback: impl FnMut(Notification) + Send + 'static) -> Result<SubscriptionHandle> {
        let handle = self.handle();
        start(move || {
            let mut callback = callback;
            for notification in self {
                log_panic(catch_panic(AssertUnwindSafe(|| callback(notification))));
            }
            log_panic(catch_panic(AssertUnwindSafe(|| drop(callback))));
        })?;
        Ok(handle)
    }

    /// Calls `wake` once when the subscription has something to read after a read found nothing, and once when it is closed. Read
    /// until [`try_next`](Self::try_next) returns `None`: `wake` is not called again before that.
    ///
    /// It fits event loops that draw and read on their own thread, for example `move || context.request_repaint()` with egui. It is
    /// called on a thread of its own, so it may block and panic. Call `on_ready` once: with
    /// several callbacks, each wake-up reaches only one of them. The thread ends when the subscription is closed or dropped, or after the tracker is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses the thread.
    pub fn on_ready(&self, wake: impl Fn() + Send + 'static) -> Result<()> {
        let queue = self.0.clone();
        start(move || {
            while queue.next_wake() {
                log_panic(catch_panic(AssertUnwindSafe(&wake)));
            }
            log_panic(catch_panic(AssertUnwindSafe(&wake)));
            log_panic(catch_panic(AssertUnwindSafe(|| drop(wake))));
        })
    }
}

impl SharedQueue {
    /// Waits until the reader must be woken. False if the subscription is closed.
    fn next_wake(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        loop {
            let is_ready = state.queue.is_ready(Instant::now());
            if state.queue.is_closed() {
                return false;
            }
            if is_ready && state.was_found_empty {
                state.was_found_empty = false;
                return true;
            }
            // When withheld progress becomes readable.
            let due = if state.was_found_empty { state.queue.due() } else { None };
            state = self.wait(state, due);
        }
    }
}

fn start(run: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = thread::Builder::new().name("tracker-subscription".to_owned()).spawn(run);
    thread
        .map(drop)
        .map_err(|error| Error::caused(ErrorKind::Io, "the thread of a subscription could not be started", error))
}

fn log_panic(called: Result<(), String>) {
    if let Err(panic) = called {
        panics::log_catching_panics(|| tracing::warn!(panic, "the callback of a subscription panicked"));
    }
}
