//! Tells the time of an engine: that of the store, or that of a clock of this process. At the open it takes over the time of the store, or starts no
//! earlier than that of the file; `group_commit` does so again at each write. Also refuses to open a shared file or store for writing while tasks are
//! moved from it or to it. Called by `engine`, `api` and `worker`; reads the clock, which may be the user's, and at the open the file state.

use super::{Engine, database::store_time};
use crate::{
    model::{error::Result, time::Micros},
    storage::tables::{Reading, Source, Tables},
};

impl Engine {
    /// The time now, never before that of the file or store.
    pub(super) fn see_time<S: Source>(&self, rows: &mut Tables<S>) -> Result<Micros> {
        match store_time(rows.source()) {
            Some(now) => Ok(self.time.follow(now)),
            None => Ok(self.time.now(rows.file_state()?.clock_floor)),
        }
    }

    /// Takes over the time of a file or store that was just opened, and refuses to write to one from which or to which tasks are moved.
    pub(super) fn see_open(&self, rows: &mut Tables<Reading<'_>>) -> Result<()> {
        // The move may have begun before the kinds were read. One that begins later changes the schema, which the writer notices.
        if !self.database.is_read_only() && self.is_shared_by_writers() {
            rows.refuse_while_moving()?;
        }
        self.see_time(rows).map(drop)
    }

    /// The time now, for reads: never before a time that was returned.
    pub(crate) fn now(&self) -> Micros {
        self.time.now(Micros::MIN)
    }
}
