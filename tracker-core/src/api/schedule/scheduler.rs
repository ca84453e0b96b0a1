//! `Scheduler` runs the thread that submits due occurrences. Called by `api/schedule`, and owned and closed by `api/shared`; keeps start times behind
//! a lock, runs the user's builders, and reads and advances schedules through `Engine`.
//!
//! The state in memory may be out of date. The transaction that submits checks the stored position, so several processes, a stale state and
//! a restart never make two tasks of one occurrence.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::{
    builder::{BuildContext, Builder, TemplateBuilder, build},
    start_times::{SchedulerState, calendar_of, start_of},
};
use crate::{
    api::shared::Redact,
    engine::{Advance, Advanced, BuiltOccurrence, Engine, SubmitOccurrences, unknown_schedule},
    model::{
        error::{Error, ErrorKind, Result},
        panics::{self, catch_panic},
        schedule::{decide::due, row::ScheduleRow, timing::ScheduleTimes},
        task::TaskKey,
        time::{Micros, between},
    },
    storage::file::Sharing,
};

/// The longest sleep. No timeout notices that the system clock is set or that the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Time until a schedule is tried again after a storage error, in microseconds.
const RETRY: Micros = 60_000_000;
/// The most schedules that one pass advances.
const SCHEDULES_PER_PASS: usize = 1_000;

/// The schedules of an open tracker, shared by its handles.
#[derive(Default)]
pub(crate) struct Scheduler {
    state: Mutex<SchedulerState>,
}

/// One pass over the schedules that are due.
struct Pass {
    /// Number of schedules that were due.
    due: usize,
    /// `SchedulerState::updates` at its start. If it has risen since, a schedule has changed meanwhile.
    updates: u64,
    now: Micros,
    /// The first storage error.
    error: Option<Error>,
}

/// Drops functions of the user, whose captured values may panic. No lock may be held.
fn drop_builders(builders: impl IntoIterator<Item = Builder>) {
    if let Err(panic) = catch_panic(|| builders.into_iter().for_each(drop)) {
        panics::log_catching_panics(|| tracing::warn!(panic, "dropping the function of a schedule panicked"));
    }
}

impl Scheduler {
    fn lock(&self) -> MutexGuard<'_, SchedulerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers the builder of a schedule.
    pub(super) fn add_builder(&self, name: &str, builder: Builder) {
        let former = self.lock().builders.insert(name.to_owned(), builder);
        drop_builders(former);
    }

    /// Registers the builder for the templates of a kind. Schedules of the kind that the file has are submitted from now on.
    pub(crate) fn open_kind(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        redact: Option<&Redact>,
        kind: u32,
        build: TemplateBuilder,
    ) -> Result<()> {
        if self.lock().templates.insert(kind, build).is_some() {
            return Ok(());
        }
        if engine.read(|rows| rows.schedules_after(None, 1))?.is_empty() && engine.file().sharing() != Sharing::Writers
        {
            return Ok(());
        }
        self.lock().stale = true;
        self.wake(engine, redact)
    }

    /// Takes the stored row of a schedule into account, after it was registered or changed.
    pub(super) fn update(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        redact: Option<&Redact>,
        name: &str,
        row: Option<&ScheduleRow>,
    ) -> Result<()> {
        let start = row.and_then(|row| start_of(name, row));
        let mut state = self.lock();
        state.updates += 1;
        let removed = if row.is_none() { state.builders.remove(name) } else { None };
        let start = start.filter(|_| row.is_some_and(|row| state.can_build(name, row)));
        // The thread waits for the first start, so a later one need not wake it.
        let is_first = start.is_some_and(|start| state.queue.first().is_none_or(|(first, _)| start < *first));
        let wakes = is_first || (start.is_some() && state.thread.is_none());
        state.set_start(name, start);
        drop(state);
        drop_builders(removed);
        if wakes { self.wake(engine, redact) } else { Ok(()) }
    }

    /// Starts the thread if it does not run, and lets it look again.
    fn wake(self: &Arc<Self>, engine: &Arc<Engine>, redact: Option<&Redact>) -> Result<()> {
        let mut state = self.lock();
        if state.thread.is_none() && !state.closed {
            let (scheduler, engine, redact) = (self.clone(), engine.clone(), redact.cloned());
            let spawned = thread::Builder::new()
                .name("tracker-schedules".to_owned())
                .spawn(move || while catch_panic(|| scheduler.step(&engine, redact.as_ref())).unwrap_or(true) {});
            let spawned = spawned.map_err(|error| {
                Error::caused(ErrorKind::Io, "the thread for schedules could not be started", error)
            })?;
            state.thread = Some(spawned);
        }
        drop(state);
        engine.schedule_signal.raise();
        Ok(())
    }

