use std::io;

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::Serialize;
use tracker_core::{
    query::{Cursor, Query},
    untyped::Untyped,
};

use crate::{
    exit::Exit,
    failure::Failure,
    file::{FileArg, KindArg},
    filter::FilterArg,
    output::{Cell, Ink, Output, Page, Table, View, number, report_unreadable, time},
    task::TaskView,
};

/// Tasks of a kind, page by page
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    #[command(flatten)]
    filter: FilterArg,
    /// By the last change of their status, or by their submission
    #[arg(long, value_name = "TIME", default_value = "updated")]
    by: By,
    /// Oldest first instead of newest first
    #[arg(short, long)]
    oldest_first: bool,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Goes on where a page ended
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// The columns, in this order, separated by commas
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', default_value = "id,status,updated,attempts,error")]
    columns: Vec<Column>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Updated,
    Created,
}

#[derive(Clone, Copy, ValueEnum)]
enum Column {
    Id,
    Status,
    Role,
    Step,
    Priority,
    Created,
    Updated,
    Due,
    Attempts,
    Failures,
    Crashes,
    Worker,
    Progress,
    Error,
    Task,
}

#[derive(Serialize)]
struct List {
    kind: String,
    /// How many there are in all; not counted where each would have to be looked at.
    total: Option<u64>,
    tasks: Vec<TaskView>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
    #[serde(skip)]
    columns: Vec<Column>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, Failure> {
        let tracker = self.file.look()?;
        let tasks = self.kind.one(&tracker)?;
        let kind = tasks.info()?;
        let mut query = self.filter.apply(tasks.query(), tracker.now())?;
        if self.by == By::Created {
            query = query.by_creation();
        }
        if !self.oldest_first {
            query = query.newest_first();
        }
        let total = if self.filter.is_slow() { None } else { Some(query.total()?) };
        if let Some(cursor) = self.after {
            query = query.after(cursor);
        }
        let (records, next) = page(query, self.limit)?;
        output.put(&List {
            total,
            tasks: records.into_iter().map(|record| TaskView::new(record, &kind)).collect(),
            kind: kind.name,
            next: next.map(|next| next.to_string()),
            columns: self.columns.clone(),
            now: tracker.now(),
        })?;
        Ok(Exit::Fine)
    }
}

type Record = tracker_core::Record<tracker_core::untyped::Payload, tracker_core::status::StatusInfo>;

/// A full page, even where a query looks at many tasks to find few.
fn page(mut query: Query<'_, Untyped>, limit: usize) -> Result<(Vec<Record>, Option<Cursor>), Failure> {
    let mut found = Vec::new();
    loop {
        let page = query.clone().limit(limit - found.len()).page()?;
        report_unreadable(&page.unreadable);
        found.extend(page.items);
        match page.next {
            Some(next) if found.len() < limit => query = query.after(next),
            next => return Ok((found, next)),
        }
    }
}

impl View for List {
    fn show(&self, page: &mut Page<'_>) -> io::Result<()> {
        let head = self.columns.iter().map(|column| column.head());
        let mut table = Table::new(head);
        for task in &self.tasks {
            table.row(self.columns.iter().map(|column| column.cell(task, self.now)));
        }
        if !table.is_empty() {
            table.show(page)?;
        }
        let shown = number::grouped(self.tasks.len() as u64);
        let of = self.total.map(|total| format!(" of {}", number::grouped(total))).unwrap_or_default();
        let next = self.next.as_ref().map(|next| format!("; go on with --after {next}")).unwrap_or_default();
        page.line(Ink::Quiet, &format!("{shown}{of} tasks of {}{next}", self.kind))
    }
}

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Status => "status",
            Self::Role => "role",
            Self::Step => "step",
            Self::Priority => "priority",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Due => "due",
            Self::Attempts => "attempts",
            Self::Failures => "failures",
            Self::Crashes => "crashes",
            Self::Worker => "worker",
            Self::Progress => "progress",
            Self::Error => "error",
            Self::Task => "task",
        }
    }

    fn cell(self, task: &TaskView, now: DateTime<Utc>) -> Cell {
        let ink = task.status.means.into();
        match self {
            Self::Id => Cell::new(Ink::Plain, &task.id),
            Self::Status => Cell::new(ink, &task.status.status),
            Self::Role => Cell::new(ink, task.status.role),
            Self::Step => Cell::new(Ink::Plain, &task.status.step),
            Self::Priority => Cell::right(Ink::Plain, &task.priority),
            Self::Created => Cell::new(Ink::Quiet, time::relative(task.created_at, now)),
            Self::Updated => Cell::new(Ink::Quiet, time::relative(task.updated_at, now)),
            Self::Due => Cell::new(Ink::Quiet, time::relative(task.due_at, now)),
            Self::Attempts => Cell::right(Ink::Plain, &task.attempts),
            Self::Failures => Cell::right(Ink::Plain, &task.failures),
            Self::Crashes => Cell::right(Ink::Plain, &task.crashes),
            Self::Worker => Cell::new(Ink::Plain, task.lease.as_ref().map_or("", |lease| &lease.worker)),
            Self::Progress => {
                Cell::new(Ink::Plain, task.progress.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            Self::Error => Cell::new(Ink::Bad, task.error.as_deref().unwrap_or_default()),
            Self::Task => Cell::new(Ink::Plain, serde_json::to_string(&task.task).unwrap_or_default()),
        }
    }
}
