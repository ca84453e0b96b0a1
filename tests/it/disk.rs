//! A disk in memory that can lose power and fail: what was not synced is lost, in part or whole.

use std::{
    io,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard},
};

use tracker_core::redb::{BackendError, StorageBackend};

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Keep {
    Nothing,
    All,
    /// Of each write, by this seed: whole, lost, or torn at sectors of 512 bytes.
    Some(u64),
}

#[derive(Debug, Default)]
struct State {
    /// What the platter holds.
    synced: Vec<u8>,
    /// What reads see.
    seen: Vec<u8>,
    unsynced: Vec<Change>,
    /// Operations that write, so far.
    operations: u64,
    /// From this operation on, the power is off.
    cut_at: Option<u64>,
    /// This operation fails once, after or before it took effect.
    fail_at: Option<(u64, bool)>,
    /// Every so many syncs are only claimed.
    lies_every: Option<u64>,
    syncs: u64,
    locked: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// A disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

/// One handle to a disk: holds its lock until it is closed.
#[derive(Debug)]
pub struct Handle(Disk);

impl Disk {
    pub fn with_bytes(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().synced.clone_from(&bytes);
        disk.state().seen = bytes;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn cut_at(&self, operation: u64) {
        self.state().cut_at = Some(operation);
    }

    /// Lets one operation fail; `done` says whether it took effect all the same.
    pub fn fail_at(&self, operation: u64, done: bool) {
        self.state().fail_at = Some((operation, done));
    }

    pub fn lies_every(&self, syncs: u64) {
        self.state().lies_every = Some(syncs);
    }

    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// What is on the platter after a power cut.
    pub fn after_cut(&self, keep: Keep) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.synced.clone();
        let mut random = match keep {
            Keep::Nothing => return bytes,
            Keep::All => return state.seen.clone(),
            Keep::Some(seed) => seed | 1,
        };
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for change in &state.unsynced {
            match change {
                Change::Length(length) if next() % 2 == 0 => bytes.resize(*length, 0),
                Change::Length(_) => {}
                Change::Write(at, data) => {
                    for (number, sector) in data.chunks(512).enumerate() {
                        let start = at + number * 512;
                        if next() % 2 == 0 && start + sector.len() <= bytes.len() {
                            bytes[start..start + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
            }
        }
        bytes
    }

    pub fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Handle(self.clone())))
    }
}

impl State {
    /// Counts an operation; an error if the power is off, or this is the one that fails. The flag says whether it is done.
    fn operate(&mut self) -> io::Result<bool> {
        self.operations += 1;
        if self.cut_at.is_some_and(|at| self.operations >= at) {
            return Err(io::Error::other("the power is off"));
        }
        match self.fail_at {
            Some((at, done)) if at == self.operations => {
                self.fail_at = None;
                if done { Ok(true) } else { Err(io::Error::other("the disk failed")) }
            }
            _ => Ok(false),
        }
    }
}

fn fails_after(done: bool) -> io::Result<()> {
    if done { Err(io::Error::other("the disk failed after it was done")) } else { Ok(()) }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.state();
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes = state.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state();
        let done = state.operate()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        state.seen.resize(len, 0);
        state.unsynced.push(Change::Length(len));
        fails_after(done)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state();
        let done = state.operate()?;
        state.syncs += 1;
        if state.lies_every.is_none_or(|every| !state.syncs.is_multiple_of(every)) {
            let State { synced, seen, .. } = &mut *state;
            synced.clone_from(seen);
            state.unsynced.clear();
        }
        fails_after(done)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        let done = state.operate()?;
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        state.seen[at..at + data.len()].copy_from_slice(data);
        state.unsynced.push(Change::Write(at, data.to_vec()));
        fails_after(done)
    }

    fn close(&self) -> io::Result<()> {
        self.0.state().locked = false;
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let whole = matches!((start, end), (Bound::Unbounded | Bound::Included(0), Bound::Unbounded));
        if !whole {
            return Err(BackendError::Unsupported);
        }
        let mut state = self.0.state();
        let free = !state.locked;
        state.locked = true;
        Ok(free)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        self.0.state().locked = false;
        Ok(())
    }
}
