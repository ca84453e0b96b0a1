//! `LoggedDisk` is the storage backend between redb and a file: it decides which flushes go to the redo log, and applies the log of a crashed
//! process. Made by `open`, which states through `Logging` where commits begin and end. Reads and writes the file, or the user's storage
//! backend.

use std::{
    fmt, io, mem,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, StorageBackend};
use uuid::Uuid;

use super::{
    descriptor::{self, Descriptor},
    log::{Log, LogWriter, largest_record},
    replay::{find, replay},
};
use crate::storage::file::layout::{self, HEADER};

/// How many flushes of little data a process makes in a row before it begins a log, which costs flushes of its own.
const FLUSHES_BEFORE: u32 = 16;

/// A storage that may write a redo log.
pub(crate) struct LoggedDisk(Arc<Shared>);

/// A handle to a [`LoggedDisk`] that states where commits begin and end.
pub(crate) struct Logging(Arc<Shared>);

struct Shared {
    disk: Box<dyn StorageBackend>,
    writer: Option<LogWriter>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// redb has asked for the length, which it does once it has locked the file.
    is_open: bool,
    log: Option<Log>,
    /// How many blocks of the log of a crashed process were written.
    applied: usize,
    /// Without a log: the flushes of little data since the last one of much.
    flushes: u32,
    /// Without a log: how much has been written since the last flush, in bytes.
    unflushed: u64,
    /// The log could not begin. It is not tried again.
    is_refused: bool,
    commit: Commit,
    /// An error left the state of the disk unknown. Everything is refused from then on; the next open applies the log.
    is_broken: bool,
}

/// The commit under way, if it is one in two phases.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Commit {
    #[default]
    None,
    Begun,
    /// Its first flush was left out.
    FlushDue,
    /// A flush was made. No further one is left out: after it, redb may reuse pages of the commit before.
    Flushed,
}

impl Commit {
    /// Everything is flushed.
    fn flush(&mut self) {
        if *self != Self::None {
            *self = Self::Flushed;
        }
    }
}

impl LoggedDisk {
    pub fn new(disk: Box<dyn StorageBackend>, writer: Option<LogWriter>) -> Self {
        let state = Mutex::new(State::default());
        Self(Arc::new(Shared { disk, writer, state }))
    }

    pub fn logging(&self) -> Logging {
        Logging(self.0.clone())
    }
}

impl Logging {
    /// Begins a commit in two phases. The second of its flushes covers the first.
    pub fn begin_two_phase_commit(&self) {
        self.0.state().commit = Commit::Begun;
    }

    /// Returns once all writes of the commit would survive a power loss.
    ///
    /// # Errors
    /// If the disk fails. Then the storage refuses all calls, and whether the commit is stored is seen at the next open.
    pub fn end_commit(&self) -> io::Result<()> {
        let mut state = self.0.state();
        let flush_due = mem::take(&mut state.commit) == Commit::FlushDue;
        self.0.guarded(&mut state, |shared, state| match &shared.writer {
            _ if flush_due => shared.flush(state),
            Some(writer) if state.log.is_none() && state.flushes >= FLUSHES_BEFORE && !state.is_refused => {
                shared.begin(state, writer)
            }
            _ => Ok(()),
        })
    }

    /// How many blocks of the log of a crashed process the open has written.
    pub fn applied(&self) -> usize {
        self.0.state().applied
    }

