//! The page of workers and their leases.

use maud::{Markup, html};
use tracker_core::inspect::LeasedTask;

use super::{
    Frame, page,
    status::{progress, task_link},
};
use crate::{
    format::{Span, Text, between, counted, time},
    model::workers::{WorkerLeases, WorkersPage},
};

pub fn workers(frame: &Frame, workers: &WorkersPage) -> Markup {
    let content = html! {
        h1 { "Workers" }
        div #workers data-live {
            @if workers.workers.is_empty() { p.quiet { "No task is running." } }
            @for worker in &workers.workers { (self::worker(worker, workers)) }
            @if workers.has_more { p.quiet { "Of each kind, only the leases that expire first are shown." } }
        }
    };
    page(frame, "Workers", "workers", &content)
}

fn worker(worker: &WorkerLeases, page: &WorkersPage) -> Markup {
    html! {
        h2 { (Text(&worker.worker)) }
        p.quiet { (counted(worker.tasks.len() as u64, "running task", "running tasks")) }
        div.scroll tabindex="0" role="region" aria-label={ "Tasks of " (Text(&worker.worker)) } {
            table {
                thead {
                    tr {
                        th scope="col" { "Task" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Running for" }
                        th scope="col" { "Lease" }
                        th scope="col" { "Progress" }
                    }
                }
                tbody { @for (kind, leased) in &worker.tasks { (row(kind, leased, page)) } }
            }
        }
    }
}

fn row(kind: &str, leased: &LeasedTask, page: &WorkersPage) -> Markup {
    let lease = &leased.lease;
    html! {
        tr {
            th scope="row" { (task_link(kind, &leased.id)) }
            td { (Text(kind)) }
            td.nowrap { (Span(between(lease.since, page.now))) }
            td {
                @if leased.has_expired {
                    span.error { "expired " (time(lease.until, page.now)) }
                } @else {
                    "ends " (time(lease.until, page.now))
                }
                @if lease.detached { ", by a ticket" }
                @if leased.cancel_requested { ", asked to cancel" }
                @if leased.crashes > 0 { ", " (counted(leased.crashes.into(), "crash", "crashes")) " before" }
            }
            td { @if let Some(told) = &leased.progress { (progress(told)) } }
        }
    }
}
