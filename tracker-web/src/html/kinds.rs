//! The start page: all kinds with their progress. Called by `routes` with a `KindsPage`; pure.

use maud::{Markup, html};
use tracker_core::inspect::Throughput;

use super::{
    Frame, page,
    status::{bar, task_link},
};
use crate::{
    format::{Span, Text, between, counted, number},
    model::kinds::{KindSummary, KindsPage},
    params::link,
};

pub fn kinds(frame: &Frame, kinds: &KindsPage) -> Markup {
    let content = html! {
        h1 { "Kinds" }
        @if kinds.kinds.is_empty() { p.quiet { "No task was submitted yet." } }
        div.cards #kinds data-live {
            @for kind in &kinds.kinds { (card(kind, kinds)) }
        }
        @if let Some(next) = &kinds.next {
            p { a rel="next" href=(link("kinds", [("after", next.as_str())])) { "More kinds" } }
        }
    };
    page(frame, "Kinds", "kinds", &content)
}

fn card(kind: &KindSummary, page: &KindsPage) -> Markup {
    let shares: Vec<_> = kind.statuses.iter().map(|counted| (counted.role, counted.count)).collect();
    let all = link("tasks", [("kind", kind.name.as_str())]);
    html! {
        section.card {
            h2 {
                a href=(all) { (Text(&kind.name)) }
                @if kind.paused { " " span.badge.paused { "paused" } }
            }
            p.quiet { (counted(kind.total, "task", "tasks")) ", " (number(kind.ended)) " ended" }
            (bar(&shares))
            ul.counts {
                @for counted in kind.statuses.iter().filter(|counted| counted.count > 0) {
                    @let code = counted.status.code.to_string();
                    li {
                        a href=(link("tasks", [("kind", kind.name.as_str()), ("status", code.as_str())])) {
                            span class={ "dot " (counted.role.name()) } aria-hidden="true" {}
                            span.label {
                                (Text(&counted.status.name))
                                @if !counted.step.is_empty() { span.quiet { " " (Text(&counted.step)) } }
                            }
                            span.number { (number(counted.count)) }
                        }
                    }
                }
            }
            dl.facts {
                @if let Some(found) = &kind.throughput { (throughput(found, kind.attempts_left)) }
                @if let Some(oldest) = &kind.oldest {
                    div { dt { "Oldest waiting" } dd { (Span(between(oldest.since, page.now))) ": " (task_link(&kind.name, &oldest.id)) } }
                }
                @if kind.leases > 0 {
                    div {
                        dt { "Running" }
                        dd {
                            (number(kind.leases as u64)) @if kind.more_leases { "+" }
                            " by " (counted(kind.workers as u64, "worker", "workers"))
                        }
                    }
                }
            }
        }
    }
}

fn throughput(found: &Throughput, attempts_left: u64) -> Markup {
    let window = Span(between(found.since, found.until));
    let per_second = found.succeeded_per_second();
    html! {
        @if found.succeeded + found.failed == 0 {
            div { dt { "Throughput" } dd.quiet { "nothing ended within " (window) } }
        } @else {
            div {
                dt { "Throughput" }
                dd {
                    @if per_second > 0.0 { (format!("{per_second:.1}")) " per second; " }
                    (number(found.succeeded)) " succeeded, " (number(found.failed)) " failed within " (window)
                }
            }
            @if let (Some(median), Some(p95)) = (found.percentile(50), found.percentile(95)) {
                div { dt { "Duration" } dd { "median " (Span(median)) ", 95% below " (Span(p95)) } }
            }
            @if let Some(left) = found.time_for(attempts_left) { div { dt { "Time left" } dd { "about " (Span(left)) } } }
        }
    }
}
