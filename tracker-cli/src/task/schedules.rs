//! The schedules of a file in `tracker status` and `tracker top`, and their problems for `tracker doctor`. Reads the tracker.

use std::io;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tracker_core::schedule::ScheduleInfo;

use crate::output::{TextStyle, TextWriter, number, time};

/// An occurrence that is due for longer than this is overdue.
const OVERDUE: TimeDelta = TimeDelta::minutes(2);

#[derive(Serialize)]
pub struct SchedulesStatus {
    count: u64,
    paused: u64,
    /// The occurrence that is submitted next.
    next: Option<NextOccurrence>,
    problems: Vec<ScheduleProblem>,
}

#[derive(Serialize)]
struct NextOccurrence {
    schedule: String,
    starts_at: DateTime<Utc>,
}

/// A schedule that needs attention.
#[derive(Serialize)]
pub struct ScheduleProblem {
    pub schedule: String,
    pub kind: String,
    pub what: &'static str,
    pub text: String,
}

impl ScheduleProblem {
    /// The problems of all schedules.
    pub fn all(schedules: &[ScheduleInfo], now: DateTime<Utc>) -> Vec<Self> {
        schedules.iter().filter_map(|schedule| Self::of(schedule, now)).collect()
    }

    fn of(schedule: &ScheduleInfo, now: DateTime<Utc>) -> Option<Self> {
        let name = &schedule.name;
        let overdue = schedule.starts_at.filter(|start| !schedule.paused && now - *start > OVERDUE);
        let (what, text) = if let Some(start) = overdue {
            let text = format!(
                "the schedule {name:?} is due since {}, and no program submits its occurrences: start the program that defines the kind {:?}",
                time::local(start),
                schedule.kind
            );
            ("schedule_overdue", text)
        } else {
            let error = schedule.last_error.as_ref()?;
            let failed = number::counted(schedule.failed, "occurrence", "occurrences");
            (
                "schedule_failed",
                format!("{failed} of the schedule {name:?} could not be submitted, the last one: {error}"),
            )
        };
        Some(Self { schedule: name.clone(), kind: schedule.kind.clone(), what, text })
    }
}

impl SchedulesStatus {
    pub fn of(schedules: &[ScheduleInfo], now: DateTime<Utc>) -> Option<Self> {
        if schedules.is_empty() {
            return None;
        }
        let running = schedules.iter().filter(|schedule| !schedule.paused);
        let starts = running.filter_map(|schedule| Some((schedule.starts_at?, schedule.name.as_str())));
        Some(Self {
            count: schedules.len() as u64,
            paused: schedules.iter().filter(|schedule| schedule.paused).count() as u64,
            next: starts.min().map(|(starts_at, name)| NextOccurrence { schedule: name.to_owned(), starts_at }),
            problems: ScheduleProblem::all(schedules, now),
        })
    }

    /// The number of schedules, and the paused ones with the next occurrence: `3 schedules`, `, 1 paused, next nightly in 2h`.
    pub fn summary(&self, now: DateTime<Utc>) -> (String, String) {
        let paused = if self.paused > 0 { format!(", {} paused", self.paused) } else { String::new() };
        let next = self.next.as_ref().map_or_else(String::new, |next| {
            format!(", next {} {}", next.schedule, time::relative(next.starts_at, now))
        });
        (number::counted(self.count, "schedule", "schedules"), format!("{paused}{next}"))
    }

    /// The number of schedules that need attention.
    pub fn problems(&self) -> u64 {
        self.problems.len() as u64
    }

    pub fn write(&self, out: &mut TextWriter<'_>, now: DateTime<Utc>) -> io::Result<()> {
        let (count, rest) = self.summary(now);
        out.text(TextStyle::Strong, &count)?;
        out.line(TextStyle::Plain, &rest)?;
        for problem in &self.problems {
            out.line(TextStyle::Warn, &format!("! {}", problem.text))?;
        }
        Ok(())
    }
}
