use std::{
    collections::BTreeSet,
    error::Error as StdError,
    ffi::OsString,
    fmt,
    io::{self, ErrorKind},
    os::unix::process::ExitStatusExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tracker_core::{Execution, Outcome, StopHandle, Tasks};

use super::{
    CHECK_COMMAND,
    child::{self, Ended},
    end::{CommandFailed, End},
    groups::Groups,
    halt::{Halt, Halting},
    joblog::Joblog,
    kept::Kept,
    line::{Line, LineStatus, RunResult},
    screen::Screen,
    template::{Filling, Template},
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
}

/// Not now: the system has no room for a further process.
const LATER: Duration = Duration::from_secs(1);

impl Work<'_> {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing can go on: all ends, and this is why.
    pub fn trouble(&self, failure: Failure) {
        self.lock().trouble.get_or_insert(failure);
        self.halt_now();
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
        let text = line.text.clone();
        let filling = Filling { line: &text.0, number: line.number, slot };
        let command = self.template.fill(filling);
        let environment = [
            ("TRACKER_NUMBER", line.number.to_string()),
            ("TRACKER_ATTEMPT", line.attempt().to_string()),
            ("TRACKER_SLOT", slot.to_string()),
        ];
        match child::run(&command, &environment, &self.groups, self.limit) {
            Ok(ended) => self.ended(line, ended, &self.template.command_line(filling)),
            Err(error) => self.not_started(line, &command, error),
        }
    }

    fn ended(&self, line: &mut Execution<Line>, mut ended: Ended, command: &[u8]) -> Result<Outcome, Refused> {
        let end = End::of(&ended, self.limit);
        if end == End::Stopped {
            return Ok(Outcome::Release);
        }
        let shown = self.screen.printed(&mut ended);
        let result = RunResult {
            exit: ended.status.code(),
            signal: ended.status.signal(),
            stdout: Kept::of(&mut ended.stdout, self.keep)?,
            stderr: Kept::of(&mut ended.stderr, self.keep)?,
        };
        line.command = self.template.clone();
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
            if let Err(error) = printed {
                self.trouble(error.into());
            }
        }
        Ok(Outcome::Succeed)
    }

    /// Stores a failure with what the command gave; says whether the line is tried again.
    fn fail(&self, line: &mut Execution<Line>, end: End, stderr: &Kept) -> Result<LineStatus, Refused> {
        line.fail_keeping(CommandFailed::new(end, stderr))?;
        Ok(self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status))
    }

    fn tell(&self, line: &Execution<Line>, status: LineStatus, result: &RunResult, ended: &Ended) -> io::Result<()> {
        let outcome = match status {
            LineStatus::Succeeded => "succeeded",
            LineStatus::Exhausted => "given_up",
            _ => "failed",
        };
        self.screen.tell(&Told {
            event: "attempt",
            id: line.id().to_string(),
            number: line.number,
            line: line.text.to_string(),
            attempt: line.attempt(),
            outcome,
            exit: result.exit,
            signal: result.signal,
            seconds: ended.took.as_secs_f64(),
            stdout: &result.stdout.to_string(),
            stderr: &result.stderr.to_string(),
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
        error: io::Error,
    ) -> Result<Outcome, Refused> {
        let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
        let is_no_program = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied);
        match error.kind() {
            // Too many processes, files, or too little memory.
            ErrorKind::WouldBlock | ErrorKind::OutOfMemory => return Ok(Outcome::Snooze { delay: LATER }),
            // No attempt could ever begin.
            ErrorKind::InvalidInput | ErrorKind::ArgumentListTooLong => line.give_up(error)?,
            _ if is_no_program && !self.template.has_fixed_program() => line.fail(NotStarted(error))?,
            _ if is_no_program => {
                self.trouble(Failure::usage(format!("{program:?} cannot be run ({error}): {CHECK_COMMAND}")));
                return Ok(Outcome::Release);
            }
            _ => {
                self.trouble(Failure::file(format!("{program:?} cannot be run ({error}): the system refuses")));
                return Ok(Outcome::Release);
            }
        }
        let status = self.tasks.get(line.id())?.map_or(LineStatus::Failed, |record| record.status);
        self.count(status);
        Ok(Outcome::Succeed)
    }
}

/// A command that could not be started, since its program is not there.
#[derive(Debug)]
struct NotStarted(io::Error);

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command cannot be run: {}", self.0)
    }
}

impl StdError for NotStarted {}
