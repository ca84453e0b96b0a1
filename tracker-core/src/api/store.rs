//! Opening a tracker on a store beside the file. Called by users and by the crates of stores.

use std::sync::Arc;

use crate::{
    api::{options::Options, tracker::Tracker},
    engine::Place,
    model::error::Result,
    storage::store::Store,
};

/// Adds stores to [`Options`].
pub trait OptionsExt {
    /// Opens a tracker on a store. The options of files have no effect.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the store cannot be reached.
    fn open_store(self, store: impl Store) -> Result<Tracker>;

    /// Opens a tracker on a store only to look at it.
    ///
    /// # Errors
    /// As [`OptionsExt::open_store`].
    fn inspect_store(self, store: impl Store) -> Result<Tracker>;
}

impl OptionsExt for Options {
    fn open_store(self, store: impl Store) -> Result<Tracker> {
        self.start(Place::Store(Arc::new(store)), false)
    }

    fn inspect_store(self, store: impl Store) -> Result<Tracker> {
        self.start(Place::Store(Arc::new(store)), true)
    }
}
