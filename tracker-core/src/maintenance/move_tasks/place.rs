//! `MovePlace`: a file or a store, named as the source or the target of a move. Made by users and the CLI, opened by `End`; opens nothing
//! itself.

use std::{fmt, io, path::Path, sync::Arc};

use redb::StorageBackend;

use crate::{
    engine::Place,
    storage::{file::Location, store::Store},
};

/// The source or the target of [`Options::move_tasks`](crate::Options::move_tasks).
pub struct MovePlace(pub(super) Place);

impl MovePlace {
    /// Names a tracker file.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Place::File(Location::Path(path.as_ref().to_owned())))
    }

    /// Names a store, such as a server. It is closed at the end of the call.
    #[must_use]
    pub fn store(store: impl Store) -> Self {
        Self(Place::Store(Arc::new(store)))
    }
}

impl fmt::Debug for MovePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(location) => f.debug_tuple("MovePlace").field(&location.name()).finish(),
            Place::Store(store) => f.debug_tuple("MovePlace").field(&store.name()).finish(),
        }
    }
}

/// Adds storage backends of redb to [`MovePlace`].
pub trait MovePlaceExt {
    /// A storage backend, for tests that inject faults. Each call of `make` must return a handle to the same bytes.
    fn backend(make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static) -> Self;
}

impl MovePlaceExt for MovePlace {
    fn backend(make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static) -> Self {
        Self(Place::File(Location::Backend(Arc::new(make))))
    }
}
