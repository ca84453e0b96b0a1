//! A disk in memory with byte-range locks, for all sharing modes. It records every change, from which `disk_image`
//! computes the result of a power cut, and fails on request.

use std::{
    io,
    ops::Bound,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use tracker_core::{
    Error, Options, Tracker,
    redb_store::{
        LoggedBackend, OptionsExt,
        redb::{BackendError, StorageBackend},
    },
};

/// A change of the disk.
#[derive(Clone, Debug)]
pub enum Change {
    Write(usize, Vec<u8>),
    /// A write that is on the disk when it returns. Other writes may not be.
    WriteThrough(usize, Vec<u8>),
    Resize(usize),
    Sync,
}

/// An operation that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Read,
    Write,
    WriteThrough,
    Resize,
    Sync,
}

impl Operation {
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::WriteThrough, Self::Resize, Self::Sync];
}

/// A fault: the n-th operation of its kind from now fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub operation: Operation,
    pub nth: u64,
    /// The error of the operating system, by its number.
    pub error: i32,
    /// Whether the operation takes effect nevertheless.
    pub done: bool,
    /// Whether all operations of all sorts fail from then on.
    pub lasting: bool,
}

#[derive(Debug)]
struct Lock {
    owner: u64,
    range: (Bound<u64>, Bound<u64>),
    exclusive: bool,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    log: Vec<Change>,
    fault: Option<Fault>,
    broken: Option<i32>,
    struck: bool,
    locks: Vec<Lock>,
    handles: u64,
    log_length: Option<u32>,
    /// Whether syncs wait.
    held: bool,
    /// Number of syncs that wait.
    waiting: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    unlocked: Condvar,
}

/// A disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Shared>);

/// One handle to a disk: its locks go when it is closed.
#[derive(Debug)]
struct Handle {
    disk: Disk,
    owner: u64,
}

impl Disk {
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().bytes = bytes;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// How many changes there were.
    pub fn changes(&self) -> usize {
        self.state().log.len()
    }

    pub fn log(&self) -> Vec<Change> {
        self.state().log.clone()
    }

    /// Makes an operation fail from now on, once or for ever.
    pub fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Removes all faults. Returns whether one had occurred.
    pub fn heal(&self) -> bool {
        let mut state = self.state();
        (state.fault, state.broken) = (None, None);
        std::mem::take(&mut state.struck)
    }

    /// Lets syncs wait until [`Self::release`].
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Returns once a sync waits.
    pub fn wait_for_sync(&self) {
        let mut state = self.state();
        while state.waiting == 0 {
            state = self.0.unlocked.wait(state).unwrap();
        }
    }

    pub fn release(&self) {
        self.state().held = false;
        self.0.unlocked.notify_all();
    }

    /// Whether the fault has come.
    pub fn has_failed(&self) -> bool {
        self.state().struck
    }

    /// Lets trackers write a redo log of this length, in bytes.
    pub fn with_log(self, length: Option<u32>) -> Self {
        self.state().log_length = length;
        self
    }

    /// Opens a tracker on the disk.
    pub fn open_tracker(&self, options: Options) -> Result<Tracker, Error> {
        let disk = self.clone();
        let Some(log_length) = self.state().log_length else { return options.open_backend(move || disk.open()) };
        options.open_logged_backend(move || {
            let through = disk.clone();
            let write_through = move |offset, data: &[u8]| {
                let change = Change::WriteThrough(usize_of(offset)?, data.to_vec());
                through.state().change(Operation::WriteThrough, change)
            };
            Ok(LoggedBackend::new(disk.open()?, write_through, log_length))
        })
    }

    pub fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        let mut state = self.state();
        state.handles += 1;
        Ok(Box::new(Handle { disk: self.clone(), owner: state.handles }))
    }
}

/// Cuts `bytes`, or appends zeros. [`Vec::resize`] writes each byte alone in a build without optimisation, and files have a million.
pub fn resize(bytes: &mut Vec<u8>, len: usize) {
    let added = len.saturating_sub(bytes.len());
    bytes.truncate(len);
    bytes.extend_from_slice(&vec![0; added]);
}

