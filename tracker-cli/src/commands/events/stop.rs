//! `Stop`: the request to end `tracker events`, made by a signal while the command waits or prints. Called by `events`; closes the stream of
//! events.

use std::{
    process,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tracker_core::live::EventStreamHandle;

/// How long the command may take to print the line that it is printing.
const LAST_LINE: Duration = Duration::from_millis(500);

#[derive(Default)]
pub struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requested: bool,
    stream: Option<EventStreamHandle>,
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_requested(&self) -> bool {
        self.lock().requested
    }

    /// Waits for the request, at most this long. Returns whether it was made.
    pub fn wait(&self, at_most: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), at_most, |state| !state.requested);
        waited.unwrap_or_else(PoisonError::into_inner).0.requested
    }

    /// Names the stream that the request closes.
    pub fn set_stream(&self, stream: EventStreamHandle) {
        let mut state = self.lock();
        if state.requested {
            stream.close();
        }
        state.stream = Some(stream);
    }

    /// Ends the command: it ends by itself, or the process ends if the reader of its output keeps it waiting.
    pub fn request(&self) {
        let mut state = self.lock();
        state.requested = true;
        if let Some(stream) = state.stream.take() {
            stream.close();
        }
        drop(state);
        self.changed.notify_all();
        thread::sleep(LAST_LINE);
        process::exit(0);
    }
}
