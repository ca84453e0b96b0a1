//! The database file: found, created, opened, locked, inspected and copied. Called by `engine/database` and `maintenance`; `Location`,
//! `FileOptions`, `FileId` and `Sharing` are used by `engine` and `api` too. Touches files and pages, but no tables of the tracker; runs the
//! user's storage backend and callback for the progress of a repair.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod backend;
mod copy;
mod create;
mod fault;
mod file_system;
mod folder;
mod identity;
mod inspect;
mod layout;
mod leftover;
mod open;
mod redb_panic;
mod redo_log;
mod salvage;
mod sharing;
mod survey;
#[cfg(test)]
mod tests;

pub(crate) use copy::{Snapshot, snapshot, write as write_snapshot};
pub(crate) use file_system::refuse_network_file_system;
pub(crate) use identity::{FileId, Identity};
pub(crate) use inspect::{inspect, inspect_again};
pub(crate) use open::{OpenedFile, WritableFile, close, open_existing, open_or_create};
pub(crate) use redb_panic::catch_redb_panic;
pub(crate) use redo_log::LogWriter;
pub(crate) use salvage::readable_commits;
pub use sharing::Sharing;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Builder, StorageBackend};

use crate::model::panics::{self, catch_panic};

/// Where the database lives.
#[derive(Clone)]
pub(crate) enum Location {
    /// A file.
    Path(PathBuf),
    /// Memory: gone when it is closed.
    Memory,
    /// A backend of the caller, which the factory opens.
    Backend(Factory),
}

/// Opens the caller's storage backend. Each call returns a new handle to the same bytes.
pub(crate) type Factory = Arc<dyn Fn() -> io::Result<Backend> + Send + Sync>;

/// A storage below redb.
pub(crate) struct Backend {
    pub storage: Box<dyn StorageBackend>,
    /// How to write a redo log into it. Without it, each flush is one of the storage.
    pub log: Option<LogWriter>,
}

/// How to open the database.
#[derive(Clone)]
pub(crate) struct FileOptions {
    pub sharing: Sharing,
    /// Memory for pages, in bytes.
    pub cache_bytes: usize,
    /// Reads the whole file and verifies its checksums, where it is opened for writing.
    pub check_on_open: bool,
    /// Called with the progress of a repair or a check, from 0 to 1.
    pub on_repair: Option<Arc<dyn Fn(f64) + Send + Sync>>,
    /// Opens a file on a network file system too.
    pub allow_network_file_system: bool,
    /// Writes a redo log into the file.
    pub redo_log: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            sharing: Sharing::default(),
            cache_bytes: 64 << 20,
            check_on_open: false,
            on_repair: None,
            allow_network_file_system: false,
            redo_log: false,
        }
    }
}

impl FileOptions {
    /// Options for a database that no other process can see.
    fn for_private_database(&self) -> Self {
        Self { sharing: Sharing::Exclusive, check_on_open: false, on_repair: None, ..self.clone() }
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder
            .set_cache_size(self.cache_bytes)
            .set_concurrency_mode(self.sharing.mode())
            .set_check_integrity_on_open(self.check_on_open);
        if let Some(on_repair) = self.on_repair.clone() {
            builder.set_repair_callback(move |session| {
                // Without this, a panic of the callback would be reported as a damaged file.
                if let Err(panic) = catch_panic(|| on_repair(session.progress())) {
                    panics::log_catching_panics(|| {
                        tracing::warn!(panic, "the function given to Options::on_repair panicked");
                    });
                }
            });
        }
        builder
    }
}

impl Location {
    /// A storage backend of the caller without a redo log.
    pub(crate) fn backend(make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static) -> Self {
        Self::Backend(Arc::new(move || Ok(Backend { storage: make()?, log: None })))
    }

    /// The name of the file in messages.
    pub(crate) fn name(&self) -> &Path {
        match self {
            Self::Path(path) => path,
            Self::Memory => Path::new("(memory)"),
            Self::Backend(_) => Path::new("(storage backend)"),
        }
    }
}

impl fmt::Debug for FileOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileOptions")
            .field("sharing", &self.sharing)
            .field("cache_bytes", &self.cache_bytes)
            .field("check_on_open", &self.check_on_open)
            .field("on_repair", &self.on_repair.is_some())
            .field("allow_network_file_system", &self.allow_network_file_system)
            .field("redo_log", &self.redo_log)
            .finish()
    }
}
