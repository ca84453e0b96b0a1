use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tracker_core::StopHandle;

use super::{input::Batch, work::Work};
use crate::failure::Failure;

/// How far the input has been put into the file.
#[derive(Default)]
pub struct Feed {
    fed: Mutex<Fed>,
    changed: Condvar,
}

#[derive(Default)]
struct Fed {
    batches: u64,
    done: bool,
}

/// How soon a stop is heard.
const SOON: Duration = Duration::from_millis(100);

impl Feed {
    /// Puts the lines in as they come, until there are no more or the run is stopped.
    pub fn put(&self, batches: &Receiver<Batch>, work: &Work<'_>) {
        while !work.stop.is_stopped() {
            match batches.recv_timeout(SOON) {
                Ok(batch) => {
                    if let Err(failure) = put(batch, work) {
                        work.trouble(failure);
                    }
                    self.lock().batches += 1;
                    self.changed.notify_all();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.lock().done = true;
        self.changed.notify_all();
    }

    /// Waits for more than so many batches. `None` if there will be none.
    pub fn more_than(&self, seen: u64, stop: &StopHandle) -> Option<u64> {
        let mut fed = self.lock();
        while fed.batches == seen {
            if fed.done || stop.is_stopped() {
                return None;
            }
            fed = self.changed.wait_timeout(fed, SOON).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(fed.batches)
    }

    fn lock(&self) -> MutexGuard<'_, Fed> {
        self.fed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(batch: Batch, work: &Work<'_>) -> Result<(), Failure> {
    let lines = batch.map_err(|error| Failure::file(format!("the input cannot be read: {error}")))?;
    let submitted = work.tasks.submit_all(&lines)?;
    work.screen.more_lines(submitted.new);
    Ok(())
}
