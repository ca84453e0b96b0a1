//! Registers schedules, each with the function that builds its tasks (`Tasks::schedule`) or a stored template (`Tracker::add_schedule`);
//! `ScheduleHandle` inspects and changes one. Called by users, `tracker-cli`, `tracker-web`, `api/live/perform` and `api/tracker`; reads rows, writes
//! through `Engine`, and starts the thread for schedules. `run_now` and `submit_due_occurrences` run the user's code on the thread of their caller.

mod builder;
mod history;
mod info;
mod scheduler;
mod start_times;

use builder::Builder;
pub use history::OccurrenceRecord;
pub use info::ScheduleInfo;
pub(crate) use scheduler::Scheduler;

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    api::{shared::Shared, tasks::Tasks, tracker::Tracker},
    engine::{ChangeSchedule, RegisterSchedule, ScheduleCommand, unknown_schedule},
    model::{
        bounds::check_schedule_name,
        error::{Error, ErrorKind, Result},
        payload::Payload,
        schedule::{
            definition::Schedule,
            occurrence::Occurrence,
            row::ScheduleRow,
            timing::{Calendar, upcoming},
        },
        task::{TaskKey, TrackedTask, ValueType},
    },
};

impl<T: TrackedTask> Tasks<T> {
    /// Registers a schedule and the function that builds the task of each occurrence, and returns its handle. Call it at each start of
    /// the program: the schedule and its state are stored in the file, the function is not.
    ///
    /// While the tracker is open, each occurrence is submitted when it is due, in the commit that advances the schedule: several
    /// processes and a restart make one task of it. Its id is [`Occurrence::id`] if ids are text and [`Occurrence::uuid`] if they
    /// are UUIDs; `build` sets it, unless the kind has generated ids. Occurrences that were missed while no program ran are caught up
    /// as [`Schedule::catch_up`] says.
    ///
    /// `build` runs on a thread for schedules, or on the thread that calls [`ScheduleHandle::run_now`] or [`Tracker::submit_due_occurrences`], outside of
    /// transactions and locks. It may run more than once for an occurrence. If it panics or gives another id, its occurrence is skipped, counted
    /// and logged at `WARN`. [`Tracker::close`] waits while it runs. A handle that it owns keeps the tracker open.
    ///
    /// A schedule of this name that the file has already keeps its position, its pause and its counters; a changed definition takes
    /// effect from the next occurrence.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use std::time::Duration;
    /// # use tracker_core::{Tracker, schedule::Schedule, time::ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::at("2026-11-29T12:00:00Z".parse()?);
    /// let tracker = Tracker::options().clock(clock.clone()).in_memory()?;
    /// let jobs = tracker.tasks::<Job>()?;
    /// let nightly = Schedule::cron("0 3 * * *")?.time_zone("Europe/Berlin")?;
    /// let schedule = jobs.schedule("nightly", &nightly, |occurrence| job(&occurrence.id()))?;
    /// assert_eq!(schedule.next_runs(1)?[0].to_string(), "2026-11-30 02:00:00 UTC");
    ///
    /// clock.advance(Duration::from_secs(86_400));
    /// tracker.submit_due_occurrences()?;
    /// assert!(jobs.get("nightly@2026-11-30T02:00:00Z")?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is empty or longer than 128 bytes, or if ids of the kind are integers or byte strings.
    /// [`ErrorKind::SchemaMismatch`] if a schedule of this name makes tasks of another kind. Or a [storage error](crate::ErrorKind#storage-errors).
    pub fn schedule(
        &self,
        name: &str,
        schedule: &Schedule,
        build: impl Fn(&Occurrence) -> T + Send + Sync + 'static,
    ) -> Result<ScheduleHandle> {
        if let Some(other @ (ValueType::Integer | ValueType::Bytes | ValueType::Optional)) = T::id_type() {
            return Err(Error::invalid(format!(
                "the schedule {name:?} cannot make tasks of kind {:?}: an id is {} there, and the id of an occurrence is a text or a UUID",
                self.name(),
                other.one()
            )));
        }
        let builder = builder::from_function(build);
        store(&self.shared, name, self.kind_id(), schedule, Source::Program(builder))
    }
}

