use std::{
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

use serde::Serialize;
use signal_hook::consts::SIGINT;
use tracker_core::{Execution, Outcome, Tasks, worker::StopHandle};

use super::{
    CHECK_COMMAND,
    child::{Ended, Order},
    end::{CommandFailed, End},
    groups::Groups,
    halt::{Halt, Halting},
    joblog::Joblog,
    kept::Kept,
    leftovers::{TAG, Tags},
    line::{Line, LineStatus, RunResult},
    place::Filling,
    screen::Screen,
    start_error::{StartError, is_passing},
    template::Template,
    terminal::Terminal,
};
use crate::failure::Failure;

/// The work on lines: what all threads share.
pub struct Work<'a> {
    pub tasks: &'a Tasks<Line>,
    pub template: &'a Template,
    /// How long one attempt may take.
    pub limit: Option<Duration>,
    /// How many bytes of each output are kept.
    pub keep: u64,
    pub halt: Halt,
    pub groups: Arc<Groups>,
    pub stop: StopHandle,
    /// Whether the user asked the run to end.
    pub interrupted: Arc<AtomicBool>,
    /// With `--tty`: what one command at a time gets.
    pub terminal: Option<Terminal>,
    /// Marks the processes of commands.
    pub tags: Tags,
    pub screen: &'a Screen,
    pub joblog: Option<Joblog>,
    pub state: Mutex<State>,
}

/// What has come of it so far.
#[derive(Default)]
pub struct State {
    pub succeeded: u64,
    pub given_up: u64,
    /// Why it cannot go on.
    pub trouble: Option<Failure>,
    /// When a shortage of resources was last reported.
    shortage_reported: Option<Instant>,
    slots: BTreeSet<usize>,
}

type Refused = Box<dyn StdError + Send + Sync>;

/// An attempt that has ended, as `--json` tells it.
#[derive(Serialize)]
struct Told<'a> {
    event: &'static str,
    id: String,
    number: u64,
    line: String,
    attempt: u32,
    outcome: &'static str,
    exit: Option<i32>,
    signal: Option<i32>,
    seconds: f64,
    stdout: &'a str,
    stderr: &'a str,
    /// Why the command was not started.
    error: Option<String>,
}

/// Delays between tries to start a command when the system is short of resources: they double.
const FIRST_DELAY: Duration = Duration::from_millis(20);
const LAST_DELAY: Duration = Duration::from_secs(1);

/// How soon a request to end is noticed while a command waits for resources.
const SOON: Duration = Duration::from_millis(100);

/// How often a shortage of resources is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

