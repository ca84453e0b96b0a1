mod backoff;
mod child;
mod end;
mod feed;
mod groups;
mod guard;
mod halt;
mod input;
mod joblog;
mod kept;
mod leftovers;
mod line;
mod numbers;
mod place;
mod plan;
mod read_line;
mod screen;
mod script;
mod signals;
mod start_error;
mod template;
mod terminal;
mod text;
mod work;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    num::NonZero,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Serialize;
use tracker_core::{Tasks, TrackedTask, Tracker, task::Policy, worker::StopHandle};

use self::{
    backoff::Delay,
    feed::feed,
    groups::Groups,
    halt::Halt,
    input::Input,
    joblog::Joblog,
    leftovers::{Tags, end_leftovers},
    line::{Line, LineStatus},
    numbers::Numbers,
    plan::{Plan, Run},
    screen::{Screen, Shows},
    template::Template,
    terminal::Terminal,
    work::{State, Work},
};
use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, Holder},
    output::{Output, shown},
    span::Span,
};

/// Runs a command on each line of input, durably: a parallel xargs that goes on where it was
///
/// Each line of the standard input, or each argument after `:::`, is a task in the file. Killed at any moment and
/// started again, it goes on; a line that has succeeded never runs again. Lines are told apart by their text: they may
/// move, and others may come between them. The same text twice is two tasks.
///
/// `find . -name '*.wav' | tracker run jobs.redb -j 4 --attempts 3 -- flac -s {}`
///
/// Places in the command: {} the line, {.} without extension, {/} its last part, {//} its folder, {/.} the last part
/// without extension, {#} the line's number, {%} a number from 1 to the number of jobs that no other running command
/// has. Without a place, the line comes last. No shell reads the command or the line, unless --shell is given. Commands
/// find the line's number, the attempt and the slot in TRACKER_NUMBER, TRACKER_ATTEMPT and TRACKER_SLOT.
///
/// Ends with 0 if all lines have succeeded, with 1 if lines were given up, with 130 if it was stopped.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct Args {
    /// The tracker file, made where there is none
    #[command(flatten)]
    file: FileArg,
    /// How many commands run at once [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// How often a line is tried until it is given up; 0 for ever
    #[arg(long, value_name = "N", default_value_t = 1)]
    attempts: u32,
    /// How long a failed line waits: 10s, or 1s..5m for a delay that doubles from the first to the second
    #[arg(long, value_name = "DELAY", default_value = "0")]
    backoff: Delay,
    /// Ends an attempt that takes longer; it has failed
    #[arg(long, value_name = "SPAN")]
    timeout: Option<Span>,
    /// How long a command may take to end when it is asked to, before it is ended by force
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    grace: Span,
    /// Stops early: soon,fail=3 (none begins any more), now,fail=10% (what runs is ended), or success, or done
    #[arg(long, value_name = "WHEN", default_value = "never")]
    halt: Halt,
    /// Has /bin/sh read the command; lines are quoted for it. Without a command, the lines are the commands
    #[arg(long)]
    shell: bool,
    /// Lines end with a zero byte, as from `find -print0`
    #[arg(short = '0', long)]
    null: bool,
    /// Tries lines again that were given up in an earlier run
    #[arg(long)]
    retry_failed: bool,
    /// Gives each command the terminal as its input and output, one at a time; the file keeps nothing of what it prints
    #[arg(long)]
    tty: bool,
    /// Shows what would run and why, and changes nothing
    #[arg(long)]
    plan: bool,
    /// Keeps a log of the lines that have ended, as GNU parallel does
    #[arg(long, value_name = "PATH")]
    joblog: Option<PathBuf>,
    /// Prints nothing of what commands print; the file keeps it
    #[arg(short, long)]
    quiet: bool,
    /// How many bytes of each command's output, and of its errors, the file keeps
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 10)]
    keep: u32,
    /// The kind's name, so that one file can hold several sets of lines
    #[arg(long, value_name = "KIND", default_value = Line::KIND)]
    name: String,
    /// Goes on with a command that differs from the one before
    #[arg(long)]
    change_command: bool,
    /// The command; after `:::`, its lines
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// How a run has ended, as `--json` tells it: what stands in the file.
#[derive(Serialize)]
struct Summary {
    event: &'static str,
    succeeded: u64,
    given_up: u64,
    waiting: u64,
    set_aside: u64,
}

/// Where lines come from, and how they are numbered.
struct Source<'a> {
    input: Input,
    numbers: Numbers<'a>,
}

