//! `MovePlace` names a file, a store or, for tests, a storage backend as the source or the target of a move. Made by users and `tracker-cli`,
//! resolved by `move_tasks/mod.rs`; checks that a path exists, and calls the user's function that connects to a store. `End` opens the place.

use std::{fmt, io, path::Path, sync::Arc};

use redb::StorageBackend;

use crate::{
    engine::Place,
    model::error::{ErrorKind, Result},
    storage::{file::Location, store::Store},
};

/// The source or the target of [`Options::move_tasks`](crate::Options::move_tasks).
pub struct MovePlace(pub(super) Named);

/// Connects to a store. Its argument is whether it may create the tables.
type Connect = Box<dyn FnOnce(bool) -> Result<Arc<dyn Store>> + Send>;

/// A place, or the way to it.
pub(super) enum Named {
    Place(Place),
    Later(Connect),
}

impl Named {
    /// The place, whose tables may be created if `creates` is set.
    pub(super) fn place(self, creates: bool) -> Result<Place> {
        match self {
            Self::Place(place) => Ok(place),
            Self::Later(connect) => connect(creates).map(Place::Store),
        }
    }

    /// The place, unless nothing is there. Creates nothing.
    pub(super) fn existing(self) -> Result<Option<Place>> {
        if self.path().is_some_and(|path| !path.exists()) {
            return Ok(None);
        }
        match self.place(false) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            place => place.map(Some),
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

    /// A store that a function connects to. As a target, it runs after the source was opened alone, so that a source that is missing or in use
    /// leaves no new tables.
    ///
    /// The function receives whether it may create the tables of the store. It may not for a source, and not for a target that a source which
    /// was moved already cannot go to. If there are no tables then, it returns an error with [`ErrorKind::NotFound`].
    ///
    /// # Examples
    /// ```
    /// use tracker_core::{ErrorKind, Tracker, maintenance::MovePlace, store::MemoryStore};
    ///
    /// let to = MovePlace::connect(|_| -> tracker_core::Result<MemoryStore> { unreachable!("the source is missing") });
    /// let refused = Tracker::options().move_tasks(MovePlace::file("missing.redb"), to, |_| ());
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::Io);
    /// ```
    pub fn connect<S: Store>(connect: impl FnOnce(bool) -> Result<S> + Send + 'static) -> Self {
        Self(Named::Later(Box::new(move |creates| Ok(Arc::new(connect(creates)?)))))
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
        Self(Named::Place(Place::File(Location::backend(make))))
    }
}
