//! `PortableSchedule` is a schedule as a JSON line. Used by `line`, `export` and `import`; `put` writes through `Writer`.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use crate::{
    api::shared::Shared,
    engine::Writer,
    model::{
        bounds::{TEXT, check_schedule_name},
        error::{Error, Result},
        kinds::Kinds,
        schedule::{
            CatchUp, Overlap,
            row::{Counters, Definition, OCCURRENCES, ScheduleRow, Timing},
        },
        time::Micros,
    },
};

/// The line of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableSchedule {
    /// The name.
    pub add_schedule: String,
    pub kind: String,
    pub timing: PortableTiming,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_us: Micros,
    #[serde(default)]
    pub catch_up: PortableCatchUp,
    #[serde(default)]
    pub overlap: PortableOverlap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// When its definition was stored; the time of the import if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Occurrences before this are not submitted any more; `"never"` after the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    #[serde(default)]
    pub submitted: u64,
    #[serde(default)]
    pub missed: u64,
    #[serde(default)]
    pub overlapped: u64,
    #[serde(default)]
    pub failed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Timestamp>,
}

/// When its occurrences are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PortableTiming {
    Cron { expression: String, time_zone: String },
    EveryUs(Micros),
    Dates(Vec<Timestamp>),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PortableCatchUp {
    Skip,
    #[default]
    Latest,
    All(u32),
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PortableOverlap {
    #[default]
    Skip,
    QueueOne,
    CancelEarlier,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(micros: &Micros) -> bool {
    *micros == 0
}

fn stamps(times: &[Micros]) -> Vec<Timestamp> {
    times.iter().copied().map(Timestamp).collect()
}

fn micros(stamps: Vec<Timestamp>) -> Vec<Micros> {
    stamps.into_iter().map(|stamp| stamp.0).collect()
}

#[cfg(feature = "schedules")]
fn checked(definition: Definition) -> Result<Definition> {
    crate::model::schedule::definition::Schedule::from_outside(definition).checked_definition()
}

/// A program without schedules cannot read cron expressions.
#[cfg(not(feature = "schedules"))]
fn checked(definition: Definition) -> Result<Definition> {
    definition.check_ranges().map(|()| definition)
}

impl PortableSchedule {
    pub(super) fn of(kinds: &Kinds, name: String, row: ScheduleRow) -> Self {
        let Definition { timing, jitter, catch_up, overlap } = row.definition;
        let Counters { submitted, missed, overlapped, failed } = row.counters;
        Self {
            add_schedule: name,
            kind: kinds.get(row.kind).map_or_else(|| row.kind.to_string(), |kind| kind.name.clone()),
            timing: match timing {
                Timing::Cron { expression, zone } => PortableTiming::Cron { expression, time_zone: zone },
                Timing::Every(period) => PortableTiming::EveryUs(period),
                Timing::Dates(dates) => PortableTiming::Dates(stamps(&dates)),
            },
            jitter_us: jitter,
            catch_up: match catch_up {
                CatchUp::Skip => PortableCatchUp::Skip,
                CatchUp::Latest => PortableCatchUp::Latest,
                CatchUp::All { max } => PortableCatchUp::All(max),
            },
            overlap: match overlap {
                Overlap::Skip => PortableOverlap::Skip,
                Overlap::QueueOne => PortableOverlap::QueueOne,
                Overlap::CancelEarlier => PortableOverlap::CancelEarlier,
            },
            template: row.template,
            since: Some(Timestamp(row.anchor)),
            next: Some(Timestamp(row.next.unwrap_or(Micros::MAX))),
            paused: row.paused,
            submitted,
            missed,
            overlapped,
            failed,
            last_error: row.last_error,
            recent: stamps(&row.recent),
            unfinished: stamps(&row.unfinished),
        }
    }

    /// Stores the schedule, unless the file has one of this name. Returns whether it is new.
    pub(super) fn put(self, writer: &mut Writer<'_>, shared: &Shared) -> Result<bool> {
        let name = self.add_schedule.clone();
        check_schedule_name(&name)?;
        let kind = writer.kinds().find(|kind| kind.name == self.kind);
        let kind = kind.ok_or_else(|| {
            let what =
                format!("the file has no kind {:?} of the schedule {name:?}: put its definition before", self.kind);
            Error::invalid(what)
        })?;
        if writer.rows().schedule(&name)?.is_some() {
            return Ok(false);
        }
        let row = self
            .row(kind.id, writer.now(), shared)
            .map_err(|error| Error::invalid(format!("the schedule {name:?}: {error}")))?;
        writer.put_schedule(&name, &row)?;
        Ok(true)
    }

    fn row(self, kind: u32, now: Micros, shared: &Shared) -> Result<ScheduleRow> {
        let timing = match self.timing {
            PortableTiming::Cron { expression, time_zone } => Timing::Cron { expression, zone: time_zone },
            PortableTiming::EveryUs(period) => Timing::Every(period),
            PortableTiming::Dates(dates) => {
                let mut dates = micros(dates);
                dates.sort_unstable();
                dates.dedup();
                Timing::Dates(dates)
            }
        };
        let catch_up = match self.catch_up {
            PortableCatchUp::Skip => CatchUp::Skip,
            PortableCatchUp::Latest => CatchUp::Latest,
            PortableCatchUp::All(max) => CatchUp::All { max },
        };
        let overlap = match self.overlap {
            PortableOverlap::Skip => Overlap::Skip,
            PortableOverlap::QueueOne => Overlap::QueueOne,
            PortableOverlap::CancelEarlier => Overlap::CancelEarlier,
        };
        if self.recent.len() > OCCURRENCES || self.unfinished.len() > OCCURRENCES {
            return Err(Error::invalid(format!("it lists more than {OCCURRENCES} occurrences")));
        }
        let anchor = self.since.map_or(now, |since| since.0.min(now));
        let definition = Definition { timing, jitter: self.jitter_us, catch_up, overlap };
        let definition = checked(definition)?;
        let next = self.next.map_or(Some(now), |next| (next.0 != Micros::MAX).then_some(next.0));
        Ok(ScheduleRow {
            paused: self.paused,
            counters: Counters {
                submitted: self.submitted,
                missed: self.missed,
                overlapped: self.overlapped,
                failed: self.failed,
            },
            last_error: self.last_error.map(|error| shared.text(error, TEXT)),
            recent: micros(self.recent),
            unfinished: micros(self.unfinished),
            ..ScheduleRow::new(kind, definition, self.template, anchor, next)
        })
    }
}
