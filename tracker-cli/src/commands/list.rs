//! `tracker list`: the tasks that a filter selects, in pages. Reads the file.

use std::io;

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use serde::Serialize;
use tracker_core::{
    query::{Cursor, Query},
    untyped::Untyped,
};

use crate::{
    error::CliError,
    exit::Exit,
    file::{FileArg, KindArg},
    filter::FilterArg,
    output::{Cell, Output, Table, TextStyle, TextWriter, View, number, time, warn_unreadable},
    task::{TaskView, UntypedRecord},
};

/// Lists tasks of a kind, page by page
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    kind: KindArg,
    #[command(flatten)]
    filter: FilterArg,
    /// Orders by the last change of the status, or by creation
    #[arg(long, value_name = "TIME", default_value = "updated")]
    by: By,
    /// Oldest first instead of newest first
    #[arg(short, long)]
    oldest_first: bool,
    /// The number of tasks
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Continues after a page
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// The columns, separated by commas
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
    /// The number of tasks that match; absent if counting would read every task.
    total: Option<u64>,
    tasks: Vec<TaskView>,
    /// The cursor of the next page.
    next: Option<String>,
    #[serde(skip)]
    columns: Vec<Column>,
    #[serde(skip)]
    now: DateTime<Utc>,
}

impl Args {
    pub fn run(&self, output: &Output) -> Result<Exit, CliError> {
        let tracker = self.file.inspect()?;
        let tasks = self.kind.one(&tracker)?;
        let kind = tasks.info()?;
        let mut query = tasks.matching(&self.filter.conditions(None, tracker.now())?);
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
        output.print(&List {
            total,
            tasks: records.into_iter().map(|record| TaskView::new(record, &kind)).collect(),
            kind: kind.name,
            next: next.map(|next| next.to_string()),
            columns: self.columns.clone(),
            now: tracker.now(),
        })?;
        Ok(Exit::Success)
    }
}

/// Reads a full page, even if the query reads many tasks to find few.
fn page(mut query: Query<'_, Untyped>, limit: usize) -> Result<(Vec<UntypedRecord>, Option<Cursor>), CliError> {
    let mut found = Vec::new();
    loop {
        let page = query.clone().limit(limit - found.len()).page()?;
        warn_unreadable(&page.unreadable);
        found.extend(page.items);
        match page.next {
            Some(next) if found.len() < limit => query = query.after(next),
            next => return Ok((found, next)),
        }
    }
}

impl View for List {
    fn write(&self, out: &mut TextWriter<'_>) -> io::Result<()> {
        let head = self.columns.iter().map(|column| column.head());
        let mut table = Table::new(head);
        for task in &self.tasks {
            table.row(self.columns.iter().map(|column| column.cell(task, self.now)));
        }
        if !table.is_empty() {
            table.write(out)?;
        }
        let shown = number::grouped(self.tasks.len() as u64);
        let of = self.total.map(|total| format!(" of {}", number::grouped(total))).unwrap_or_default();
        let next = self.next.as_ref().map(|next| format!("; continue with --after {next}")).unwrap_or_default();
        out.line(TextStyle::Quiet, &format!("{shown}{of} tasks of {}{next}", self.kind))
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
        let style = task.status.means.into();
        match self {
            Self::Id => Cell::new(TextStyle::Plain, &task.id),
            Self::Status => Cell::new(style, &task.status.status),
            Self::Role => Cell::new(style, task.status.role),
            Self::Step => Cell::new(TextStyle::Plain, &task.status.step),
            Self::Priority => Cell::right(TextStyle::Plain, &task.priority),
            Self::Created => Cell::new(TextStyle::Quiet, time::relative(task.created_at, now)),
            Self::Updated => Cell::new(TextStyle::Quiet, time::relative(task.updated_at, now)),
            Self::Due => Cell::new(TextStyle::Quiet, time::relative(task.due_at, now)),
            Self::Attempts => Cell::right(TextStyle::Plain, &task.attempts),
            Self::Failures => Cell::right(TextStyle::Plain, &task.failures),
            Self::Crashes => Cell::right(TextStyle::Plain, &task.crashes),
            Self::Worker => Cell::new(TextStyle::Plain, task.lease.as_ref().map_or("", |lease| &lease.worker)),
            Self::Progress => {
                Cell::new(TextStyle::Plain, task.progress.as_ref().map(ToString::to_string).unwrap_or_default())
            }
            Self::Error => Cell::new(TextStyle::Bad, task.error.as_deref().unwrap_or_default()),
            Self::Task => Cell::new(TextStyle::Plain, serde_json::to_string(&task.task).unwrap_or_default()),
        }
    }
}
