//! The forms of commands on the pages of tasks and kinds, and the page that asks before a command is performed. Called by pages and `site`;
//! pure.

use maud::{Markup, html};
use tracker_core::{
    live::{Request, Selection},
    status::Role,
};

use super::{Frame, page, status::sentence};
use crate::{
    command::{AGES, Command},
    format::{Text, counted, number},
    model::{count::Count, task::TaskPage, tasks::TasksPage},
    params::{Params, id_param},
};

/// The commands on selected tasks, or on all that match: name and label.
const CHANGES: [(&str, &str); 5] =
    [("retry", "Retry"), ("requeue", "Requeue"), ("cancel", "Cancel"), ("pause", "Pause"), ("resume", "Resume")];

/// The form below a list of tasks. Its check boxes are in the table.
pub fn for_tasks(tasks: &TasksPage) -> Markup {
    html! {
        form.actions #command method="post" action="command" aria-label="Commands on tasks" {
            @for (name, value) in tasks.filter.pairs() { input type="hidden" name=(name) value=(value); }
            fieldset {
                legend.hidden { "Tasks" }
                label { input type="radio" name="scope" value="selected" checked; "Selected tasks" }
                label { input type="radio" name="scope" value="all"; "All that match" }
            }
            @for (name, label) in CHANGES { button type="submit" name="change" value=(name) { (label) "…" } }
            (priority(5))
        }
    }
}

fn priority(value: u8) -> Markup {
    html! {
        label { "Priority" input type="number" name="priority" min="0" max="255" value=(value); }
        button type="submit" name="change" value="priority" { "Set priority" }
    }
}

/// The commands of a kind.
pub fn for_kind(kind: &str, is_paused: bool) -> Markup {
    let (change, label) =
        if is_paused { ("resume-kind", "Resume the kind") } else { ("pause-kind", "Pause the kind…") };
    html! {
        form.actions method="post" action="command" aria-label="Commands on the kind" {
            input type="hidden" name="kind" value=(kind);
            button type="submit" name="change" value=(change) { (label) }
            label {
                "Ended"
                select name="age" { @for (age, label) in AGES { option value=(age) selected[age == 86_400] { (label) } } }
            }
            button.danger type="submit" name="change" value="prune" { "Delete ended tasks…" }
        }
    }
}

/// The commands of one task: those that its status allows.
pub fn for_task(task: &TaskPage) -> Markup {
    let (record, ended) = (&task.record, task.kind.has_ended(&task.record.status));
    let runs = record.lease.is_some();
    let has_failed = matches!(record.status.role, Role::Failed | Role::Exhausted);
    html! {
        form.actions method="post" action="command" aria-label="Commands on the task" {
            input type="hidden" name="kind" value=(task.kind.name);
            input type="hidden" name="id" value=(id_param(&record.id));
            input type="hidden" name="from" value="task";
            @if has_failed {
                button type="submit" name="change" value="retry" { "Retry" }
            } @else if !runs {
                button type="submit" name="change" value="requeue" { "Requeue" }
            }
            @if !ended {
                @if record.paused {
                    button type="submit" name="change" value="resume" { "Resume" }
                } @else {
                    button type="submit" name="change" value="pause" { "Pause" }
                }
                button.danger type="submit" name="change" value="cancel" { "Cancel…" }
                (priority(record.priority))
            }
        }
    }
}

/// Asks before a command, with the number of tasks. Its form repeats the first one.
pub fn confirm(frame: &Frame, command: &Command, form: &Params, count: Count) -> Markup {
    let (one, many) = command.unit;
    let subject = match count {
        Count::Exact(count) => counted(count, one, many),
        Count::AtLeast(count) => format!("{} {many} or more", number(count)),
    };
    let question = format!("{} {subject}?", command.verb);
    let is_empty = count == Count::Exact(0);
    let content = html! {
        h1 { (question) }
        @if is_empty {
            p { "No task is concerned: nothing would change." }
        } @else {
            p { (sentence(command.effect)) }
            @if let Some(filter) = filter_of(command) { p { "All tasks that match: " (filter) } }
            form.actions method="post" action="command" {
                @for (name, value) in form.except("confirmed") { input type="hidden" name=(name) value=(value); }
                input type="hidden" name="confirmed" value="1";
                button.danger type="submit" autofocus { (command.verb) " " (subject) }
            }
        }
        p { a href=(command.back) { "Back, and change nothing" } }
    };
    page(frame, &question, "kinds", &content)
}

/// The conditions of a command on all tasks that match, in words.
fn filter_of(command: &Command) -> Option<Markup> {
    let Request::Tasks { selection: Selection::Filter(filter), .. } = &command.request else { return None };
    Some(html! {
        "kind " strong { (Text(filter.kind.as_deref().unwrap_or_default())) }
        @if !filter.statuses.is_empty() { ", status " strong { (Text(&filter.statuses.join(", "))) } }
        @if let Some((field, value)) = &filter.index { ", " (Text(field)) " " strong { (Text(value)) } }
        @if let Some(text) = &filter.containing { ", with the text " strong { (Text(text)) } }
        "."
    })
}
