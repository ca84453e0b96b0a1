//! `tracker run`: runs a command for each line of input, durably. This file opens the tracker, submits the lines and runs the worker; each
//! other file is one part, and `runner` is the handler.

mod args;
mod attempt_event;
mod backoff;
mod byte_text;
mod columns;
mod combinations;
mod command;
mod command_status;
mod exit_codes;
mod guard_process;
mod halt_condition;
mod input;
mod joblog;
mod line;
mod line_numbers;
pub mod logs;
mod orphans;
mod output_order;
mod parse_command;
mod placeholder;
mod plan;
mod process_groups;
mod read_line;
mod record;
mod record_reader;
mod results;
mod run_end;
mod run_output;
mod runner;
pub mod scheduled;
mod script;
pub mod signals;
mod slots;
mod source;
mod start_delay;
mod start_error;
mod start_limits;
mod stored_output;
mod submit_lines;
mod template;
mod terminal;
mod trace;

use std::{
    io::{self, IsTerminal},
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde::Serialize;
use tracker_core::{Tasks, Tracker, worker::StopHandle};

pub use self::args::Args;
use self::{
    exit_codes::RetryRule,
    input::Input,
    joblog::Joblog,
    line::{Line, LineStatus},
    line_numbers::{LineNumbers, Numbering, highest_given, unfinished},
    orphans::{AttemptTags, kill_orphans},
    plan::{PlanOptions, RunPlan},
    process_groups::ProcessGroups,
    results::{Results, ValueNames},
    run_end::RunEnd,
    run_output::{OutputMode, RunOutput},
    runner::{RunState, Runner},
    slots::MachineSlots,
    start_delay::StartDelay,
    start_limits::StartLimits,
    submit_lines::submit_lines,
    template::Template,
    terminal::Terminal,
};
use crate::{
    error::CliError,
    exit::Exit,
    file::Holder,
    output::{Output, escape_line, number},
};

/// The last event of a run in JSON: the counts of all lines in the file.
#[derive(Serialize)]
struct Summary {
    event: &'static str,
    succeeded: u64,
    given_up: u64,
    unfinished: u64,
    set_aside: u64,
}

impl Summary {
    fn of(tasks: &Tasks<Line>) -> Result<Self, CliError> {
        let counts = tasks.counts()?;
        Ok(Self {
            event: "summary",
            succeeded: counts.get(LineStatus::Succeeded),
            given_up: counts.get(LineStatus::Exhausted),
            unfinished: tasks.query().unfinished().total()?,
            set_aside: counts.get(LineStatus::Ignored) + counts.get(LineStatus::Cancelled),
        })
    }
}

/// The input and the numbers of its lines.
struct NumberedInput<'a> {
    input: Input,
    numbers: LineNumbers<'a>,
}