    /// Ends the thread and drops the builders. Waits for a builder that runs.
    pub(crate) fn close(&self, engine: &Engine) {
        let mut state = self.lock();
        state.closed = true;
        let builders = std::mem::take(&mut state.builders);
        let thread = state.thread.take();
        drop(state);
        engine.schedule_signal.raise();
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            drop(thread.join());
        }
        drop_builders(builders.into_values());
    }

    /// Submits what is due, or waits for it. False when the tracker closes.
    fn step(&self, engine: &Engine, redact: Option<&Redact>) -> bool {
        let seen = engine.schedule_signal.seen();
        if self.lock().closed {
            return false;
        }
        if let Err(error) = self.reload(engine) {
            panics::log_catching_panics(|| tracing::warn!(%error, "the schedules cannot be read: trying again"));
            engine.schedule_signal.wait(seen, Some(LONGEST_SLEEP));
            return true;
        }
        let now = engine.now();
        if self.submit_due(engine, redact, now).due > 0 {
            return true;
        }
        let next = self.lock().queue.first().map(|(start, _)| between(now, *start));
        let polls = engine.file().sharing() == Sharing::Writers;
        let at_most = next.or(polls.then_some(LONGEST_SLEEP)).map(|left| left.min(LONGEST_SLEEP));
        engine.schedule_signal.wait(seen, at_most);
        true
    }

    /// Reads the stored schedules again if they may have changed.
    fn reload(&self, engine: &Engine) -> Result<()> {
        loop {
            let (updates, known) = {
                let state = self.lock();
                if !state.stale && engine.file().sharing() != Sharing::Writers {
                    return Ok(());
                }
                (state.updates, Some(state.change).filter(|_| !state.stale))
            };
            let change = engine.change()?;
            if known == Some(change) {
                return Ok(());
            }
            let all = engine.read(|rows| rows.schedules_after(None, usize::MAX))?;
            let read = all.iter().filter_map(|(name, row)| row.as_ref().ok().map(|row| (name, row)));
            let starts: Vec<_> = read.map(|(name, row)| (name, row, start_of(name, row))).collect();
            let mut state = self.lock();
            if state.updates != updates {
                // The rows that were read may be older than the update.
                continue;
            }
            state.starts.clear();
            state.queue.clear();
            for (name, row, start) in starts {
                let start = start.filter(|_| state.can_build(name, row));
                state.set_start(name, start);
            }
            (state.stale, state.change) = (false, change);
            return Ok(());
        }
    }

    /// Reads the stored schedules and submits all that is due.
    pub(super) fn submit_all_due(&self, engine: &Engine, redact: Option<&Redact>) -> Result<()> {
        self.lock().stale = true;
        let now = engine.now();
        loop {
            self.reload(engine)?;
            let pass = self.submit_due(engine, redact, now);
            match pass.error {
                Some(error) => return Err(error),
                None if pass.due == 0 => return Ok(()),
                None => {}
            }
        }
    }

    /// Submits the due occurrences of schedules that this process can build, up to [`SCHEDULES_PER_PASS`].
    fn submit_due(&self, engine: &Engine, redact: Option<&Redact>, now: Micros) -> Pass {
        let (names, updates): (Vec<_>, _) = {
            let state = self.lock();
            let due = state.queue.iter().take_while(|(start, _)| *start <= now).take(SCHEDULES_PER_PASS);
            (due.map(|(_, name)| name.clone()).collect(), state.updates)
        };
        let mut pass = Pass { due: names.len(), updates, now, error: None };
        let mut plans = Vec::with_capacity(names.len());
        for name in &names {
            match self.plan(engine, redact, name, &pass) {
                Ok(Some(plan)) => plans.push(plan),
                Ok(None) => {}
                Err(error) => self.postpone(name, &mut pass, error),
            }
        }
        let planned: Vec<_> = plans.iter().map(|plan| plan.name.clone()).collect();
        match engine.call_all(plans) {
            Ok(answers) => {
                for (name, answer) in planned.iter().zip(answers) {
                    match answer {
                        Ok(advanced) => self.record(name, &pass, &advanced),
                        Err(error) => self.postpone(name, &mut pass, error),
                    }
                }
            }
            Err(error) => planned.iter().for_each(|name| self.postpone(name, &mut pass, error.share())),
        }
        pass
    }

    /// Reads a schedule and builds its due occurrences. A schedule that is not due any more gets its new start time.
    fn plan(
        &self,
        engine: &Engine,
        redact: Option<&Redact>,
        name: &str,
        pass: &Pass,
    ) -> Result<Option<SubmitOccurrences>> {
        let row = engine.read(|rows| rows.schedule(name))?;
        let due = row.as_ref().filter(|row| !row.paused).and_then(|row| {
            let calendar = calendar_of(name, row)?;
            due(row.next, row.definition.catch_up, pass.now, &ScheduleTimes::new(name, &calendar, row))
        });
        let (Some(row), Some(due)) = (&row, due) else {
            self.set_start(name, pass, row.as_ref());
            return Ok(None);
        };
        let occurrences = due.nominal.iter().map(|nominal| self.build(engine, redact, name, row, *nominal));
        Ok(Some(SubmitOccurrences {
            name: name.to_owned(),
            kind: row.kind,
            occurrences: occurrences.collect::<Result<_>>()?,
            advance: Some(Advance {
                seen: row.next,
                definition: row.definition.clone(),
                next: due.next,
                missed: due.missed,
            }),
        }))
    }

    /// Builds the task of one occurrence on this thread.
    fn build(
        &self,
        engine: &Engine,
        redact: Option<&Redact>,
        name: &str,
        row: &ScheduleRow,
        nominal: Micros,
    ) -> Result<BuiltOccurrence> {
        let kinds = engine.kinds();
        let kind = kinds.get(row.kind).ok_or_else(|| {
            Error::new(ErrorKind::SchemaMismatch, format!("the kind of the schedule {name:?} is no longer in the file"))
        })?;
        let context = BuildContext { kind, codecs: engine.codecs(), redact };
        let (builder, from_template) = {
            let state = self.lock();
            (state.builders.get(name).cloned(), state.templates.get(&row.kind).copied())
        };
        match (&row.template, builder, from_template) {
            (Some(template), _, Some(from_template)) => {
                Ok(build(&context, name, nominal, |context, occurrence| from_template(context, occurrence, template)))
            }
            (None, Some(builder), _) => {
                Ok(build(&context, name, nominal, |context, occurrence| builder(context, occurrence)))
            }
            _ => Err(Error::invalid(format!(
                "no code of this program builds the tasks of the schedule {name:?} (kind {:?}): register it with `Tasks::schedule`",
                kind.name
            ))),
        }
    }

    /// Sets the start time that follows from a row. Where an update came since the pass began, the rows are read again instead.
    fn set_start(&self, name: &str, pass: &Pass, row: Option<&ScheduleRow>) {
        let start = row.and_then(|row| start_of(name, row));
        let mut state = self.lock();
        if state.updates == pass.updates {
            state.set_start(name, start);
        } else {
            state.stale = true;
            // Until then the schedule is not due.
            state.set_start(name, None);
        }
    }

    /// Takes the row after an advance into account, and logs what failed.
    fn record(&self, name: &str, pass: &Pass, advanced: &Advanced) {
        self.set_start(name, pass, advanced.row.as_ref());
        for (_, id) in &advanced.submitted {
            panics::log_catching_panics(|| tracing::debug!(schedule = name, %id, "an occurrence was submitted"));
        }
        for (_, error) in &advanced.failed {
            panics::log_catching_panics(|| {
                tracing::warn!(schedule = name, error, "an occurrence could not be submitted: skipped");
            });
        }
    }

    /// Tries a schedule again later, after a storage error.
    fn postpone(&self, name: &str, pass: &mut Pass, error: Error) {
        self.lock().set_start(name, Some(pass.now.saturating_add(RETRY)));
        if error.kind() != ErrorKind::Closed {
            panics::log_catching_panics(|| {
                tracing::warn!(schedule = name, %error, "a schedule could not be advanced: trying again in a minute");
            });
        }
        pass.error.get_or_insert(error);
    }

    /// Submits an occurrence now, whose nominal time is `now`.
    pub(super) fn run_now(&self, engine: &Engine, redact: Option<&Redact>, name: &str, now: Micros) -> Result<TaskKey> {
        let row = engine.read(|rows| rows.schedule(name))?.ok_or_else(|| unknown_schedule(name))?;
        let built = self.build(engine, redact, name, &row, now)?;
        let call = SubmitOccurrences { name: name.to_owned(), kind: row.kind, occurrences: vec![built], advance: None };
        let advanced = engine.call(call)?;
        match (advanced.submitted.into_iter().next(), advanced.failed.into_iter().next()) {
            (Some((_, id)), _) => Ok(id),
            (None, Some((_, reason))) => {
                Err(Error::invalid(format!("the schedule {name:?} could not be run: {reason}")))
            }
            (None, None) => Err(unknown_schedule(name)),
        }
    }
}
