//! `Runner`: the handler of a run: runs the command of a line, and decides by its end between success, retry and giving up. Called by the
//! threads of the worker; starts processes.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    error::Error as StdError,
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::SecondsFormat;
use signal_hook::consts::SIGINT;
use tracker_core::{Execution, Outcome, Tasks, worker::StopHandle};

use super::{
    CHECK_COMMAND,
    attempt_event::AttemptEvent,
    command::{CommandSpec, FinishedCommand},
    command_status::{CommandFailed, CommandStatus},
    exit_codes::RetryRule,
    halt_condition::{HaltAction, HaltCondition},
    joblog::Joblog,
    line::{Line, LineStatus, RunResult},
    orphans::{AttemptTags, TAG},
    placeholder::PlaceholderValues,
    process_groups::ProcessGroups,
    results::Results,
    run_output::RunOutput,
    slots::{self, MachineSlots},
    start_delay::StartDelay,
    start_error::{StartError, is_passing},
    stored_output::StoredOutput,
    template::Template,
    terminal::Terminal,
    trace,
};
use crate::error::CliError;

pub struct Runner<'a> {
    pub tasks: &'a Tasks<Line>,
    /// Runs in other processes claim lines too.
    pub is_shared: bool,
    /// The command of all lines; absent if each line has its own.
    pub template: Option<&'a Template>,
    /// The longest time for an attempt.
    pub timeout: Option<Duration>,
    /// The bytes of each output that are stored.
    pub keep: u64,
    pub halt: HaltCondition,
    pub delay: StartDelay,
    /// The slots that each command needs, shared with other runs.
    pub slots: MachineSlots,
    pub retry_rule: RetryRule,
    pub groups: Arc<ProcessGroups>,
    pub stop: StopHandle,
    /// Set if the user asked the run to end.
    pub interrupted: Arc<AtomicBool>,
    /// The terminal that one command at a time gets, with `--tty`.
    pub terminal: Option<Terminal>,
    /// Mark the processes of commands.
    pub tags: AttemptTags,
    pub output: &'a RunOutput,
    pub joblog: Option<Joblog>,
    pub results: Option<Results>,
    pub state: Mutex<RunState>,
}

/// The progress of the run.
#[derive(Default)]
pub struct RunState {
    pub succeeded: u64,
    pub given_up: u64,
    /// The error that ends the run.
    pub fatal_error: Option<CliError>,
    /// When a shortage of resources was last reported.
    shortage_reported: Option<Instant>,
    slots: BTreeSet<usize>,
}

type HandlerError = Box<dyn StdError + Send + Sync>;

/// The delays between starts of a command when the system is short of resources. They double.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_secs(1);

/// How often a wait for resources checks for a stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// The shortest time between two reports of a shortage.
const REPORT_EVERY: Duration = Duration::from_secs(60);

