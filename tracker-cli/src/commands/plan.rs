use std::io;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{
    Tasks,
    inspect::{BlockedGroup, BoundedCount, KindInfo, Plan, PlannedTask},
    untyped::Untyped,
};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    output::{Cell, Ink, Output, Page, Table, View, number, time},
    task::{StatusView, WhyView},
};

/// What would be claimed next, and why not the rest
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    /// Shows so many of those that are next, of each kind
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
    in_line: AmountView,
    next: Vec<PlannedView>,
    rest: Vec<RestView>,
}

/// Counted up to a limit: then there are more.
#[derive(Clone, Copy, Serialize)]
struct AmountView {
    count: u64,
    exact: bool,
}

#[derive(Serialize)]
struct PlannedView {
    id: String,
    #[serde(flatten)]
    status: StatusView,
    priority: u8,
    due_at: DateTime<Utc>,
    attempts: u32,
    failures: u32,
    why: WhyView,
}

#[derive(Serialize)]
struct RestView {
    #[serde(flatten)]
    status: StatusView,
    amount: AmountView,
    example: String,
    /// Why that one is not claimed.
    why: WhyView,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let kinds = self.kind.all(&tracker)?;
        let kinds = kinds.iter().map(|tasks| self.plan(tasks)).collect::<Result<_, _>>()?;
        output.put(&AllPlans { kinds, now: tracker.now() })?;
        Ok(Exit::Fine)
    }

    fn plan(&self, tasks: &Tasks<Untyped>) -> Result<PlanView, Failure> {
        let kind = tasks.info()?;
        let Plan { paused, next, in_line, rest, .. } = tasks.plan(self.limit)?;
        let next = next.iter().map(|planned| PlannedView::new(planned, &kind)).collect();
        let rest = rest.iter().map(|rest| RestView::new(rest, &kind)).collect();
        Ok(PlanView { kind: kind.name, paused, in_line: in_line.into(), next, rest })
    }
}

impl PlannedView {
    fn new(planned: &PlannedTask, kind: &KindInfo) -> Self {
        // A task that waits at the end of one step is started by the next.
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

impl RestView {
    fn new(rest: &BlockedGroup, kind: &KindInfo) -> Self {
        Self {
            status: StatusView::new(&rest.status, kind),
            amount: rest.amount.into(),
            example: rest.example.to_string(),
            why: (&rest.why).into(),
        }
    }
}

impl From<BoundedCount> for AmountView {
    fn from(amount: BoundedCount) -> Self {
        Self { count: amount.count, exact: amount.exact }
    }
}

impl std::fmt::Display for AmountView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", number::grouped(self.count), if self.exact { "" } else { "+" })
    }
}

impl View for AllPlans {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        for (at, kind) in self.kinds.iter().enumerate() {
            if at > 0 {
                page.end()?;
            }
            kind.show(page, self.now)?;
        }
        Ok(())
    }
}

impl PlanView {
    fn show(&self, page: &mut Page<'_>, now: DateTime<Utc>) -> io::Result<()> {
        page.text(Ink::Strong, &self.kind)?;
        page.text(Ink::Plain, &format!("  {} in line", self.in_line))?;
        page.line(Ink::Warn, if self.paused { ", but the kind is paused" } else { "" })?;
        let mut next = Table::new(["", "next", "step", "status", "priority", "due", "failures", "why not"]);
        for (at, planned) in (1_u64..).zip(&self.next) {
            let held = if planned.why.reason == "in_line" { "" } else { &planned.why.text };
            next.row([
                Cell::right(Ink::Quiet, &at),
                Cell::new(Ink::Plain, &planned.id),
                Cell::new(Ink::Quiet, &planned.status.step),
                Cell::new(planned.status.means.into(), &planned.status.status),
                Cell::right(Ink::Plain, &planned.priority),
                Cell::new(Ink::Quiet, time::relative(planned.due_at, now)),
                Cell::right(Ink::Plain, &planned.failures),
                Cell::new(Ink::Warn, held),
            ]);
        }
        if !next.is_empty() {
            next.without_empty_columns().show(page)?;
        }
        let mut rest = Table::new(["not", "status", "the first of them", "why"]);
        for others in &self.rest {
            rest.row([
                Cell::right(Ink::Plain, &others.amount),
                Cell::new(others.status.means.into(), &others.status.status),
                Cell::new(Ink::Plain, &others.example),
                Cell::new(Ink::Quiet, &others.why.text),
            ]);
        }
        if rest.is_empty() { Ok(()) } else { rest.show(page) }
    }
}
