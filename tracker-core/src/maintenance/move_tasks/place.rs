//! `MovePlace` names a file or a store as the source or the target of a move. Made by users and `tracker-cli`, opened by `End`; opens
//! nothing itself.

use std::{fmt, io, path::Path, sync::Arc};

use redb::StorageBackend;

use crate::{
    engine::Place,
    model::error::Result,
    storage::{file::Location, store::Store},
};

/// The source or the target of [`Options::move_tasks`](crate::Options::move_tasks).
pub struct MovePlace(pub(super) Named);

/// Connects to a store.
type Connect = Box<dyn FnOnce() -> Result<Arc<dyn Store>> + Send>;

/// A place, or the way to it.
pub(super) enum Named {
    Place(Place),
    Later(Connect),
}

impl Named {
    pub(super) fn place(self) -> Result<Place> {
        match self {
            Self::Place(place) => Ok(place),
            Self::Later(connect) => connect().map(Place::Store),
        }
    }

    /// The path of a file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Place(Place::File(Location::Path(path))) => Some(path),
            _ => None,
        }
    }
}

impl MovePlace {
    /// Names a tracker file.
    #[must_use]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Named::Place(Place::File(Location::Path(path.as_ref().to_owned()))))
    }

    /// Names a store, such as a server. It is closed at the end of the call.
    #[must_use]
    pub fn store(store: impl Store) -> Self {
        Self(Named::Place(Place::Store(Arc::new(store))))
    }

    /// A store that a function connects to. It runs after the source was opened alone, so that a source that is missing or in use leaves no new
    /// tables in the target.
    ///
    /// # Examples
    /// ```
    /// use tracker_core::{ErrorKind, Tracker, maintenance::MovePlace, store::MemoryStore};
    ///
    /// let to = MovePlace::connect(|| -> tracker_core::Result<MemoryStore> { unreachable!("the source is missing") });
    /// let refused = Tracker::options().move_tasks(MovePlace::file("missing.redb"), to, |_| ());
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::Io);
    /// ```
    pub fn connect<S: Store>(connect: impl FnOnce() -> Result<S> + Send + 'static) -> Self {
        Self(Named::Later(Box::new(move || Ok(Arc::new(connect()?)))))
    }
}

impl fmt::Debug for MovePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Named::Place(Place::File(location)) => f.debug_tuple("MovePlace").field(&location.name()).finish(),
            Named::Place(Place::Store(store)) => f.debug_tuple("MovePlace").field(&store.name()).finish(),
            Named::Later(_) => f.debug_struct("MovePlace").finish_non_exhaustive(),
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
        Self(Named::Place(Place::File(Location::Backend(Arc::new(make)))))
    }
}
