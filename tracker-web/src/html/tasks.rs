//! The list of tasks of a kind, with its filter. Called by `routes` with a `TasksPage`; pure.

use maud::{Markup, html};
use tracker_core::status::Role;

use super::{
    Frame, command, page,
    status::{badge, progress, task_link},
};
use crate::{
    format::{Text, counted, first_line, number, time},
    model::{
        UntypedRecord, step_of,
        tasks::{Sort, TasksPage},
    },
    params::{id_param, link},
};

/// The longest error in the list, in characters.
const ERROR: usize = 160;

pub fn tasks(frame: &Frame, tasks: &TasksPage) -> Markup {
    let title = &tasks.kind.name;
    let content = html! {
        h1 { (Text(title)) @if tasks.kind.paused { " " span.badge.paused { "paused" } } }
        (filter(tasks))
        @if frame.is_writable() { (command::for_tasks(tasks)) }
        div #tasks data-live {
            p.quiet { (summary(tasks)) }
            @if !tasks.unreadable.is_empty() { (unreadable(tasks)) }
            @if tasks.tasks.is_empty() {
                @if tasks.unreadable.is_empty() && !tasks.is_cut { p { "No task matches." } }
            } @else {
                (table(frame, tasks))
            }
            (next(tasks))
        }
        @if frame.is_writable() {
            h2 { "All tasks of the kind" }
            (command::for_kind(&tasks.kind.name, tasks.kind.paused))
        }
    };
    page(frame, title, "kinds", &content)
}

fn filter(tasks: &TasksPage) -> Markup {
    let (kind, filter) = (&tasks.kind, &tasks.filter);
    let chosen = |code: i32| filter.statuses.iter().any(|status| *status == code.to_string());
    let (field, value) = filter.index.as_ref().map_or(("", ""), |(field, value)| (field.as_str(), value.as_str()));
    html! {
        form.filter method="get" action="tasks" role="search" aria-label="Filter" {
            input type="hidden" name="kind" value=(kind.name);
            label {
                "Status"
                select name="status" {
                    option value="" { "All (" (number(tasks.counts.total())) ")" }
                    @for status in &kind.statuses {
                        option value=(status.code) selected[chosen(status.code)] {
                            (Text(&status.name))
                            @let step = step_of(status, kind);
                            @if !step.is_empty() { " · " (Text(&step)) }
                            " (" (number(tasks.counts.of_code(status.code))) ")"
                        }
                    }
                }
            }
            @if !kind.indexes.is_empty() {
                label {
                    "Index"
                    select name="index" {
                        @for index in &kind.indexes { option value=(index) selected[index == field] { (Text(index)) } }
                    }
                }
                label { "Value" input type="text" name="value" value=(value) maxlength="1024" autocomplete="off"; }
            }
            label {
                "Text in id or error"
                input type="search" name="text" value=(filter.text.as_deref().unwrap_or_default()) maxlength="1024" autocomplete="off";
            }
            label {
                "Order"
                select name="sort" {
                    @for sort in Sort::ALL { option value=(sort.name()) selected[sort == filter.sort] { (sort.label()) } }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

fn summary(tasks: &TasksPage) -> Markup {
    html! {
        @match tasks.total {
            Some(total) if total.exact => { (counted(total.count, "task matches", "tasks match")) },
            Some(total) => { "More than " (counted(total.count, "task matches", "tasks match")) },
            None => { "A search by text reads every task" },
        }
        "; this page shows " (number((tasks.tasks.len() + tasks.unreadable.len()) as u64)) "."
        @if tasks.filter.index.is_some() { " The tasks of an index are in the order of their submission." }
    }
}

fn unreadable(tasks: &TasksPage) -> Markup {
    html! {
        div.notice.bad {
            p { (counted(tasks.unreadable.len() as u64, "task cannot be decoded:", "tasks cannot be decoded:")) }
            ul { @for task in &tasks.unreadable { li { (Text(&task.id.to_string())) ": " (Text(&task.error.to_string())) } } }
        }
    }
}

fn table(frame: &Frame, tasks: &TasksPage) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tasks" {
            table {
                thead {
                    tr {
                        @if frame.is_writable() { th.check scope="col" { span.hidden { "Select" } } }
                        th scope="col" { "Task" }
                        th scope="col" { "Status" }
                        th scope="col" { "Changed" }
                        th.number scope="col" { "Attempts" }
                        th scope="col" { "Latest" }
                    }
                }
                tbody { @for record in &tasks.tasks { (row(frame, tasks, record)) } }
            }
        }
    }
}

fn row(frame: &Frame, tasks: &TasksPage, record: &UntypedRecord) -> Markup {
    let id = record.id.to_string();
    html! {
        tr {
            @if frame.is_writable() {
                td.check {
                    input type="checkbox" name="id" value=(id_param(&record.id)) form="command" aria-label={ "Select " (Text(&id)) };
                }
            }
            th scope="row" { (task_link(&tasks.kind.name, &record.id)) }
            td data-label="Status" { (badge(&record.status, &tasks.kind)) @if record.paused { " " span.badge.paused { "paused" } } }
            td data-label="Changed" { (time(record.updated_at, tasks.now)) }
            td.number data-label="Attempts" { (number(record.attempts.into())) }
            td.latest data-label="Latest" { (latest(record)) }
        }
    }
}

/// The latest state of a task: its progress, its worker, or its last error.
fn latest(record: &UntypedRecord) -> Markup {
    let has_succeeded = record.status.role == Role::Succeeded;
    let mut history = record.history.iter().rev().filter(|_| !has_succeeded);
    let failure = history.find_map(|attempt| attempt.failure.as_ref());
    html! {
        @if let Some(told) = &record.progress {
            (progress(told))
        } @else if let Some(lease) = &record.lease {
            span.quiet { (Text(&lease.worker)) }
        } @else if let Some(failure) = failure {
            span.error { (Text(&first_line(&failure.error, ERROR))) }
        }
    }
}

fn next(tasks: &TasksPage) -> Markup {
    let Some(cursor) = tasks.next else { return html! {} };
    let cursor = cursor.to_string();
    let mut pairs = tasks.filter.pairs();
    pairs.push(("after", &cursor));
    html! {
        p.next {
            @if tasks.is_cut { "The search stopped here so that it does not read too long. " }
            a rel="next" href=(link("tasks", pairs)) { @if tasks.is_cut { "Search on" } @else { "Next page" } }
        }
    }
}
