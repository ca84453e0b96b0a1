//! The page of running tasks and their workers. Called by `routes` with a `WorkersPage`; pure.

use maud::{Markup, html};
use tracker_core::inspect::LeasedTask;

use super::{
    Frame, page,
    status::{progress, task_link},
};
use crate::{
    format::{Span, Text, between, counted, time},
    model::workers::WorkersPage,
};

pub fn workers(frame: &Frame, workers: &WorkersPage) -> Markup {
    let content = html! {
        h1 { "Workers" }
        div #workers data-live {
            @if workers.tasks.is_empty() {
                p.quiet { "No task is running." }
            } @else {
                p.quiet {
                    (counted(workers.tasks.len() as u64, "running task", "running tasks"))
                    " of " (counted(workers.workers as u64, "worker", "workers"))
                }
                (table(workers))
            }
            @if workers.has_more { p.quiet { "There are more: of each kind, the leases that expire first are shown." } }
        }
    };
    page(frame, "Workers", "workers", &content)
}

fn table(workers: &WorkersPage) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Running tasks" {
            table {
                thead {
                    tr {
                        th scope="col" { "Task" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Worker" }
                        th scope="col" { "Running for" }
                        th scope="col" { "Progress" }
                        th scope="col" { "Lease" }
                    }
                }
                tbody { @for (kind, leased) in &workers.tasks { (row(kind, leased, workers)) } }
            }
        }
    }
}

fn row(kind: &str, leased: &LeasedTask, page: &WorkersPage) -> Markup {
    let lease = &leased.lease;
    html! {
        tr {
            th scope="row" { (task_link(kind, &leased.id)) }
            td data-label="Kind" { (Text(kind)) }
            td data-label="Worker" { (Text(&lease.worker)) }
            td.nowrap data-label="Running for" { (Span(between(lease.since, page.now))) }
            td data-label="Progress" { @if let Some(told) = &leased.progress { (progress(told)) } }
            td data-label="Lease" {
                @if leased.has_expired {
                    span.error { "expired " (time(lease.until, page.now)) }
                } @else {
                    "ends " (time(lease.until, page.now))
                }
                @if lease.detached { ", by a ticket" }
                @if leased.cancel_requested { ", asked to cancel" }
                @if leased.crashes > 0 { ", " (counted(leased.crashes.into(), "crash", "crashes")) " before" }
            }
        }
    }
}