impl Tracker {
    /// Stores a schedule as data: the payload of each occurrence is a template, whose texts may contain `{scheduled_at}`, `{id}`,
    /// `{uuid}` and `{schedule}`. Its occurrences are submitted by each program that has opened the kind as its type.
    ///
    /// A schedule of this name that the file has already keeps its position, its pause and its counters.
    ///
    /// # Errors
    /// - As [`Tasks::schedule`].
    /// - [`ErrorKind::Invalid`] if the template is not one value of JSON.
    /// - [`ErrorKind::NotFound`] if the file has no such kind.
    pub fn add_schedule(&self, name: &str, kind: &str, schedule: &Schedule, template: &str) -> Result<ScheduleHandle> {
        Payload::from_json(template)?;
        let kinds = self.shared.engine.stored_kinds()?;
        let stored = kinds.by_name(kind).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the file has no kind {kind:?}: run the program that defines it first"),
            )
        })?;
        store(&self.shared, name, stored.id, schedule, Source::Template(template.to_owned()))
    }

    /// Returns the schedules of the file, in the order of their names.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn schedules(&self) -> Result<Vec<ScheduleInfo>> {
        self.schedules_after(None, usize::MAX)
    }

    /// Returns a page of a long list: at most `most` schedules after a name, in the order of their names.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn schedules_after(&self, after: Option<&str>, most: usize) -> Result<Vec<ScheduleInfo>> {
        self.shared.engine.read(|rows| {
            let kinds = rows.all_kinds()?;
            let found = rows.schedules_after(after, most)?.into_iter();
            found.map(|(name, row)| Ok(ScheduleInfo::new(&kinds, name, row?))).collect()
        })
    }

    /// Returns the schedule of this name, if there is one.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn schedule(&self, name: &str) -> Result<Option<ScheduleHandle>> {
        let found = self.shared.engine.read(|rows| rows.schedule(name))?;
        Ok(found.map(|_| ScheduleHandle { shared: self.shared.clone(), name: name.into() }))
    }

    /// Submits the occurrences that are due now, and returns when they are stored. The tracker does this by itself; tests that set the
    /// clock call it to know when it is done.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn submit_due_occurrences(&self) -> Result<()> {
        let Shared { engine, schedules, redact, .. } = &*self.shared;
        engine.refuse_inside_transaction()?;
        schedules.submit_all_due(engine, redact.as_ref())
    }
}

/// Where the tasks of a schedule come from.
enum Source {
    Program(Builder),
    Template(String),
}

/// Stores a schedule, then registers its builder, so that a name that belongs to another kind is refused before.
fn store(shared: &Arc<Shared>, name: &str, kind: u32, schedule: &Schedule, source: Source) -> Result<ScheduleHandle> {
    check_schedule_name(name)?;
    let definition = schedule.checked_definition()?;
    // Intervals count from here.
    let anchor = shared.engine.now();
    let first = Calendar::of(&definition.timing, anchor)?.next(anchor);
    let (builder, template) = match source {
        Source::Program(builder) => (Some(builder), None),
        Source::Template(template) => (None, Some(template)),
    };
    let row =
        shared.engine.call(RegisterSchedule { name: name.to_owned(), kind, definition, template, anchor, first })?;
    if let Some(builder) = builder {
        shared.schedules.add_builder(name, builder);
    }
    shared.schedules.update(&shared.engine, shared.redact.as_ref(), name, Some(&row))?;
    Ok(ScheduleHandle { shared: shared.clone(), name: name.into() })
}

/// One schedule of an open tracker. Cheap to clone.
#[derive(Clone)]
pub struct ScheduleHandle {
    shared: Arc<Shared>,
    name: Arc<str>,
}

