//! The files of a name: `count`, `waiting`, and one for each slot. Their locks are the whole state; a killed process leaves nothing.
//!
//! | file | lock | held by |
//! |---|---|---|
//! | `count`, with the number of slots | shared | each run that uses the name |
//! | `waiting` | shared | each run that has a command that waits for a slot |
//! | `1`, `2`, … | exclusive | the command that holds the slot, and its run |
//!
//! A run that frees a slot writes a byte to its file, which wakes the others.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use super::folder_watch::FolderWatch;
use crate::error::CliError;

/// The mode of the files. With the sticky bit, Linux keeps them when it cleans the runtime folder of a session.
const MODE: u32 = if cfg!(target_os = "linux") { 0o1600 } else { 0o600 };

pub struct SlotFiles {
    folder: PathBuf,
    count: u16,
    /// Locked as long as this run uses the name.
    _registration: File,
    waiting: File,
    /// The files of the slots that were tried, by number, without those that this run holds.
    tried: Vec<Option<File>>,
    watch: FolderWatch,
}

/// Why a name cannot be used.
#[derive(Debug)]
pub enum OpenError {
    Folder(String),
    /// Runs use the name with another number of slots.
    OtherCount(Option<u16>),
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl OpenError {
    pub fn describe(self, name: &str, count: u16) -> CliError {
        match self {
            Self::Folder(reason) => CliError::file(format!(
                "no private folder for --slots {name} ({reason}): set XDG_RUNTIME_DIR to a folder of this user"
            )),
            Self::OtherCount(Some(other)) => CliError::usage(format!(
                "--slots {name}={count}: other runs use {name}={other} now, and all must give the same number: use it, or \
                 wait for their end"
            )),
            Self::OtherCount(None) => {
                CliError::file(format!("--slots {name}: another run changes the number of slots"))
            }
            Self::Io(error) => CliError::file(format!("cannot use the files of --slots {name}: {error}")),
        }
    }
}

impl SlotFiles {
    /// Opens the files of a folder, and registers this run with this number of slots.
    pub fn open(folder: PathBuf, count: u16) -> Result<Self, OpenError> {
        let registration = register(open(&folder.join("count"))?, count)?;
        let waiting = open(&folder.join("waiting"))?;
        let watch = FolderWatch::new(&folder);
        Ok(Self { folder, count, _registration: registration, waiting, tried: Vec::new(), watch })
    }

    pub fn count(&self) -> u16 {
        self.count
    }

    /// Takes a free slot, if there is one. Returns its number and its locked file.
    pub fn try_take(&mut self) -> io::Result<Option<(u16, File)>> {
        self.tried.resize_with(self.count.into(), || None);
        for (number, slot) in (1..).zip(&mut self.tried) {
            // A file is opened for each holder: processes that have inherited an earlier lock have no part in a later one.
            let file = match slot.take() {
                Some(file) => file,
                None => open(&self.folder.join(number.to_string()))?,
            };
            if try_lock(&file)? {
                return Ok(Some((number, file)));
            }
            *slot = Some(file);
        }
        Ok(None)
    }

    /// Returns whether a command of another run waits. Must not be called while this run waits itself.
    pub fn others_wait(&self) -> io::Result<bool> {
        let is_alone = try_lock(&self.waiting)?;
        if is_alone {
            self.waiting.unlock()?;
        }
        Ok(!is_alone)
    }

    /// Tells the other runs that this one waits, until [`Self::end_wait`].
    pub fn begin_wait(&self) -> io::Result<()> {
        // Waits only for a run that asks whether others wait.
        self.waiting.lock_shared()
    }

    pub fn end_wait(&self) {
        // If it fails, the others wait a little longer than they need.
        let _ = self.waiting.unlock();
    }

    /// Waits until a slot may be free, at most so long.
    pub fn wait(&self, time: Duration) {
        self.watch.wait(time);
    }
}

/// A slot that a command holds, free when this is dropped.
#[derive(Debug)]
pub struct HeldSlot {
    name: String,
    number: u16,
    file: File,
    /// The number of slots that this run holds.
    held: Arc<AtomicU16>,
}

impl HeldSlot {
    pub fn new(name: &str, (number, file): (u16, File), held: &Arc<AtomicU16>) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self { name: name.to_owned(), number, file, held: held.clone() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the slot among those of its name, from 1.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl AsFd for HeldSlot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for HeldSlot {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
        // Ends the lock also in processes that have inherited it. If either call fails, the others see the end of the lock when they look
        // again, or when the file is closed.
        let _ = self.file.unlock();
        let _ = self.file.write_all_at(b"\n", 0);
    }
}

/// Locks the file of the number as one of its users. The first user writes the number, and others must have the same.
fn register(mut file: File, count: u16) -> Result<File, OpenError> {
    let mut stored = None;
    // A second time, since the last user may have ended in between.
    for _ in 0..2 {
        if try_lock(&file)? {
            let text = format!("{count}\n");
            file.write_all_at(text.as_bytes(), 0)?;
            file.set_len(text.len() as u64)?;
            file.unlock()?;
        }
        // Waits only for a run that is between these two locks.
        file.lock_shared()?;
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        stored = text.trim_end().parse().ok();
        if stored == Some(count) {
            return Ok(file);
        }
        file.unlock()?;
    }
    Err(OpenError::OtherCount(stored))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)
}

fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
