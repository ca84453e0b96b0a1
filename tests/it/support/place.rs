//! Where the trackers of a test are: in files and in memory of redb, or with `TRACKER_TEST_STORE=memory` in stores in memory, or with
//! `TRACKER_TEST_STORE=postgres` in the server of `TRACKER_TEST_URL`. A test that asks for the same path twice finds the same tasks.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    process,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tracker_core::{
    Options, Result, Tracker,
    store::{MemoryStore, OptionsExt},
};
use tracker_postgres::{PostgresOptions, PostgresStore};

/// The stores in memory that stand for files, by path.
static STORES: LazyLock<Mutex<HashMap<PathBuf, MemoryStore>>> = LazyLock::new(Mutex::default);

/// The schemas of the server that stand for files, by path.
static SCHEMAS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
static NEXT_SCHEMA: AtomicUsize = AtomicUsize::new(0);

/// Which stores the tests use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    Memory,
    Postgres,
}

fn place() -> Place {
    match env::var("TRACKER_TEST_STORE").as_deref() {
        Ok("memory") => Place::Memory,
        Ok("postgres") => Place::Postgres,
        _ => Place::File,
    }
}

/// Whether the trackers of the tests are in stores.
pub(crate) fn is_store() -> bool {
    place() != Place::File
}

fn new_schema() -> String {
    format!("t{}_{}", process::id(), NEXT_SCHEMA.fetch_add(1, Ordering::Relaxed))
}

/// A store in a schema of the server. The clocks of the tests count, not the server's.
fn server(schema: String) -> Result<PostgresStore> {
    let url = env::var("TRACKER_TEST_URL").unwrap();
    PostgresStore::connect(&PostgresOptions::new(&url)?.schema(schema).connections(4).client_clock(true))
}

fn memory_at(path: &Path) -> MemoryStore {
    STORES.lock().unwrap().entry(path.to_owned()).or_default().clone()
}

fn server_at(path: &Path) -> Result<PostgresStore> {
    let schema = SCHEMAS.lock().unwrap().entry(path.to_owned()).or_insert_with(new_schema).clone();
    server(schema)
}

/// Opens a tracker where the tests of this run keep theirs.
pub(crate) trait OpenInPlace {
    fn open_at(self, path: impl AsRef<Path>) -> Result<Tracker>;
    fn inspect_at(self, path: impl AsRef<Path>) -> Result<Tracker>;
    fn open_memory(self) -> Result<Tracker>;
}

impl OpenInPlace for Options {
    fn open_at(self, path: impl AsRef<Path>) -> Result<Tracker> {
        match place() {
            Place::File => self.open(path),
            Place::Memory => self.open_store(memory_at(path.as_ref())),
            Place::Postgres => self.open_store(server_at(path.as_ref())?),
        }
    }

    fn inspect_at(self, path: impl AsRef<Path>) -> Result<Tracker> {
        match place() {
            Place::File => self.inspect(path),
            Place::Memory => self.inspect_store(memory_at(path.as_ref())),
            Place::Postgres => self.inspect_store(server_at(path.as_ref())?),
        }
    }

    fn open_memory(self) -> Result<Tracker> {
        match place() {
            Place::File => self.in_memory(),
            Place::Memory => self.open_store(MemoryStore::new()),
            Place::Postgres => self.open_store(server(new_schema())?),
        }
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
