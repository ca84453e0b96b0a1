//! The page of one task. Called by `routes` with a `TaskPage`; pure.

use maud::{Markup, html};
use tracker_core::{
    dependency::{Dependency, DependencyTarget},
    record::Attempt,
};

use super::{
    Frame, command, page,
    status::{badge, progress, sentence, task_link},
};
use crate::{
    format::{Span, Text, bytes, counted, exact, time},
    model::{
        step_of,
        task::{NEIGHBOURS, TaskPage},
    },
    params::{id_param, link},
};

pub fn task(frame: &Frame, task: &TaskPage) -> Markup {
    let id = task.record.id.to_string();
    let content = html! {
        p.crumbs { a href=(link("tasks", [("kind", task.kind.name.as_str())])) { (Text(&task.kind.name)) } }
        h1.id { (Text(&id)) }
        div #state data-live {
            p.why { (badge(&task.record.status, &task.kind)) " " span { (sentence(&task.why.to_string())) } }
            (facts(task))
            @if frame.is_writable() { (command::for_task(task)) }
        }
        (neighbours(task))
        h2 { "Payload" }
        (payload(task))
        h2 { "Attempts" }
        div #attempts data-live { (attempts(task)) }
    };
    page(frame, &id, "kinds", &content)
}

fn facts(task: &TaskPage) -> Markup {
    let (record, now) = (&task.record, task.now);
    let step = step_of(&record.status, &task.kind);
    html! {
        dl.facts {
            @if !step.is_empty() { div { dt { "Step" } dd { (Text(&step)) } } }
            @if let Some(told) = &record.progress { div { dt { "Progress" } dd { (progress(told)) ", " (time(told.at, now)) } } }
            @if let Some(lease) = &record.lease {
                div { dt { "Worker" } dd { (Text(&lease.worker)) ", since " (time(lease.since, now)) @if lease.detached { ", by a ticket" } } }
                div { dt { "Lease" } dd { "ends " (time(lease.until, now)) " unless it is renewed" } }
            }
            @if record.cancel_requested { div { dt { "Cancel" } dd { "requested: the attempt ends as cancelled unless it succeeds" } } }
            @if record.paused { div { dt { "Paused" } dd { "no claim starts it until it is resumed" } } }
            div { dt { "Submitted" } dd { (time(record.created_at, now)) } }
            div { dt { "Changed" } dd { (time(record.updated_at, now)) } }
            @if record.due_at > now { div { dt { "Due" } dd { (time(record.due_at, now)) } } }
            div { dt { "Priority" } dd { (record.priority) } }
            div {
                dt { "Attempts" }
                dd {
                    (record.attempts)
                    @if record.failures > 0 { ", " (counted(record.failures.into(), "failure", "failures")) " in a row" }
                    @if record.crashes > 0 { ", " (counted(record.crashes.into(), "crash", "crashes")) }
                }
            }
            @if let Some(at) = record.scheduled_at { div { dt { "Scheduled for" } dd { (exact(at)) } } }
            @if let Some(trace) = &task.record.trace_context { div { dt { "Trace" } dd { code { (Text(&trace.to_string())) } } } }
            @if let Some(batch) = &task.batch {
                div { dt { "Batch" } dd { a href=(link("batch", [("label", batch.as_str())])) { (Text(batch)) } } }
            }
        }
    }
}

fn neighbours(task: &TaskPage) -> Markup {
    let more = |shown: usize, all: usize| (shown < all).then(|| format!("and {} others", all - shown));
    html! {
        @if !task.dependencies.is_empty() {
            h2 { "Waits for" }
            ul.plain {
                @for dependency in &task.dependencies { li { (target(dependency)) } }
                @if let Some(more) = more(task.dependencies.len(), task.record.waits_for as usize) { li.quiet { (more) } }
            }
        }
        @if !task.dependents.is_empty() {
            h2 { "Tasks that wait for it" }
            ul.plain {
                @for dependent in &task.dependents { li { (Text(&dependent.kind)) " " (task_link(&dependent.kind, &dependent.id)) } }
                @if task.dependents.len() >= NEIGHBOURS { li.quiet { "and perhaps others" } }
            }
        }
    }
}

fn target(dependency: &Dependency) -> Markup {
    html! {
        @match &dependency.on {
            DependencyTarget::Task(name) => { (Text(&name.kind)) " " (task_link(&name.kind, &name.id)) }
            other => { (Text(&other.to_string())) }
        }
    }
}

fn payload(task: &TaskPage) -> Markup {
    let payload = &task.payload;
    let raw = link("payload", [("kind", task.kind.name.as_str()), ("id", &id_param(&task.record.id))]);
    html! {
        pre tabindex="0" aria-label="Payload as JSON" { code { (Text(&payload.text)) @if payload.is_cut { "…" } } }
        p.quiet {
            (bytes(payload.stored)) " stored"
            @if payload.is_cut { "; this is only the beginning" }
            ". " a href=(raw) { "Download as JSON" }
        }
    }
}

fn attempts(task: &TaskPage) -> Markup {
    let history = &task.record.history;
    let earlier = (task.record.ended as usize).saturating_sub(history.len());
    html! {
        @if history.is_empty() { p.quiet { "No attempt has ended." } }
        ol.attempts {
            @for attempt in history.iter().rev() { (self::attempt(attempt, task)) }
        }
        @if earlier > 0 { p.quiet { (counted(earlier as u64, "earlier attempt is", "earlier attempts are")) " not kept." } }
    }
}

fn attempt(attempt: &Attempt, task: &TaskPage) -> Markup {
    let step = task.kind.steps.get(usize::from(attempt.step)).filter(|step| !step.is_empty());
    html! {
        li {
            p {
                strong { "Attempt " (attempt.attempt) } " "
                span class={ "badge " (attempt.status.name()) } { (attempt.status.name().replace('_', " ")) }
                " after " (Span(attempt.duration)) ", " (time(attempt.ended_at, task.now))
            }
            p.quiet {
                (Text(&attempt.worker)) ", fence " (attempt.fence) ", started " (exact(attempt.started_at))
                @if let Some(step) = step { ", step " (Text(step)) }
            }
            @if let Some(failure) = &attempt.failure {
                pre.error tabindex="0" aria-label="Error" {
                    @if failure.panicked { "panicked: " }
                    (Text(&failure.error))
                    @for cause in &failure.causes { "\n  caused by: " (Text(cause)) }
                }
                @if !failure.debug.is_empty() && failure.debug != failure.error {
                    details { summary { "Debug form" } pre tabindex="0" aria-label="Debug form" { (Text(&failure.debug)) } }
                }
            }
            @for note in &attempt.notes { p.note { (Text(note)) } }
            @if !attempt.metrics.is_empty() {
                dl.facts { @for (name, value) in &attempt.metrics { div { dt { (Text(name)) } dd { (value) } } } }
            }
        }
    }
}
