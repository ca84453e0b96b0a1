//! SHA-256 sums of all files below a folder, resumable: kill it whenever you like and start it again.
//!
//! ```text
//! cargo run --release --example checksums -- ~/Pictures --threads 4 --output sums.txt
//! sha256sum -c sums.txt
//! ```
//!
//! One task per file, its path is the id, and its fingerprint is the file's size and modification time: a second run skips
//! what has not changed since, and does again what has.

mod cli;
mod file;
mod hash;
mod output;
mod plan;
mod report;
mod walk;

use std::{io::IsTerminal, process::ExitCode, time::Instant};

use anyhow::Context;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tracker_core::{Tasks, TrackedTask, Tracker, status::Role, worker::StopHandle};

use crate::{cli::Cli, file::FileTask, plan::Plan, walk::Walk};

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let walk = Walk::new(&cli)?;
    if cli.plan { show_plan(&cli, &walk) } else { run(&cli, &walk) }
}

/// Says what would run and why. Looks into the file, if there is one, and changes nothing.
fn show_plan(cli: &Cli, walk: &Walk) -> anyhow::Result<ExitCode> {
    let tracker = if cli.db.exists() { Some(Tracker::inspect(&cli.db)?) } else { None };
    // The file may be one of another program's, with no checksums yet.
    let kinds = tracker.as_ref().map_or(Ok(Vec::new()), Tracker::kinds)?;
    let known = tracker.filter(|_| kinds.iter().any(|kind| kind == FileTask::KIND));
    let tasks = known.map(|tracker| tracker.tasks::<FileTask>()).transpose()?;
    let mut plan = Plan::of_all(cli.retry_failed);
    for found in walk.files() {
        match found {
            Ok(file) => plan.add(tasks.as_ref(), &file)?,
            Err(error) => plan.unreadable(&error),
        }
    }
    println!("{plan}");
    Ok(ExitCode::SUCCESS)
}

fn run(cli: &Cli, walk: &Walk) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let stop = StopHandle::new();
    stop_on_ctrl_c(&stop)?;
    let tracker = Tracker::open(&cli.db).with_context(|| format!("cannot open {}", cli.db.display()))?;
    let tasks = tracker.tasks::<FileTask>()?;

    let retried = if cli.retry_failed { tasks.query().role(Role::Exhausted).requeue()? } else { 0 };
    if retried > 0 {
        println!("failed files that are tried again: {retried}");
    }
    let plan = submit(&tasks, walk, &stop)?;
    println!("{plan}");
    if !stop.is_stopped() {
        work(&tasks, cli, &stop)?;
    }
    if stop.is_stopped() {
        let left = tasks.query().unfinished().total()?;
        println!("stopped; {left} files are left. The same command goes on from here.");
        return Ok(ExitCode::from(130));
    }

    let report = report::make(&tasks, walk)?;
    if let Some(path) = &cli.output {
        let lines = output::write(&tasks, walk, path).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{lines} lines in {}; check them with: sha256sum -c {}", path.display(), path.display());
    }
    println!("{report} in {:.1?}", begun.elapsed());
    Ok(if report.failed + plan.walk_errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the files in, in batches, and notes on the way what is new or changed.
fn submit(tasks: &Tasks<FileTask>, walk: &Walk, stop: &StopHandle) -> anyhow::Result<Plan> {
    let mut plan = Plan::of_changes();
    let mut trouble = None;
    let files = walk.files().take_while(|_| !stop.is_stopped()).filter_map(|found| match found {
        Ok(file) => {
            if let Err(error) = plan.add(Some(tasks), &file) {
                trouble.get_or_insert(error);
            }
            Some(file)
        }
        Err(error) => {
            plan.unreadable(&error);
            None
        }
    });
    tasks.submit_all(files)?;
    trouble.map_or(Ok(()), Err)?;
    // Files that were gone when their turn came, and are back.
    for path in plan.returned() {
        tasks.requeue(path)?;
    }
    Ok(plan)
}

fn work(tasks: &Tasks<FileTask>, cli: &Cli, stop: &StopHandle) -> anyhow::Result<()> {
    let waiting = tasks.query().unfinished().total()?;
    if waiting == 0 {
        return Ok(());
    }
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(waiting) } else { ProgressBar::hidden() };
    let look = "{elapsed_precise} {wide_bar} {human_pos}/{human_len} {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(look)?);
    let summary = tasks.worker().threads(cli.threads()).stopped_by(stop).run(|file| {
        let outcome = hash::body(file);
        bar.inc(1);
        outcome
    })?;
    bar.finish_and_clear();
    println!("{summary}");
    Ok(())
}

/// The first Ctrl-C lets the files that are being read end; a second one does not wait, which loses nothing either. Where
/// Ctrl-C is ignored already, as in a background job, it stays ignored.
fn stop_on_ctrl_c(stop: &StopHandle) -> anyhow::Result<()> {
    let stop = stop.clone();
    let set = ctrlc::try_set_handler(move || {
        if stop.is_stopped() {
            std::process::exit(130);
        }
        eprintln!("stopping after the files that are being read; Ctrl-C again stops at once");
        stop.stop();
    });
    match set {
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        set => Ok(set?),
    }
}