/// The advice for a program that cannot be executed.
const CHECK_COMMAND: &str = "check the command after --; with --shell it is read by /bin/sh";

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let given = (!self.scheduled).then(|| self.parse_command()).transpose()?;
        let retry_rule = self.retry_rule()?;
        self.check_options()?;
        let limits = StartLimits::new(self.load, self.memfree).map_err(CliError::usage)?;
        Line::set_policy(self.policy());
        if (self.plan || self.dry_run)
            && let Some(given) = given
        {
            let plan = self.make_plan(&given.template, given.input)?;
            if self.plan || output.is_json() {
                output.print(&plan)?;
            } else {
                plan.print_commands()?;
            }
            return Ok(Exit::Success);
        }
        let slots = MachineSlots::open(&self.slots)?;
        let trace = self.traceparent.clone().or_else(trace::of_environment);
        let (template, input, names) = match given {
            Some(given) => (Some(given.template), Some(given.input), given.names),
            None => (None, None, ValueNames::default()),
        };
        let results = self.results.as_deref().map(|folder| Results::open(folder, names)).transpose()?;
        let tracker = self.file.open_or_create()?;
        let tasks = tracker.tasks_as::<Line>(self.kind())?;
        let joblog = self.joblog.as_deref().map(|path| Joblog::open(path, self.file.path())).transpose()?;
        let tags = AttemptTags::of(&self.file)?;
        kill_orphans(&tags, &tasks)?;
        if let Some(template) = &template {
            self.check_command(&tasks, template)?;
        }
        if self.retry_failed {
            tasks.query().status(LineStatus::Exhausted).retry()?;
        }
        let numbered = |input| {
            let numbers = LineNumbers::new(&tracker, &tasks, self.numbering())?.traced(trace);
            Ok::<_, CliError>(NumberedInput { input, numbers })
        };
        let input = input.map(numbered).transpose()?;
        if self.scheduled && !self.quiet && !output.is_json() {
            eprintln!("tracker: {}", scheduled::start_message(&tracker, self.kind())?);
        }
        let ended = self.run_lines(
            &tasks,
            template.as_ref(),
            input,
            (tags, retry_rule, joblog, results, limits, slots),
            output,
        );
        let summary = Summary::of(&tasks);
        let closed = tracker.close();
        let ended = ended.and_then(|exit| closed.map(|()| exit).map_err(CliError::from));
        if let Some(command) = &self.notify {
            RunEnd::new(self.file.name(), self.kind(), &ended, summary.ok()).notify(command);
        }
        ended
    }

    fn make_plan(&self, template: &Template, input: Input) -> Result<RunPlan, CliError> {
        let tracker = if self.file.exists() { Some(self.file.inspect()?) } else { None };
        let kinds = tracker.as_ref().map_or(Ok(Vec::new()), Tracker::kinds)?;
        let known = tracker.as_ref().filter(|_| kinds.iter().any(|kind| kind == self.kind()));
        let tasks = known.map(|tracker| tracker.tasks_as::<Line>(self.kind())).transpose()?;
        let numbering = self.numbering();
        let highest = match (known, &tasks) {
            (Some(tracker), Some(tasks)) if numbering == Numbering::Stored => highest_given(tracker, tasks)?,
            _ => 0,
        };
        if let Some(tasks) = &tasks {
            self.refuse_other_command(tasks, template)?;
        }
        // A server does not tell which processes are alive.
        let has_writer = self.file.is_server() || self.file.holders().iter().any(Holder::can_write);
        let options = PlanOptions { retry_failed: self.retry_failed, has_writer, numbering, highest };
        RunPlan::of(input.read(template)?, tasks.as_ref(), &options)
    }

    /// Refuses another command than that of the stored lines, unless `--change-command` is given.
    fn check_command(&self, tasks: &Tasks<Line>, template: &Template) -> Result<(), CliError> {
        self.refuse_other_command(tasks, template)?;
        if self.change_command
            && let Some(newest) = tasks.query().by_creation().newest_first().first()?
        {
            tasks.update(&newest.id, |line| line.command = template.clone())?;
        }
        Ok(())
    }

    fn refuse_other_command(&self, tasks: &Tasks<Line>, template: &Template) -> Result<(), CliError> {
        match tasks.query().by_creation().newest_first().first()? {
            Some(newest) if newest.task.command != *template && !self.change_command => Err(CliError::usage(format!(
                "the lines in {} belong to another command ({}): --change-command continues with the new one, --name KIND \
                 starts another set of lines",
                escape_line(&self.file.name()),
                newest.task.command
            ))),
            _ => Ok(()),
        }
    }

    fn run_lines(
        &self,
        tasks: &Tasks<Line>,
        template: Option<&Template>,
        input: Option<NumberedInput<'_>>,
        (tags, retry_rule, joblog, results, limits, slots): (
            AttemptTags,
            RetryRule,
            Option<Joblog>,
            Option<Results>,
            StartLimits,
            MachineSlots,
        ),
        output: &Output,
    ) -> Result<Exit, CliError> {
        let mode = match (output.is_json(), self.quiet || results.is_some()) {
            (true, _) => OutputMode::Json,
            (false, true) => OutputMode::Nothing,
            (false, false) => OutputMode::Output,
        };
        let terminal = self.tty.then(Terminal::open).transpose().map_err(|error| without_terminal(&error))?;
        let mut run_output = RunOutput::new(mode, !self.tty && !self.scheduled, self.tag);
        if self.keep_order {
            run_output.keep_order(unfinished(tasks)?)?;
        }
        let run_output = Arc::new(run_output);
        let runner = Runner {
            tasks,
            is_shared: self.file.is_server(),
            template,
            timeout: self.timeout.map(|timeout| timeout.0),
            keep: self.keep.into(),
            halt: self.halt,
            delay: StartDelay::new(self.delay.0),
            slots,
            retry_rule,
            groups: Arc::new(ProcessGroups::new(self.grace.0)),
            stop: StopHandle::new(),
            interrupted: Arc::new(AtomicBool::new(false)),
            terminal,
            tags,
            output: &run_output,
            joblog,
            results,
            state: Mutex::new(RunState::default()),
        };
        stop_on_signals(&runner)?;
        let counts = tasks.counts()?;
        let left = tasks.query().unfinished().total()?;
        run_output.begin(counts.total(), counts.total() - left);
        // Without input, the run continues until it is stopped.
        let batches = match (input, template) {
            (Some(NumberedInput { input, numbers }), Some(template)) => {
                if input.reads_stdin() && io::stdin().is_terminal() {
                    eprintln!("tracker: reading lines from the terminal; Ctrl-D ends the input");
                }
                Some((input.read(template)?, numbers))
            }
            _ => None,
        };
        let done = thread::scope(|scope| {
            let runner = &runner;
            let threads =
                thread::Builder::new().spawn_scoped(scope, || runner.groups.enforce_timeouts()).and_then(|_| {
                    let submit = |(batches, numbers)| {
                        thread::Builder::new().spawn_scoped(scope, move || submit_lines(&batches, numbers, runner))
                    };
                    batches.map(submit).transpose()
                });
            let jobs = if self.tty { NonZero::new(1) } else { self.jobs };
            let jobs = jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
            let worker = runner.tasks.worker().threads(jobs).keep_running().stopped_by(&runner.stop);
            let worker = limits.apply(worker, &run_output);
            let done = threads.map(|_| worker.run(|line| runner.handle(line)));
            // Ends the thread that submits lines, also after an error.
            runner.stop.stop();
            runner.groups.close();
            done
        });
        let printed = run_output.end();
        let fatal_error = runner.lock().fatal_error.take();
        fatal_error.map_or(Ok(()), Err)?;
        printed?;
        done.map_err(|error| {
            CliError::file(format!("cannot start a thread: {error}: raise the limit of threads (ulimit -u)"))
        })??;
        self.finish(&runner, runner.interrupted.load(Ordering::Relaxed))
    }

    /// Prints the summary and returns the exit code.
    fn finish(&self, runner: &Runner<'_>, interrupted: bool) -> Result<Exit, CliError> {
        let summary = Summary::of(runner.tasks)?;
        runner.output.print_event(&summary)?;
        let file = self.file.word();
        if interrupted {
            let left = number::counted(summary.unfinished, "line is left", "lines are left");
            eprintln!("tracker: stopped; {left}: the same command continues");
            return Ok(Exit::Interrupted);
        }
        if summary.given_up > 0 {
            eprintln!(
                "tracker: {} of {} lines were given up: `tracker errors {file}` shows why, --retry-failed retries them",
                summary.given_up,
                runner.tasks.counts()?.total()
            );
            return Ok(Exit::Findings);
        }
        Ok(Exit::Success)
    }
}

/// The first Ctrl-C asks running commands to end, the second kills them. Neither counts as an attempt.
fn stop_on_signals(runner: &Runner<'_>) -> Result<(), CliError> {
    let (groups, stop, interrupted) = (runner.groups.clone(), runner.stop.clone(), runner.interrupted.clone());
    signals::on_request_to_end(move || {
        interrupted.store(true, Ordering::Relaxed);
        stop.stop();
        groups.stop();
    })
    .map_err(|error| CliError::file(format!("cannot handle signals: {error}")))
}

fn without_terminal(error: &io::Error) -> CliError {
    CliError::usage(format!("--tty needs a terminal, and /dev/tty cannot be opened: {error}"))
}
