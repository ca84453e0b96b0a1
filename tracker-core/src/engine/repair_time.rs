//! Sets back the time of a file that a wrong clock set ahead. Called by `maintenance/time_repair` on a file without an engine; writes in
//! one commit.

use uuid::Uuid;

use super::database::FileDatabase;
use crate::{
    model::{
        error::{Error, Result},
        time::Micros,
        transition::TimeShift,
    },
    storage::{file::catch_redb_panic, tables::Tables, write::retime::Redated},
};

/// The result of a repair.
pub(crate) struct Retimed {
    pub before: Micros,
    pub after: Micros,
    pub tasks: u64,
    pub redated: Vec<Redated>,
}

/// The highest number of tasks with another due time that the result names.
const NAMED: usize = 1_000;

/// Sets the time of a file to `now` if it is later, in one commit with all later times in its rows. No other process may have the file
/// open.
pub(crate) fn repair_time(database: &FileDatabase, now: Micros) -> Result<Retimed> {
    let instance = Uuid::new_v4();
    database.write(true, (instance, 1), |txn| {
        catch_redb_panic("repairing the time", || {
            let mut rows = Tables::new(txn);
            let mut state = rows.file_state()?;
            let before = state.clock_floor;
            let ahead = rows.times_ahead(now)?;
            if before <= now && ahead.is_empty() {
                return Ok((false, Retimed { before, after: before, tasks: 0, redated: Vec::new() }));
            }
            let shift = TimeShift::keeping_order(now, ahead);
            let (tasks, redated) = rows.retime(&shift, NAMED)?;
            state.clock_floor = shift.end();
            (state.instance, state.batch) = (instance, 1);
            let change = state.change.checked_add(1);
            state.change = change
                .ok_or_else(|| Error::corrupted("tracker.meta", "file_state", "its change number is at its end"))?;
            rows.put_file_state(&state)?;
            Ok((true, Retimed { before, after: state.clock_floor, tasks, redated }))
        })
    })
}