impl State {
    /// Counts an operation; an error if it is the one that fails before it takes effect. True if it fails after that.
    fn begin(&mut self, operation: Operation) -> io::Result<bool> {
        if let Some(error) = self.broken {
            return Err(io::Error::from_raw_os_error(error));
        }
        let Some(fault) = &mut self.fault else { return Ok(false) };
        if fault.operation != operation {
            return Ok(false);
        }
        fault.nth -= 1;
        if fault.nth > 0 {
            return Ok(false);
        }
        let Fault { error, done, lasting, .. } = *fault;
        (self.fault, self.struck) = (None, true);
        self.broken = lasting.then_some(error);
        if done { Ok(true) } else { Err(io::Error::from_raw_os_error(error)) }
    }

    fn change(&mut self, operation: Operation, change: Change) -> io::Result<()> {
        let fails = self.begin(operation)?;
        match &change {
            Change::Write(at, data) | Change::WriteThrough(at, data) => {
                self.bytes[*at..*at + data.len()].copy_from_slice(data);
            }
            Change::Resize(len) => resize(&mut self.bytes, *len),
            Change::Sync => {}
        }
        self.log.push(change);
        if fails { Err(io::Error::other("the disk failed after it was done")) } else { Ok(()) }
    }

    fn is_free(&self, owner: u64, range: (Bound<u64>, Bound<u64>), exclusive: bool) -> bool {
        let conflicts = |lock: &Lock| {
            lock.owner != owner && (exclusive || lock.exclusive) && {
                let ((a, b), (c, d)) = (ends(lock.range), ends(range));
                a < d && c < b
            }
        };
        !self.locks.iter().any(conflicts)
    }

    fn lock(&mut self, owner: u64, range: (Bound<u64>, Bound<u64>), exclusive: bool) -> bool {
        let free = self.is_free(owner, range, exclusive);
        if free {
            self.locks.retain(|lock| lock.owner != owner || lock.range != range);
            self.locks.push(Lock { owner, range, exclusive });
        }
        free
    }
}

/// The first offset of a range, and the first one after it.
fn ends((start, end): (Bound<u64>, Bound<u64>)) -> (u64, u64) {
    let start = match start {
        Bound::Unbounded => 0,
        Bound::Included(at) => at,
        Bound::Excluded(at) => at + 1,
    };
    let end = match end {
        Bound::Unbounded => u64::MAX,
        Bound::Included(at) => at + 1,
        Bound::Excluded(at) => at,
    };
    (start, end)
}

fn usize_of(number: u64) -> io::Result<usize> {
    usize::try_from(number).map_err(io::Error::other)
}

impl Handle {
    fn wait_for(&self, range: (Bound<u64>, Bound<u64>), exclusive: bool) {
        let mut state = self.disk.state();
        while !state.lock(self.owner, range, exclusive) {
            state = self.disk.0.unlocked.wait(state).unwrap();
        }
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin(Operation::Read)?;
        let at = usize_of(offset)?;
        let bytes = state.bytes.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.state().change(Operation::Resize, Change::Resize(usize_of(len)?))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.waiting += 1;
        self.disk.0.unlocked.notify_all();
        while state.held {
            state = self.disk.0.unlocked.wait(state).unwrap();
        }
        state.waiting -= 1;
        state.change(Operation::Sync, Change::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.state().change(Operation::Write, Change::Write(usize_of(offset)?, data.to_vec()))
    }

    fn close(&self) -> io::Result<()> {
        self.disk.state().locks.retain(|lock| lock.owner != self.owner);
        self.disk.0.unlocked.notify_all();
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.disk.state().lock(self.owner, (start, end), true))
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.disk.state().lock(self.owner, (start, end), false))
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.wait_for((start, end), true);
        Ok(())
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.wait_for((start, end), false);
        Ok(())
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.state().locks.retain(|lock| lock.owner != self.owner || lock.range != (start, end));
        self.disk.0.unlocked.notify_all();
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        Ok(!self.disk.state().is_free(self.owner, (start, end), true))
    }
}