impl ScheduleHandle {
    /// Returns the name of the schedule.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the schedule as it is stored.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it was removed; or a [storage error](crate::ErrorKind#storage-errors).
    pub fn info(&self) -> Result<ScheduleInfo> {
        self.shared.engine.read(|rows| {
            let kinds = rows.all_kinds()?;
            let row = rows.schedule(&self.name)?.ok_or_else(|| unknown_schedule(&self.name))?;
            Ok(ScheduleInfo::new(&kinds, self.name.to_string(), row))
        })
    }

    fn row(&self) -> Result<ScheduleRow> {
        self.shared.engine.read(|rows| rows.schedule(&self.name))?.ok_or_else(|| unknown_schedule(&self.name))
    }

    /// Returns the next `count` nominal times. Fewer after the last one. Occurrences that are due and not submitted yet are not among them.
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn next_runs(&self, count: usize) -> Result<Vec<DateTime<Utc>>> {
        let row = self.row()?;
        let calendar = Calendar::of(&row.definition.timing, row.anchor)?;
        let now = self.shared.engine.now();
        Ok(row.next.map_or_else(Vec::new, |next| upcoming(&calendar, now.max(next.saturating_sub(1)), count)))
    }

    /// Returns up to `most` occurrences that were submitted, the latest first. The file keeps at most 100.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Tracker, schedule::Schedule};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// let schedule = jobs.schedule("nightly", &Schedule::cron("0 3 * * *")?, |occurrence| job(&occurrence.id()))?;
    /// let id = schedule.run_now()?;
    /// let latest = &schedule.occurrences(10)?[0];
    /// assert_eq!(latest.id, Some(id));
    /// assert_eq!(latest.status.as_ref().map(|status| status.name.as_str()), Some("Pending"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn occurrences(&self, most: usize) -> Result<Vec<OccurrenceRecord>> {
        self.shared.engine.read(|rows| {
            let row = rows.schedule(&self.name)?.ok_or_else(|| unknown_schedule(&self.name))?;
            match rows.all_kinds()?.get(row.kind) {
                Some(kind) => history::latest(rows, &self.name, &row, kind, most),
                None => Ok(Vec::new()),
            }
        })
    }

    /// Submits an occurrence now, whose nominal time is now, and returns the id of its task. The position of the schedule stays; neither
    /// a pause nor an unfinished occurrence prevents it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if no code of this program builds its tasks, or if the task cannot be built or is refused. As
    /// [`Self::info`].
    pub fn run_now(&self) -> Result<TaskKey> {
        let Shared { engine, schedules, redact, .. } = &*self.shared;
        schedules.run_now(engine, redact.as_ref(), &self.name, engine.now())
    }

    /// Pauses the schedule, also across restarts of the program. Its occurrences count as missed.
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn pause(&self) -> Result<()> {
        self.change(ScheduleCommand::Pause)
    }

    /// Resumes the schedule. Missed occurrences are caught up as its definition says.
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn resume(&self) -> Result<()> {
        self.change(ScheduleCommand::Resume)
    }

    /// Removes the schedule. Tasks that were submitted stay. A program that registers it at its next start stores it anew.
    ///
    /// # Errors
    /// As [`Self::info`].
    pub fn remove(&self) -> Result<()> {
        self.change(ScheduleCommand::Remove)
    }

    fn change(&self, command: ScheduleCommand) -> Result<()> {
        let row = self.shared.engine.call(ChangeSchedule { name: self.name.to_string(), command })?;
        self.shared.schedules.update(&self.shared.engine, self.shared.redact.as_ref(), &self.name, row.as_ref())
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Lets the templates of a kind be built as its type.
pub(crate) fn open_kind<T: TrackedTask>(shared: &Shared, kind: u32) -> Result<()> {
    let Shared { engine, schedules, redact, .. } = shared;
    schedules.open_kind(engine, redact.as_ref(), kind, builder::from_template::<T>)
}
