//! Where the trackers of a test are: in files and in memory of redb; with `TRACKER_TEST_STORE=memory` in stores in memory; or with
//! `TRACKER_TEST_STORE=postgres` and the feature `postgres` in the server of `TRACKER_TEST_URL`. A test that asks for the same path twice finds
//! the same tasks.

use std::{
    collections::HashMap,
    env,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
};

use tracker_core::{
    Options, Result, Tracker,
    maintenance::MovePlace,
    store::{MemoryStore, OptionsExt},
};

/// Which stores the tests use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    Memory,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// The stores in memory that stand for files, by path.
static STORES: LazyLock<Mutex<HashMap<PathBuf, MemoryStore>>> = LazyLock::new(Mutex::default);

fn place() -> Place {
    match env::var("TRACKER_TEST_STORE").as_deref() {
        Ok("memory") => Place::Memory,
        #[cfg(feature = "postgres")]
        Ok("postgres") => Place::Postgres,
        Ok(other) => panic!("TRACKER_TEST_STORE={other}: expected memory, or postgres with the feature postgres"),
        Err(_) => Place::File,
    }
}

/// Whether the trackers of the tests are in stores.
pub(crate) fn is_store() -> bool {
    place() != Place::File
}

fn memory_at(path: &Path) -> MemoryStore {
    STORES.lock().unwrap().entry(path.to_owned()).or_default().clone()
}

/// Schemas of a server.
#[cfg(feature = "postgres")]
mod server {
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

    use tracker_core::Result;
    use tracker_postgres::{PostgresOptions, PostgresStore};

    /// The schemas that stand for files, by path.
    static SCHEMAS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
    static NEXT_SCHEMA: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn new_schema() -> String {
        format!("t{}_{}", process::id(), NEXT_SCHEMA.fetch_add(1, Ordering::Relaxed))
    }

    /// A store in a schema of the server. The clocks of the tests count, not the server's.
    pub(super) fn in_schema(schema: String) -> Result<PostgresStore> {
        let url = env::var("TRACKER_TEST_URL")
            .unwrap_or_else(|_| panic!("set TRACKER_TEST_URL, as tracker-postgres/with_server does"));
        // The connections of a pool between change with each transaction.
        let prepares = env::var_os("TRACKER_PGBOUNCER").is_none();
        let options = PostgresOptions::new(&url)?.schema(schema).connections(4).client_clock(true);
        PostgresStore::connect(&options.prepared_statements(prepares))
    }

    pub(super) fn new() -> Result<PostgresStore> {
        in_schema(new_schema())
    }

    pub(super) fn at(path: &Path) -> Result<PostgresStore> {
        let schema = SCHEMAS.lock().unwrap().entry(path.to_owned()).or_insert_with(new_schema).clone();
        in_schema(schema)
    }
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
            #[cfg(feature = "postgres")]
            Place::Postgres => self.open_store(server::at(path.as_ref())?),
        }
    }

    fn inspect_at(self, path: impl AsRef<Path>) -> Result<Tracker> {
        match place() {
            Place::File => self.inspect(path),
            Place::Memory => self.inspect_store(memory_at(path.as_ref())),
            #[cfg(feature = "postgres")]
            Place::Postgres => self.inspect_store(server::at(path.as_ref())?),
        }
    }

    fn open_memory(self) -> Result<Tracker> {
        match place() {
            Place::File => self.in_memory(),
            Place::Memory => self.open_store(MemoryStore::new()),
            #[cfg(feature = "postgres")]
            Place::Postgres => self.open_store(server::new()?),
        }
    }
}

/// An empty store that a test opens several times: in the server with `TRACKER_TEST_STORE=postgres`, otherwise in memory.
#[derive(Clone, Debug)]
pub(crate) enum TestStore {
    Memory(MemoryStore),
    #[cfg(feature = "postgres")]
    Schema(String),
}

impl TestStore {
    pub(crate) fn new() -> Self {
        match place() {
            #[cfg(feature = "postgres")]
            Place::Postgres => Self::Schema(server::new_schema()),
            _ => Self::Memory(MemoryStore::new()),
        }
    }

    pub(crate) fn open(&self, options: Options) -> Result<Tracker> {
        match self {
            Self::Memory(store) => options.open_store(store.clone()),
            #[cfg(feature = "postgres")]
            Self::Schema(schema) => options.open_store(server::in_schema(schema.clone())?),
        }
    }

    pub(crate) fn inspect(&self, options: Options) -> Result<Tracker> {
        match self {
            Self::Memory(store) => options.inspect_store(store.clone()),
            #[cfg(feature = "postgres")]
            Self::Schema(schema) => options.inspect_store(server::in_schema(schema.clone())?),
        }
    }

    pub(crate) fn place(&self) -> MovePlace {
        match self {
            Self::Memory(store) => MovePlace::store(store.clone()),
            #[cfg(feature = "postgres")]
            Self::Schema(schema) => MovePlace::store(server::in_schema(schema.clone()).unwrap()),
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
