//! Where the trackers of a test are: in files and in memory of redb, or with `TRACKER_TEST_STORE=memory` in stores in memory. A
//! test that asks for the same path twice finds the same tasks.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
};

use tracker_core::{
    Options, Result, Tracker,
    store::{MemoryStore, OptionsExt},
};

/// The stores that stand for files, by path.
static STORES: LazyLock<Mutex<HashMap<PathBuf, MemoryStore>>> = LazyLock::new(Mutex::default);

/// Whether the trackers of the tests are in stores.
pub(crate) fn is_store() -> bool {
    env::var_os("TRACKER_TEST_STORE").is_some_and(|store| store == "memory")
}

fn store_at(path: &Path) -> MemoryStore {
    STORES.lock().unwrap().entry(path.to_owned()).or_default().clone()
}

/// Opens a tracker where the tests of this run keep theirs.
pub(crate) trait OpenInPlace {
    fn open_at(self, path: impl AsRef<Path>) -> Result<Tracker>;
    fn inspect_at(self, path: impl AsRef<Path>) -> Result<Tracker>;
    fn open_memory(self) -> Result<Tracker>;
}

impl OpenInPlace for Options {
    fn open_at(self, path: impl AsRef<Path>) -> Result<Tracker> {
        if is_store() { self.open_store(store_at(path.as_ref())) } else { self.open(path) }
    }

    fn inspect_at(self, path: impl AsRef<Path>) -> Result<Tracker> {
        if is_store() { self.inspect_store(store_at(path.as_ref())) } else { self.inspect(path) }
    }

    fn open_memory(self) -> Result<Tracker> {
        if is_store() { self.open_store(MemoryStore::new()) } else { self.in_memory() }
    }
}

/// [`Tracker::open`].
pub(crate) fn open(path: impl AsRef<Path>) -> Result<Tracker> {
    Tracker::options().open_at(path)
}

/// [`Tracker::in_memory`].
pub(crate) fn in_memory() -> Result<Tracker> {
    Tracker::options().open_memory()
}

/// Whether a test does not apply to stores; prints why.
pub(crate) fn is_only_for_files(reason: &str) -> bool {
    if is_store() {
        println!("skipped in a store: {reason}");
    }
    is_store()
}
