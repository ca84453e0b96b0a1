//! The page of failures grouped by message. Called by `routes` with an `ErrorsPage`; pure.

use maud::{Markup, html};
use tracker_core::inspect::{ErrorGroup, ErrorGroups};

use super::{Frame, page, status::task_link};
use crate::{
    format::{Text, counted, number, time},
    model::errors::ErrorsPage,
    params::link,
};

/// The longest message that finds its tasks by a search, in bytes.
const SEARCHED: usize = 200;

pub fn errors(frame: &Frame, errors: &ErrorsPage) -> Markup {
    let content = html! {
        h1 { "Errors" }
        div #errors data-live {
            @if errors.kinds.is_empty() && errors.skipped.is_empty() { p.quiet { "No task has failed." } }
            @for (kind, groups) in &errors.kinds { (self::kind(kind, groups, errors)) }
            @for kind in &errors.skipped { p { a href=(link("errors", [("kind", kind.as_str())])) { "Errors of " (Text(kind)) } } }
        }
    };
    page(frame, "Errors", "errors", &content)
}

fn kind(kind: &str, groups: &ErrorGroups, page: &ErrorsPage) -> Markup {
    html! {
        h2 { a href=(link("errors", [("kind", kind)])) { (Text(kind)) } }
        p.quiet {
            "The last errors of " (counted(groups.looked_at, "task", "tasks"))
            " that failed or were given up"
            @if !groups.complete { ", the latest ones" }
            ". " code { "{id}" } " stands for the id of each task."
        }
        div.scroll tabindex="0" role="region" aria-label={ "Errors of " (Text(kind)) } {
            table {
                thead {
                    tr {
                        th.number scope="col" { "Tasks" }
                        th.number scope="col" { "Retrying" }
                        th scope="col" { "Error" }
                        th scope="col" { "Latest" }
                        th scope="col" { "Examples" }
                    }
                }
                tbody { @for group in &groups.groups { (self::group(kind, group, page)) } }
            }
        }
    }
}

fn group(kind: &str, group: &ErrorGroup, page: &ErrorsPage) -> Markup {
    // A search finds errors with a text, so it looks for the longest part of the message without a placeholder.
    let text = group.search_text();
    let is_found = text.len() <= SEARCHED && !text.is_empty();
    html! {
        tr {
            td.number data-label="Tasks" { (number(group.count)) }
            td.number data-label="Retrying" { (number(group.retrying)) }
            th.error scope="row" {
                @if is_found {
                    a href=(link("tasks", [("kind", kind), ("text", text)])) { (Text(&group.message)) }
                } @else if group.message.is_empty() {
                    span.quiet { "an error without a text" }
                } @else {
                    (Text(&group.message))
                }
                @if group.latest_error != group.message {
                    div.quiet { "such as: " (Text(&group.latest_error)) }
                }
            }
            td data-label="Latest" { (time(group.latest, page.now)) }
            td data-label="Examples" { ul.plain { @for id in &group.examples { li { (task_link(kind, id)) } } } }
        }
    }
}
