//! The slots of one name: the commands of this run take them in the order in which they ask. Called by `MachineSlots`; locks files through
//! `slot_files`.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::slot_files::{HeldSlot, SlotFiles};
use crate::commands::run::start_error::is_shortage;

/// How often a wait checks for a stop, and for a slot of which no notification came.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How long a run lets others go first that wait already.
const COURTESY: Duration = Duration::from_millis(5);

/// A wait for other runs that is as long is reported.
const REPORT_AFTER: Duration = Duration::from_secs(1);

pub struct SlotPool {
    name: String,
    /// The numbers of the waiting commands. The first one uses the files.
    waiting: Mutex<Waiting>,
    changed: Condvar,
    files: Mutex<SlotFiles>,
    /// The slots that this run holds.
    held: Arc<AtomicU16>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    queue: VecDeque<u64>,
}

/// The place of a command among those that wait.
struct Place<'a> {
    pool: &'a SlotPool,
    number: u64,
}

impl SlotPool {
    pub fn new(name: &str, files: SlotFiles) -> Self {
        Self {
            name: name.to_owned(),
            waiting: Mutex::default(),
            changed: Condvar::new(),
            files: Mutex::new(files),
            held: Arc::default(),
        }
    }

    /// Waits for a slot. Returns `None` if the run stops before.
    pub fn acquire(&self, is_stopped: &dyn Fn() -> bool, report: &dyn Fn(&str)) -> io::Result<Option<HeldSlot>> {
        let place = self.queue_up();
        if !place.wait_until_first(is_stopped) {
            return Ok(None);
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.others_wait()? {
            files.begin_wait()?;
            // A run that waits takes what becomes free before this run takes its next slot.
            thread::sleep(COURTESY);
        } else if let Some(taken) = self.try_take(&mut files, report)? {
            return Ok(Some(taken));
        } else {
            files.begin_wait()?;
        }
        let taken = self.take_or_stop(&mut files, is_stopped, report);
        files.end_wait();
        taken
    }

    fn take_or_stop(
        &self,
        files: &mut SlotFiles,
        is_stopped: &dyn Fn() -> bool,
        report: &dyn Fn(&str),
    ) -> io::Result<Option<HeldSlot>> {
        let begin = Instant::now();
        while !is_stopped() {
            if let Some(taken) = self.try_take(files, report)? {
                return Ok(Some(taken));
            }
            if begin.elapsed() >= REPORT_AFTER && self.held.load(Ordering::Relaxed) < files.count() {
                report(&format!("other runs hold slots of --slots {}={}", self.name, files.count()));
            }
            files.wait(STOP_CHECK);
        }
        Ok(None)
    }

    /// A shortage of file descriptors leaves the slots as they are.
    fn try_take(&self, files: &mut SlotFiles, report: &dyn Fn(&str)) -> io::Result<Option<HeldSlot>> {
        match files.try_take() {
            Ok(taken) => Ok(taken.map(|taken| HeldSlot::new(&self.name, taken, &self.held))),
            Err(error) if is_shortage(&error) => {
                report(&format!("the files of --slots {} cannot be opened ({error})", self.name));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn queue_up(&self) -> Place<'_> {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.queue.push_back(number);
        Place { pool: self, number }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Returns false if the run stops before.
    fn wait_until_first(&self, is_stopped: &dyn Fn() -> bool) -> bool {
        let mut waiting = self.pool.lock();
        while waiting.queue.front() != Some(&self.number) {
            if is_stopped() {
                return false;
            }
            waiting = self.pool.changed.wait_timeout(waiting, STOP_CHECK).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.pool.lock().queue.retain(|number| *number != self.number);
        self.pool.changed.notify_all();
    }
}
