//! `tracker plan`: what the next claims would start, and why other tasks would not start. Reads the file.

use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{
    Tasks,
    inspect::{BlockedGroup, BoundedCount, KindInfo, Plan, PlannedTask},
    untyped::Untyped,
};

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    output::{Cell, Output, Table, TextStyle, TextWriter, View, number, time},
    task::{ExplanationView, StatusView},
};

/// Shows which tasks would be claimed next, and why the others would not
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// The number of next tasks of each kind
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

#[derive(Serialize)]
struct AllPlans {
    kinds: Vec<PlanView>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

#[derive(Serialize)]
struct PlanView {
    kind: String,
    paused: bool,
    ready: BoundedCountView,
    next: Vec<PlannedTaskView>,
    blocked: Vec<BlockedGroupView>,
}

/// A count up to a limit; not exact if it reached the limit.
#[derive(Clone, Copy, Serialize)]
struct BoundedCountView {
    count: u64,
    exact: bool,
}

#[derive(Serialize)]
struct PlannedTaskView {
    id: String,
    #[serde(flatten)]
    status: StatusView,
    priority: u8,
    due_at: DateTime<Utc>,
    attempts: u32,
    failures: u32,
    why: ExplanationView,
}

#[derive(Serialize)]
struct BlockedGroupView {
    #[serde(flatten)]
    status: StatusView,
    count: BoundedCountView,
    example: String,
    /// Why the example is not claimed.
    why: ExplanationView,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(|tasks| self.plan(tasks)).collect::<Result<_, _>>()?;
        output.print(&AllPlans { kinds, now: tracker.now() })?;
        Ok(Exit::Success)
    }

    fn plan(&self, tasks: &Tasks<Untyped>) -> Result<PlanView, CliError> {
        let kind = tasks.info()?;
        let Plan { paused, next, queued, rest, .. } = tasks.plan(self.limit)?;
        let next = next.iter().map(|planned| PlannedTaskView::new(planned, &kind)).collect();
        let blocked = rest.iter().map(|rest| BlockedGroupView::new(rest, &kind)).collect();
        Ok(PlanView { kind: kind.name, paused, ready: queued.into(), next, blocked })
    }
}

impl PlannedTaskView {
    fn new(planned: &PlannedTask, kind: &KindInfo) -> Self {
        // The next step starts a task that has succeeded in the step before.
        let status = StatusView { step: planned.step.clone(), ..StatusView::new(&planned.status, kind) };
        Self {
            id: planned.id.to_string(),
            status,
            priority: planned.priority,
            due_at: planned.due_at,
            attempts: planned.attempts,
            failures: planned.failures,
            why: (&planned.why).into(),
        }
    }
}

impl BlockedGroupView {
    fn new(rest: &BlockedGroup, kind: &KindInfo) -> Self {
        Self {
            status: StatusView::new(&rest.status, kind),
            count: rest.amount.into(),
            example: rest.example.to_string(),
            why: (&rest.why).into(),
        }
    }
}

impl From<BoundedCount> for BoundedCountView {
    fn from(amount: BoundedCount) -> Self {
        Self { count: amount.count, exact: amount.exact }
    }
}

impl std::fmt::Display for BoundedCountView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", number::grouped(self.count), if self.exact { "" } else { "+" })
    }
}

impl View for AllPlans {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        for (at, kind) in self.kinds.iter().enumerate() {
            if at > 0 {
                out.end()?;
            }
            kind.write(out, self.now)?;
        }
        Ok(())
    }
}

impl PlanView {
    fn write(&self, out: &mut TextWriter<'_>, now: DateTime<Utc>) -> io::Result<()> {
        out.text(TextStyle::Strong, &self.kind)?;
        out.text(TextStyle::Plain, &format!("  {} ready", self.ready))?;
        out.line(TextStyle::Warn, if self.paused { ", but the kind is paused" } else { "" })?;
        let mut next = Table::new(["", "next", "step", "status", "priority", "due", "failures", "why not"]);
        for (at, planned) in (1_u64..).zip(&self.next) {
            let reason = if planned.why.reason == "ready" { "" } else { &planned.why.text };
            next.row([
                Cell::right(TextStyle::Quiet, &at),
                Cell::new(TextStyle::Plain, &planned.id),
                Cell::new(TextStyle::Quiet, &planned.status.step),
                Cell::new(planned.status.means.into(), &planned.status.status),
                Cell::right(TextStyle::Plain, &planned.priority),
                Cell::new(TextStyle::Quiet, time::relative(planned.due_at, now)),
                Cell::right(TextStyle::Plain, &planned.failures),
                Cell::new(TextStyle::Warn, reason),
            ]);
        }
        if !next.is_empty() {
            next.without_empty_columns().write(out)?;
        }
        let mut blocked = Table::new(["blocked", "status", "example", "why"]);
        for group in &self.blocked {
            blocked.row([
                Cell::right(TextStyle::Plain, &group.count),
                Cell::new(group.status.means.into(), &group.status.status),
                Cell::new(TextStyle::Plain, &group.example),
                Cell::new(TextStyle::Quiet, &group.why.text),
            ]);
        }
        if blocked.is_empty() { Ok(()) } else { blocked.write(out) }
    }
}