/// What to do about a program that cannot be run.
const CHECK_COMMAND: &str = "check the command after --; with --shell it is read by /bin/sh";

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let (template, input) = self.words()?;
        Line::set_policy(self.policy());
        if self.plan {
            output.put(&self.make_plan(&template, input)?)?;
            return Ok(Exit::Fine);
        }
        let tracker = self.file.work()?;
        let tasks = tracker.tasks_as::<Line>(&self.name)?;
        let joblog = self.joblog.as_deref().map(|path| Joblog::open(path, &self.file.file)).transpose()?;
        let tags = Tags::of(&self.file.file)?;
        end_leftovers(&tags, &tasks)?;
        self.check_command(&tasks, &template)?;
        if self.retry_failed {
            tasks.query().status(LineStatus::Exhausted).requeue()?;
        }
        let numbers = Numbers::new(&tracker, &tasks)?;
        let exit = self.work(&tasks, &template, Source { input, numbers }, tags, joblog, output)?;
        tracker.close()?;
        Ok(exit)
    }

    /// The command, and where its lines come from.
    fn words(&self) -> Result<(Template, Input), Failure> {
        let mut parts = self.command.split(|word| word == ":::");
        let (command, arguments, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        if more.is_some() {
            return Err(Failure::usage("::: is given twice: lines come from one list"));
        }
        if let Some(source) =
            self.command.iter().find(|word| ["::::", ":::+", "::::+"].iter().any(|name| *word == name))
        {
            return Err(Failure::usage(format!(
                "the source {} of GNU parallel is not supported: give the lines after ::: or on the standard input, as \
                 in `tracker run FILE -- COMMAND < LINES`",
                source.display()
            )));
        }
        if command.is_empty() && !self.shell {
            return Err(Failure::usage(
                "there is no command: give one after --, or --shell to run the lines themselves",
            ));
        }
        if self.tty && self.jobs.is_some_and(|jobs| jobs.get() > 1) {
            return Err(Failure::usage("--tty runs one command at a time: leave out --jobs"));
        }
        if self.tty && arguments.is_none() && io::stdin().is_terminal() {
            return Err(Failure::usage(
                "with --tty the terminal is for the commands: give the lines after :::, or from a file or a pipe",
            ));
        }
        let end = if self.null { 0 } else { b'\n' };
        let input = arguments.map_or(Input::Stdin(end), |arguments| Input::Arguments(arguments.to_vec()));
        let template = Template::new(command, self.shell).map_err(Failure::usage)?;
        if let Some(program) = template.missing_program() {
            // Before any line is in the file: they would be for this command.
            return Err(Failure::usage(format!("there is no program {program:?}: {CHECK_COMMAND}")));
        }
        Ok((template, input))
    }

    fn policy(&self) -> Policy {
        let mut policy = Policy::DEFAULT;
        policy.max_attempts = (self.attempts > 0).then_some(self.attempts);
        // A command cannot take this program with it: who kills it means this program.
        policy.max_crashes = u32::MAX;
        policy.lease = Duration::from_secs(60);
        policy.backoff = self.backoff.0;
        policy
    }

    fn make_plan(&self, template: &Template, input: Input) -> Result<Plan, Failure> {
        let tracker = if self.file.file.exists() { Some(self.file.look()?) } else { None };
        let kinds = tracker.as_ref().map_or(Ok(Vec::new()), Tracker::kinds)?;
        let known = tracker.filter(|_| kinds.contains(&self.name));
        let tasks = known.map(|tracker| tracker.tasks_as::<Line>(&self.name)).transpose()?;
        if let Some(tasks) = &tasks {
            self.refuse_other_command(tasks, template)?;
        }
        let run = Run { retry_failed: self.retry_failed, is_alive: self.file.holders().iter().any(Holder::works) };
        Plan::of(input.read(template)?, tasks.as_ref(), run)
    }

    /// Refuses to run another command on what is left of one, unless that is meant.
    fn check_command(&self, tasks: &Tasks<Line>, template: &Template) -> Result<(), Failure> {
        self.refuse_other_command(tasks, template)?;
        if self.change_command
            && let Some(newest) = tasks.query().by_creation().newest_first().first()?
        {
            tasks.update(&newest.id, |line| line.command = template.clone())?;
        }
        Ok(())
    }

    fn refuse_other_command(&self, tasks: &Tasks<Line>, template: &Template) -> Result<(), Failure> {
        match tasks.query().by_creation().newest_first().first()? {
            Some(newest) if newest.task.command != *template && !self.change_command => Err(Failure::usage(format!(
                "the lines in {} are for another command ({}): --change-command goes on with the new one, --name KIND \
                 keeps another set of lines",
                shown(&self.file.file.to_string_lossy()),
                newest.task.command
            ))),
            _ => Ok(()),
        }
    }

    fn work(
        &self,
        tasks: &Tasks<Line>,
        template: &Template,
        Source { input, numbers }: Source<'_>,
        tags: Tags,
        joblog: Option<Joblog>,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let shows = match (output.is_json(), self.quiet) {
            (true, _) => Shows::Json,
            (false, true) => Shows::Nothing,
            (false, false) => Shows::Output,
        };
        let terminal = self.tty.then(Terminal::open).transpose().map_err(|error| without_terminal(&error))?;
        let screen = Screen::new(shows, !self.tty);
        let work = Work {
            tasks,
            template,
            limit: self.timeout.map(|limit| limit.0),
            keep: self.keep.into(),
            halt: self.halt,
            groups: Arc::new(Groups::new(self.grace.0)),
            stop: StopHandle::new(),
            interrupted: Arc::new(AtomicBool::new(false)),
            terminal,
            tags,
            screen: &screen,
            joblog,
            state: Mutex::new(State::default()),
        };
        stop_on_signals(&work)?;
        let counts = tasks.counts()?;
        let left = tasks.query().unfinished().total()?;
        screen.begin(counts.total(), counts.total() - left);
        if matches!(input, Input::Stdin(_)) && io::stdin().is_terminal() {
            eprintln!("tracker: reading lines from the terminal; Ctrl-D ends them");
        }
        let batches = input.read(template)?;
        let done = thread::scope(|scope| {
            let work = &work;
            let threads = thread::Builder::new()
                .spawn_scoped(scope, || work.groups.watch())
                .and_then(|_| thread::Builder::new().spawn_scoped(scope, move || feed(&batches, numbers, work)));
            let jobs = if self.tty { NonZero::new(1) } else { self.jobs };
            let jobs = jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
            let worker = work.tasks.worker().threads(jobs).keep_running().stopped_by(&work.stop);
            let done = threads.map(|_| worker.run(|line| work.body(line)));
            // Whatever ended it: nobody waits for more input.
            work.stop.stop();
            work.groups.close();
            done
        });
        screen.end();
        let trouble = work.lock().trouble.take();
        trouble.map_or(Ok(()), Err)?;
        done.map_err(|error| {
            Failure::file(format!("cannot start a thread: {error}; raise the limit of threads (ulimit -u)"))
        })??;
        self.tell(&work, work.interrupted.load(Ordering::Relaxed))
    }

    /// How it ended.
    fn tell(&self, work: &Work<'_>, interrupted: bool) -> Result<Exit, Failure> {
        let counts = work.tasks.counts()?;
        let summary = Summary {
            event: "summary",
            succeeded: counts.get(LineStatus::Succeeded),
            given_up: counts.get(LineStatus::Exhausted),
            waiting: work.tasks.query().unfinished().total()?,
            set_aside: counts.get(LineStatus::Ignored) + counts.get(LineStatus::Cancelled),
        };
        work.screen.tell(&summary)?;
        let file = self.file.file.to_string_lossy();
        let file = shown(&file);
        if interrupted {
            eprintln!("tracker: stopped; {} lines are left, and the same command goes on with them", summary.waiting);
            return Ok(Exit::Interrupted);
        }
        if summary.given_up > 0 {
            eprintln!(
                "tracker: {} of {} lines were given up: `tracker errors {file}` tells why, --retry-failed runs them again",
                summary.given_up,
                counts.total()
            );
            return Ok(Exit::Findings);
        }
        Ok(Exit::Fine)
    }
}

/// The first Ctrl-C asks what runs to end, the second ends it by force; nothing is lost or counted by either.
fn stop_on_signals(work: &Work<'_>) -> Result<(), Failure> {
    let (groups, stop, interrupted) = (work.groups.clone(), work.stop.clone(), work.interrupted.clone());
    signals::on_request_to_end(move || {
        interrupted.store(true, Ordering::Relaxed);
        stop.stop();
        groups.stop();
    })
    .map_err(|error| Failure::file(format!("signals cannot be heard: {error}")))
}

fn without_terminal(error: &io::Error) -> Failure {
    Failure::usage(format!("--tty needs a terminal, and /dev/tty cannot be opened: {error}"))
}
