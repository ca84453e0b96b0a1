//! `OccurrenceRecord` is an occurrence that a schedule submitted, with the status of its task. Made for `ScheduleHandle::occurrences`, read by
//! users, `tracker-cli` and `tracker-web`; reads rows, and writes nothing.

use chrono::{DateTime, Utc};

use crate::{
    model::{
        error::Result,
        kind::Kind,
        schedule::{occurrence::Occurrence, row::ScheduleRow},
        status::StatusInfo,
        task::{TaskId as _, TaskKey},
        time::utc,
    },
    storage::tables::{Source, Tables},
};

/// An occurrence that was submitted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OccurrenceRecord {
    /// The nominal time.
    pub scheduled_at: DateTime<Utc>,
    /// The id of its task; `None` if the task was deleted.
    pub id: Option<TaskKey>,
    /// The status of its task; `None` if the task was deleted.
    pub status: Option<StatusInfo>,
}

/// The latest occurrences, the latest first.
pub(super) fn latest<S: Source>(
    rows: &mut Tables<S>,
    name: &str,
    row: &ScheduleRow,
    kind: &Kind,
    most: usize,
) -> Result<Vec<OccurrenceRecord>> {
    row.recent.iter().rev().take(most).map(|nominal| record(rows, kind, &Occurrence::new(name, *nominal))).collect()
}

fn record<S: Source>(rows: &mut Tables<S>, kind: &Kind, occurrence: &Occurrence) -> Result<OccurrenceRecord> {
    // The id is a text or a UUID, by the type of the kind.
    for id in [occurrence.id().to_key(), occurrence.uuid().to_key()] {
        let Some(task) = rows.with_id(kind.id, &id)? else { continue };
        let header = rows.header(task)?;
        let status = header.and_then(|header| kind.graph.status(header.code).cloned());
        return Ok(OccurrenceRecord { scheduled_at: occurrence.scheduled_at(), id: Some(id), status });
    }
    Ok(OccurrenceRecord { scheduled_at: utc(occurrence.nominal()), id: None, status: None })
}
