//! `free_leases` ends the leases of processes that are gone, in a file or a store that no tracker has open. Called by
//! `maintenance/move_tasks` before it copies; reads the user's clock, and writes in one commit.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    action::{Action, Rescue, Scope},
    conflict_retry::ConflictRetry,
    database::{Database, store_time},
    run_log,
    writer::{Context, Writer},
};
use crate::{
    model::{
        error::{Error, Result},
        kinds::Kinds,
        time::TimeKeeper,
    },
    storage::file::catch_redb_panic,
};

/// Ends the leases in a file or a store that no tracker has open, as the open of a file does. Those of tickets stay.
pub(crate) fn free_leases(database: &Database, time: &TimeKeeper) -> Result<()> {
    let instance = Uuid::new_v4();
    let mut retry = ConflictRetry::default();
    for batch in 1.. {
        let freed = database.write(false, (instance, batch), &[], |source| {
            catch_redb_panic("freeing tasks", || {
                let context = Context {
                    instance,
                    held: Arc::default(),
                    is_subscribed: false,
                    lists_ends: false,
                    run_log_enabled: run_log::enabled_level(),
                    known: 0,
                };
                let now = |clock_floor| store_time(source).unwrap_or_else(|| time.now(clock_floor));
                let mut writer = Writer::begin(source, context, &Arc::new(Kinds::default()), now)?;
                Rescue { kind: None, scope: Scope::Foreign }.run(&mut writer)?;
                let (is_changed, _) = writer.finish(batch)?;
                Ok::<_, Error>((is_changed, ()))
            })
        });
        match freed {
            Err(error) if retry.should_retry(&error) => {}
            freed => return freed.map(drop),
        }
    }
    Ok(())
}