impl Work<'_> {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing can go on: all ends, and this is why.
    pub fn trouble(&self, failure: Failure) {
        self.lock().trouble.get_or_insert(failure);
        self.halt_now();
    }

    /// No further command can be started, and this is why. Those that run go on to their end.
    fn start_no_more(&self, failure: Failure) {
        self.lock().trouble.get_or_insert(failure);
        self.stop.stop();
    }

    fn halt_now(&self) {
        self.stop.stop();
        self.groups.stop();
    }

    /// Runs the command on a line.
    pub fn body(&self, line: &mut Execution<Line>) -> Result<Outcome, Refused> {
        let slot = self.take_slot();
        let outcome = self.run(line, slot);
        self.lock().slots.remove(&slot);
        outcome
    }

    fn take_slot(&self) -> usize {
        let mut state = self.lock();
        // One of so many numbers is free.
        let slot = (1..=state.slots.len() + 1).find(|slot| !state.slots.contains(slot)).unwrap_or_default();
        state.slots.insert(slot);
        slot
    }

    fn run(&self, line: &mut Execution<Line>, slot: usize) -> Result<Outcome, Refused> {
        if let Some(bytes) = line.oversized {
            return self.not_started(line, &[], StartError::Oversized(bytes));
        }
        let text = line.text.clone();
        let filling = Filling { line: &text.0, number: line.number, slot };
        let command = self.template.fill(filling);
        let environment = [
            ("TRACKER_NUMBER", line.number.to_string().into()),
            ("TRACKER_ATTEMPT", line.attempt().to_string().into()),
            ("TRACKER_SLOT", slot.to_string().into()),
            (TAG, self.tags.value(line)),
        ];
        let order =
            Order { command: &command, environment: &environment, limit: self.limit, terminal: self.terminal.as_ref() };
        match self.run_when_possible(&order) {
            Ok(Some(ended)) => self.ended(line, ended, &self.template.command_line(filling)),
            Ok(None) => Ok(Outcome::Release),
            Err(error) => self.not_started(line, &command, error),
        }
    }

    /// Runs a command, as soon as the system has the resources for it; none if the run is stopped before.
    fn run_when_possible(&self, order: &Order<'_>) -> Result<Option<Ended>, StartError> {
        let mut delay = FIRST_DELAY;
        loop {
            match order.run(&self.groups) {
                Err(StartError::Shortage(error)) => self.report_shortage(&error),
                ran => return ran.map(Some),
            }
            let until = Instant::now() + delay;
            while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                if self.stop.is_stopped() {
                    return Ok(None);
                }
                thread::sleep(left.min(SOON));
            }
            delay = (delay * 2).min(LAST_DELAY);
        }
    }

    fn report_shortage(&self, error: &io::Error) {
        let mut state = self.lock();
        if state.shortage_reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        state.shortage_reported = Some(Instant::now());
        drop(state);
        self.screen.warn(&format!(
            "no further command can be started now ({error}); it waits until others have ended. Fewer --jobs, or a \
             higher limit of the system (`ulimit -a`), prevent this"
        ));
    }

    fn ended(&self, line: &mut Execution<Line>, mut ended: Ended, command: &[u8]) -> Result<Outcome, Refused> {
        let end = End::of(&ended, self.limit);
        if end == End::Stopped {
            return Ok(Outcome::Release);
        }
        if self.terminal.is_some() && end == End::Signal(SIGINT) {
            // Ctrl-C on the terminal reaches the command that has it, and means the run.
            self.interrupted.store(true, Ordering::Relaxed);
            self.halt_now();
            return Ok(Outcome::Release);
        }
        let shown = self.screen.printed(&mut ended);
        if let End::NeedsTerminal(_) = end {
            self.screen.report(&format!("line {}: {}", line.number, CommandFailed::new(end, &Kept::default())));
        }
        line.command = self.template.clone();
        let (stdout, stderr) = Kept::of_both(&mut ended.stdout, &mut ended.stderr, self.keep, line.room())?;
        let result = RunResult { exit: ended.status.code(), signal: ended.status.signal(), stdout, stderr };
        line.result = Some(result.clone());
        let status = if end == End::Exit(0) { LineStatus::Succeeded } else { self.fail(line, end, &result.stderr)? };
        let told = self.tell(line, status, &result, &ended);
        let logged = match &self.joblog {
            Some(joblog) if status != LineStatus::Failed => {
                joblog.add(line.number, &ended, end, result.stdout.bytes, command)
            }
            _ => Ok(()),
        };
        self.count(status);
        for printed in [shown, told, logged] {
            if let Err(failure) = printed {
                self.trouble(failure);
            }
        }
        Ok(Outcome::Succeed)
    }

    /// Stores a failure with what the command gave; says whether the line is tried again.
    fn fail(&self, line: &mut Execution<Line>, end: End, stderr: &Kept) -> Result<LineStatus, Refused> {
        line.fail_with_changes(CommandFailed::new(end, stderr))?;
        Ok(self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status))
    }

    fn tell(
        &self,
        line: &Execution<Line>,
        status: LineStatus,
        result: &RunResult,
        ended: &Ended,
    ) -> Result<(), Failure> {
        self.screen.tell(&Told {
            exit: result.exit,
            signal: result.signal,
            seconds: ended.took.as_secs_f64(),
            stdout: &result.stdout.to_string(),
            stderr: &result.stderr.to_string(),
            ..Told::of(line, status)
        })
    }

    fn count(&self, status: LineStatus) {
        let mut state = self.lock();
        match status {
            LineStatus::Succeeded => state.succeeded += 1,
            LineStatus::Failed => return,
            _ => state.given_up += 1,
        }
        self.screen.step(state.given_up);
        let halting = self.halt.reached(state.succeeded, state.given_up);
        drop(state);
        match halting {
            Some(Halting::Now) => self.halt_now(),
            Some(Halting::Soon) => self.stop.stop(),
            None => {}
        }
    }

    fn not_started(
        &self,
        line: &mut Execution<Line>,
        command: &[OsString],
        error: StartError,
    ) -> Result<Outcome, Refused> {
        let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        let text = error.to_string();
        match error {
            StartError::Program(cause) if !is_passing(&cause) && self.template.has_fixed_program() => {
                // The next lines would fail in the same way: they keep their attempts.
                self.start_no_more(Failure::usage(format!("{program:?} cannot be run ({cause}): {CHECK_COMMAND}")));
                return Ok(Outcome::Release);
            }
            StartError::Program(_) => line.fail(error)?,
            // The next attempt could not start either.
            StartError::Words(_) | StartError::Oversized(_) => line.give_up(error)?,
            StartError::Shortage(_) | StartError::Output(_) | StartError::System(_) => {
                self.start_no_more(Failure::file(text));
                return Ok(Outcome::Release);
            }
        }
        let status = self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status);
        self.screen.report(&format!("line {}: {text}", line.number));
        if let Err(failure) = self.screen.tell(&Told { error: Some(text), ..Told::of(line, status) }) {
            self.trouble(failure);
        }
        self.count(status);
        Ok(Outcome::Succeed)
    }
}

impl Told<'_> {
    /// An attempt of which no more is known.
    fn of(line: &Execution<Line>, status: LineStatus) -> Self {
        let outcome = match status {
            LineStatus::Succeeded => "succeeded",
            LineStatus::Exhausted => "given_up",
            _ => "failed",
        };
        Self {
            event: "attempt",
            id: line.id().to_string(),
            number: line.number,
            line: line.text.to_string(),
            attempt: line.attempt(),
            outcome,
            exit: None,
            signal: None,
            seconds: 0.0,
            stdout: "",
            stderr: "",
            error: None,
        }
    }
}
