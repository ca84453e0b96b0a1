//! The page of schedules, with forms to run, pause and remove them. Called by `routes` with a `SchedulesPage`; pure.

use maud::{Markup, html};
use tracker_core::schedule::OccurrenceRecord;

use super::{Frame, page};
use crate::{
    format::{Text, exact, number, time},
    model::schedules::{ScheduleSummary, SchedulesPage},
    params::{id_param, link},
};

pub fn schedules(frame: &Frame, schedules: &SchedulesPage) -> Markup {
    let content = html! {
        h1 { "Schedules" }
        @if schedules.schedules.is_empty() { p.quiet { "The file has no schedule." } }
        div.cards #schedules data-live {
            @for schedule in &schedules.schedules { (card(frame, schedule, schedules)) }
        }
        @if let Some(next) = &schedules.next {
            p { a rel="next" href=(link("schedules", [("after", next.as_str())])) { "More schedules" } }
        }
    };
    page(frame, "Schedules", "schedules", &content)
}

fn card(frame: &Frame, schedule: &ScheduleSummary, page: &SchedulesPage) -> Markup {
    let info = &schedule.info;
    let counts = [
        ("submitted", info.submitted),
        ("missed", info.missed),
        ("skipped: an earlier one was unfinished", info.overlapped),
        ("failed to build", info.failed),
    ];
    html! {
        section.card {
            h2 {
                (Text(&info.name))
                @if info.paused { " " span.badge.paused { "paused" } }
            }
            p.quiet {
                (Text(&info.timing)) ", tasks of "
                a href=(link("tasks", [("kind", info.kind.as_str())])) { (Text(&info.kind)) }
            }
            dl.facts {
                div {
                    dt { "Next" }
                    dd {
                        @match info.next {
                            None => "none is left",
                            Some(next) => {
                                (time(next, page.now)) " (" (exact(next)) ")"
                                @if info.starts_at.is_some_and(|start| start != next) {
                                    @if let Some(start) = info.starts_at { ", starts " (time(start, page.now)) }
                                }
                            }
                        }
                    }
                }
                div {
                    dt { "Occurrences" }
                    dd {
                        @for (at, (label, count)) in counts.iter().filter(|(_, count)| *count > 0).enumerate() {
                            @if at > 0 { ", " }
                            (number(*count)) " " (label)
                        }
                        @if counts.iter().all(|(_, count)| *count == 0) { span.quiet { "none yet" } }
                    }
                }
                @if let Some(error) = &info.last_error { div { dt { "Latest failure" } dd.error { (Text(error)) } } }
            }
            @if !schedule.occurrences.is_empty() {
                h3 { "Latest" }
                ul.counts { @for one in &schedule.occurrences { (occurrence(&info.kind, one, page)) } }
            }
            @if frame.is_writable() { (commands(&info.name, info.paused)) }
        }
    }
}

fn occurrence(kind: &str, one: &OccurrenceRecord, page: &SchedulesPage) -> Markup {
    html! {
        li.count {
            @match (&one.id, &one.status) {
                (Some(id), Some(status)) => {
                    span class={ "dot " (status.role.name()) } aria-hidden="true" {}
                    a.label href=(link("task", [("kind", kind), ("id", &id_param(id))])) { (time(one.scheduled_at, page.now)) }
                    span.quiet { (Text(&status.name)) }
                }
                _ => {
                    span.label { (time(one.scheduled_at, page.now)) }
                    span.quiet { "deleted" }
                }
            }
        }
    }
}

fn commands(name: &str, is_paused: bool) -> Markup {
    let (change, label) = if is_paused { ("resume-schedule", "Resume") } else { ("pause-schedule", "Pause") };
    html! {
        form.actions method="post" action="command" aria-label={ "Commands on the schedule " (Text(name)) } {
            input type="hidden" name="schedule" value=(name);
            button type="submit" name="change" value="run-schedule" { "Run now" }
            button type="submit" name="change" value=(change) { (label) }
            button.danger type="submit" name="change" value="remove-schedule" { "Remove…" }
        }
    }
}