impl Runner<'_> {
    pub fn lock(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the run and ends running commands. The first error is reported.
    pub fn fail(&self, error: CliError) {
        self.lock().fatal_error.get_or_insert(error);
        self.halt_now();
    }

    /// Starts no further command. Running commands continue.
    fn stop_starting(&self, failure: CliError) {
        self.lock().fatal_error.get_or_insert(failure);
        self.stop.stop();
    }

    fn halt_now(&self) {
        self.stop.stop();
        self.groups.stop();
    }

    /// Runs the command of a line.
    pub fn handle(&self, line: &mut Execution<Line>) -> Result<Outcome, HandlerError> {
        let slot = self.take_slot();
        let outcome = self.run(line, slot);
        self.lock().slots.remove(&slot);
        outcome
    }

    fn take_slot(&self) -> usize {
        let mut state = self.lock();
        // Of one number more than are taken, one is free.
        let slot = (1..=state.slots.len() + 1).find(|slot| !state.slots.contains(slot)).unwrap_or_default();
        state.slots.insert(slot);
        slot
    }

    fn run(&self, line: &mut Execution<Line>, slot: usize) -> Result<Outcome, HandlerError> {
        if let Some(bytes) = line.oversized {
            return self.not_started(line, &[], StartError::Oversized(bytes));
        }
        let held = match self.slots.acquire(|| self.stop.is_stopped(), |reason| self.output.warn(reason)) {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(Outcome::Release),
            Err(error) => return self.not_started(line, &[], StartError::Slots(error)),
        };
        let values = line.values().to_vec();
        let values = PlaceholderValues::new(&values, line.number, slot);
        let template = self.template.map_or_else(|| Cow::Owned(line.command.clone()), Cow::Borrowed);
        let command = template.fill(values);
        let trace = line.trace_context().map(|context| [context.to_string(), context.state().to_owned()]);
        let mut environment = vec![
            ("TRACKER_NUMBER", line.number.to_string().into()),
            ("TRACKER_ATTEMPT", line.attempt().to_string().into()),
            ("TRACKER_SLOT", slot.to_string().into()),
            (TAG, self.tags.value(line)),
        ];
        if let Some(at) = line.scheduled_at() {
            let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            environment.extend([("TRACKER_SCHEDULED_AT", at.into()), ("TRACKER_ID", line.id().to_string().into())]);
        }
        environment.extend(self.slots.variable(&held).map(|value| (slots::VARIABLE, value)));
        // A line without a trace context leaves the variables of the run to its command.
        environment.extend(trace.into_iter().flat_map(|texts| trace::VARIABLES.into_iter().zip(texts.map(Into::into))));
        let spec = CommandSpec {
            command: &command,
            environment: &environment,
            timeout: self.timeout,
            terminal: self.terminal.as_ref(),
            slots: &held,
        };
        let ran = self.run_when_possible(&spec);
        drop(held);
        match ran {
            Ok(Some(finished)) => self.finish(line, finished, &template.command_line(values)),
            Ok(None) => Ok(Outcome::Release),
            Err(error) => self.not_started(line, &command, error),
        }
    }

    /// Runs a command as soon as the system has the resources. Returns `None` if the run stops before.
    fn run_when_possible(&self, spec: &CommandSpec<'_>) -> Result<Option<FinishedCommand>, StartError> {
        let mut start = self.delay.reserve(Instant::now());
        let mut delay = FIRST_DELAY;
        while self.wait_until(start) {
            match spec.run(&self.groups) {
                Err(StartError::Shortage(error)) => self.report_shortage(&error),
                ran => return ran.map(Some),
            }
            start = Instant::now() + delay;
            delay = (delay * 2).min(LAST_DELAY);
        }
        Ok(None)
    }

    /// Returns false if the run stops before this time.
    fn wait_until(&self, time: Instant) -> bool {
        while let Some(left) = time.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.stop.is_stopped() {
                return false;
            }
            thread::sleep(left.min(STOP_CHECK));
        }
        true
    }

    fn report_shortage(&self, error: &io::Error) {
        let mut state = self.lock();
        if state.shortage_reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        state.shortage_reported = Some(Instant::now());
        drop(state);
        self.output.warn(&format!(
            "cannot start a further command now ({error}): waiting for running commands to end; use fewer --jobs, or \
             raise the limits of the system (`ulimit -a`)"
        ));
    }

    fn finish(
        &self,
        line: &mut Execution<Line>,
        mut finished: FinishedCommand,
        command: &[u8],
    ) -> Result<Outcome, HandlerError> {
        let command_status = CommandStatus::of(&finished, self.timeout);
        if command_status == CommandStatus::Stopped {
            return Ok(Outcome::Release);
        }
        if self.terminal.is_some() && command_status == CommandStatus::Signal(SIGINT) {
            // Ctrl-C on the terminal kills the command that has it; the user means the run.
            self.interrupted.store(true, Ordering::Relaxed);
            self.halt_now();
            return Ok(Outcome::Release);
        }
        let written = self.results.as_ref().map_or(Ok(()), |results| results.write(line, &mut finished));
        if let Err(error) = written {
            self.stop_starting(error);
            return Ok(Outcome::Release);
        }
        let printed = self.output.print_output(line, &mut finished);
        if let CommandStatus::NeedsTerminal(_) = command_status {
            self.output.report(&format!(
                "line {}: {}",
                line.number,
                CommandFailed::new(command_status, &StoredOutput::default())
            ));
        }
        if let Some(template) = self.template {
            line.command = template.clone();
        }
        let (stdout, stderr) =
            StoredOutput::read_both(&mut finished.stdout, &mut finished.stderr, self.keep, line.room())?;
        let result = RunResult { exit: finished.status.code(), signal: finished.status.signal(), stdout, stderr };
        line.result = Some(result.clone());
        let status = if command_status == CommandStatus::Exit(0) {
            LineStatus::Succeeded
        } else {
            self.store_failure(line, command_status, &result.stderr)?
        };
        let reported = self.print_event(line, status, &result, &finished);
        let logged = match &self.joblog {
            Some(joblog) if status != LineStatus::Failed => {
                joblog.add(line.number, &finished, command_status, result.stdout.bytes, command)
            }
            _ => Ok(()),
        };
        self.count(line.number, status);
        for result in [printed, reported, logged] {
            if let Err(error) = result {
                self.fail(error);
            }
        }
        Ok(Outcome::Succeed)
    }

    /// Stores a failure with the result. Returns the new status of the line.
    fn store_failure(
        &self,
        line: &mut Execution<Line>,
        command_status: CommandStatus,
        stderr: &StoredOutput,
    ) -> Result<LineStatus, HandlerError> {
        let failure = CommandFailed::new(command_status, stderr);
        if self.retry_rule.allows(command_status) {
            line.fail_with_changes(failure)?;
        } else {
            line.give_up_with_changes(failure)?;
        }
        Ok(self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status))
    }

    fn print_event(
        &self,
        line: &Execution<Line>,
        status: LineStatus,
        result: &RunResult,
        finished: &FinishedCommand,
    ) -> Result<(), CliError> {
        self.output.print_line_event(
            line.number,
            &AttemptEvent {
                exit: result.exit,
                signal: result.signal,
                seconds: finished.took.as_secs_f64(),
                stdout: &result.stdout.to_string(),
                stderr: &result.stderr.to_string(),
                ..AttemptEvent::of(line, status)
            },
        )
    }

    fn count(&self, number: u64, status: LineStatus) {
        let mut state = self.lock();
        match status {
            LineStatus::Succeeded => state.succeeded += 1,
            LineStatus::Failed => return,
            _ => state.given_up += 1,
        }
        self.output.step(state.given_up);
        let halting = self.halt.reached(state.succeeded, state.given_up);
        drop(state);
        if let Err(error) = self.output.end_line(number) {
            self.fail(error);
        }
        match halting {
            Some(HaltAction::Now) => self.halt_now(),
            Some(HaltAction::Soon) => self.stop.stop(),
            None => {}
        }
    }

    fn not_started(
        &self,
        line: &mut Execution<Line>,
        command: &[OsString],
        error: StartError,
    ) -> Result<Outcome, HandlerError> {
        let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        let text = error.to_string();
        match error {
            StartError::Program(cause)
                if !is_passing(&cause) && self.template.is_some_and(Template::has_fixed_program) =>
            {
                // All lines would fail in the same way: they keep their attempts.
                self.stop_starting(CliError::usage(format!(
                    "{program:?} cannot be executed ({cause}): {CHECK_COMMAND}"
                )));
                return Ok(Outcome::Release);
            }
            StartError::Program(_) => line.fail(error)?,
            // A further attempt could not start either.
            StartError::Words(_) | StartError::Oversized(_) => line.give_up(error)?,
            StartError::Shortage(_) | StartError::Output(_) | StartError::Slots(_) | StartError::System(_) => {
                self.stop_starting(CliError::file(text));
                return Ok(Outcome::Release);
            }
        }
        let status = self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status);
        self.output.report(&format!("line {}: {text}", line.number));
        if let Err(error) = self
            .output
            .print_line_event(line.number, &AttemptEvent { error: Some(text), ..AttemptEvent::of(line, status) })
        {
            self.fail(error);
        }
        self.count(line.number, status);
        Ok(Outcome::Succeed)
    }
}