    /// Ends a commit that has failed within redb: the storage refuses all calls from now on.
    pub fn abandon_commit(&self) {
        let mut state = self.0.state();
        (state.commit, state.is_broken) = (Commit::None, true);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a step that writes. After a failure nothing is written any more, because later writes could rely on those that failed.
    fn guarded<R>(&self, state: &mut State, step: impl FnOnce(&Self, &mut State) -> io::Result<R>) -> io::Result<R> {
        if state.is_broken {
            return Err(io::Error::other("an earlier write or flush has failed"));
        }
        let done = step(self, state);
        state.is_broken = done.is_err();
        done
    }

    /// Applies the log of a process that has crashed. redb holds its lock by now.
    fn open(&self, state: &mut State) -> io::Result<()> {
        let length = self.disk.len()?;
        let read = |offset, out: &mut [u8]| self.disk.read(offset, out);
        let Some(descriptor) = find(length, &read)? else { return Ok(()) };
        if descriptor.start > length {
            // A crash before the log had begun, or someone has cut the file. Once redb's part is longer, it would seem to be a log.
            return self.clear_descriptor();
        }
        let mut found = replay(descriptor, length, &read)?;
        if let Some(first) = found.blocks.get_mut(&0) {
            // The record is on the disk, and with it the commit that other processes were not to see before.
            layout::mark_flushed(first);
        }
        for (offset, block) in &found.blocks {
            // Also what the file has already: the system may have failed to write it, and have kept it in memory.
            self.disk.write(*offset, block)?;
        }
        self.disk.sync_data()?;
        state.applied = found.blocks.len();
        match (&self.writer, found.epoch) {
            (Some(writer), Some(epoch)) if descriptor.start.saturating_add(descriptor.length) == length => {
                let log = state.log.insert(Log::new(descriptor, epoch.wrapping_add(1)));
                self.append_header(log, writer)
            }
            // Without a record it is not known which epochs there have been.
            _ => self.remove(descriptor),
        }
    }

    /// Gives the file the length of redb's part, and removes the descriptor. All writes have been flushed.
    fn remove(&self, descriptor: Descriptor) -> io::Result<()> {
        // One after the other: without the descriptor, redb would take the log for pages of its own.
        self.disk.set_len(descriptor.start)?;
        self.disk.sync_data()?;
        self.clear_descriptor()
    }

    fn clear_descriptor(&self) -> io::Result<()> {
        self.disk.write(descriptor::AT, &[0; descriptor::LENGTH])?;
        self.disk.sync_data()
    }

    /// Begins a log behind redb's part.
    fn begin(&self, state: &mut State, writer: &LogWriter) -> io::Result<()> {
        let (random, _) = Uuid::new_v4().as_u64_pair();
        // Epochs only rise from here.
        let descriptor = Descriptor { start: self.disk.len()?, length: writer.length, epoch: random >> 1 };
        self.disk.write(descriptor::AT, &descriptor.encode())?;
        self.disk.sync_data()?;
        if self.allocate(descriptor).is_err() {
            // The disk is full, perhaps. Commits go on without a log.
            state.is_refused = true;
            return self.remove(descriptor);
        }
        let log = state.log.insert(Log::new(descriptor, descriptor.epoch));
        self.append_header(log, writer)
    }

    /// Writes zeros, so that a flush of the log need not store where its blocks are.
    fn allocate(&self, descriptor: Descriptor) -> io::Result<()> {
        self.disk.set_len(descriptor.start.saturating_add(descriptor.length))?;
        let zeros = vec![0; 1 << 16];
        let mut at = 0;
        while at < descriptor.length {
            let piece = zeros.get(..usize::try_from(descriptor.length - at).unwrap_or(zeros.len())).unwrap_or(&zeros);
            self.disk.write(descriptor.start + at, piece)?;
            at += piece.len() as u64;
        }
        self.disk.sync_data()
    }

    /// Makes all writes survive a power loss.
    fn flush(&self, state: &mut State) -> io::Result<()> {
        state.commit.flush();
        let (Some(log), Some(writer)) = (&mut state.log, &self.writer) else {
            let is_little = self.writer.as_ref().is_some_and(|writer| state.unflushed <= largest_record(writer.length));
            state.flushes = if is_little { state.flushes.saturating_add(1) } else { 0 };
            state.unflushed = 0;
            return self.disk.sync_data();
        };
        if log.is_overfull || log.position + log.batch.record_length() > log.descriptor.length {
            self.disk.sync_data()?;
            // The old records would revert what was flushed to the file itself. The record in the place of the first one has one sector, as
            // that one has, so that a power loss leaves one of them as a whole.
            log.begin_epoch();
            return self.append_header(log, writer);
        }
        if log.batch.is_empty() {
            return Ok(());
        }
        log.append(writer)
    }

    /// Appends a record of redb's header as it is now. All other writes have been flushed.
    fn append_header(&self, log: &mut Log, writer: &LogWriter) -> io::Result<()> {
        let mut header = [0; HEADER];
        self.disk.read(0, &mut header)?;
        log.batch.clear();
        log.add(0, &header);
        log.append(writer)
    }

    /// Ends the log if there is one, so that redb's part is the whole file.
    fn end(&self, state: &mut State) -> io::Result<()> {
        let Some(log) = state.log.take() else { return Ok(()) };
        self.disk.sync_data()?;
        state.commit.flush();
        state.flushes = 0;
        self.remove(log.descriptor)
    }
}

impl StorageBackend for LoggedDisk {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.0.state();
        if !state.is_open {
            self.0.guarded(&mut state, Shared::open)?;
            state.is_open = true;
        }
        match &state.log {
            Some(log) => Ok(log.descriptor.start),
            None => self.0.disk.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.disk.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.guarded(&mut self.0.state(), |shared, state| {
            shared.end(state)?;
            shared.disk.set_len(length)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.guarded(&mut self.0.state(), |shared, state| {
            if state.log.is_some() && state.commit == Commit::Begun {
                state.commit = Commit::FlushDue;
                return Ok(());
            }
            shared.flush(state)
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.guarded(&mut self.0.state(), |shared, state| {
            match &mut state.log {
                Some(log) => log.add(offset, data),
                None => state.unflushed = state.unflushed.saturating_add(data.len() as u64),
            }
            shared.disk.write(offset, data)
        })
    }

    fn close(&self) -> io::Result<()> {
        let ended = {
            let mut state = self.0.state();
            if state.is_broken { Ok(()) } else { self.0.guarded(&mut state, Shared::end) }
        };
        let closed = self.0.disk.close();
        ended.and(closed)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.disk.query_lock_range(start, end)
    }
}

impl fmt::Debug for LoggedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedDisk").field("disk", &self.0.disk).field("logs", &self.0.writer.is_some()).finish()
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logging")
    }
}
