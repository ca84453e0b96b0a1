//! The progress of one kind, as `tracker status` prints it. Called by `status`; reads the tracker.

use std::{collections::BTreeMap, io, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, inspect::LeasedTask, untyped::Untyped};

use super::{problem::Problem, throughput::ThroughputView};
use crate::{
    error::CliError,
    output::{TextStyle, TextWriter, number, time},
    task::CountsView,
};

#[derive(Serialize)]
pub struct KindStatus {
    #[serde(flatten)]
    counts: CountsView,
    paused: bool,
    throughput: ThroughputView,
    oldest_waiting: Option<OldestTask>,
    /// At most the thousand leases that expire first are counted.
    leases: u64,
    /// The workers that hold them.
    workers: Vec<WorkerLeases>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct OldestTask {
    id: String,
    since: DateTime<Utc>,
}

#[derive(Serialize)]
struct WorkerLeases {
    worker: String,
    tasks: u64,
    /// The start of its longest attempt.
    since: DateTime<Utc>,
}

/// The number of leases that are read.
const LEASES: usize = 1_000;
/// The number of workers that are listed.
const WORKERS: usize = 8;

impl KindStatus {
    pub fn of(tasks: &Tasks<Untyped>, window: Duration, no_worker: bool) -> Result<Self, CliError> {
        let (kind, counts) = (tasks.info()?, tasks.counts()?);
        let attempts_left = kind.attempts_left(&counts);
        let counts = CountsView::new(&kind, &counts);
        let leased = tasks.leases(LEASES)?;
        let plan = tasks.plan(1)?;
        let oldest = tasks.oldest_waiting()?;
        Ok(Self {
            throughput: ThroughputView::of(tasks, attempts_left, window)?,
            oldest_waiting: oldest.map(|oldest| OldestTask { id: oldest.id.to_string(), since: oldest.since }),
            leases: leased.len() as u64,
            workers: workers(&leased),
            problems: Problem::all(&kind, &counts, &leased, &plan, no_worker),
            paused: kind.paused,
            counts,
        })
    }

    pub fn write(&self, out: &mut TextWriter<'_>, now: DateTime<Utc>) -> io::Result<()> {
        out.text(TextStyle::Strong, &self.counts.kind)?;
        out.text(TextStyle::Plain, &format!("  {}", number::counted(self.counts.total, "task", "tasks")))?;
        out.line(TextStyle::Warn, if self.paused { ", paused" } else { "" })?;
        self.counts.write(out)?;
        for (name, text) in self.throughput.facts() {
            write_fact(out, name, &text)?;
        }
        if let Some(oldest) = &self.oldest_waiting {
            write_fact(out, "waiting", &format!("longest, for {}: {}", time::since(oldest.since, now), oldest.id))?;
        }
        for (at, worker) in self.workers.iter().take(WORKERS).enumerate() {
            let name = if at == 0 { "workers" } else { "" };
            let tasks = number::counted(worker.tasks, "task", "tasks");
            write_fact(
                out,
                name,
                &format!("{}: {tasks}, the longest for {}", worker.worker, time::since(worker.since, now)),
            )?;
        }
        if self.workers.len() > WORKERS {
            write_fact(out, "", &format!("and {} others", self.workers.len() - WORKERS))?;
        }
        for problem in &self.problems {
            out.line(TextStyle::Warn, &format!("  ! {}", problem.text))?;
        }
        Ok(())
    }
}

fn write_fact(out: &mut TextWriter<'_>, name: &str, text: &str) -> io::Result<()> {
    out.text(TextStyle::Quiet, &format!("  {name:<9}"))?;
    out.line(TextStyle::Plain, text)
}

/// Groups leases by worker, the worker with most leases first.
fn workers(leased: &[LeasedTask]) -> Vec<WorkerLeases> {
    let mut by_worker: BTreeMap<&str, WorkerLeases> = BTreeMap::new();
    for LeasedTask { lease, .. } in leased {
        let group = by_worker.entry(&lease.worker).or_insert_with(|| WorkerLeases {
            worker: lease.worker.clone(),
            tasks: 0,
            since: lease.since,
        });
        group.tasks += 1;
        group.since = group.since.min(lease.since);
    }
    let mut workers: Vec<_> = by_worker.into_values().collect();
    workers.sort_by_key(|worker| std::cmp::Reverse(worker.tasks));
    workers
}
