//! The page on the health of the file. Called by `routes` with a `HealthPage`; pure.

use maud::{Markup, html};

use super::{Frame, page, status::sentence};
use crate::{
    format::{Span, Text, counted, exact, number},
    model::health::{HealthPage, Problem, What},
    params::link,
};

pub fn health(frame: &Frame, health: &HealthPage) -> Markup {
    let is_well = health.problems.is_empty() && health.clock_ahead.is_none();
    let content = html! {
        h1 { "Health" }
        div #health data-live {
            @if is_well { p.notice { "Nothing needs a look." } }
            @if let Some(ahead) = health.clock_ahead {
                p.notice.bad {
                    "The time of the file is " (Span(ahead)) " ahead of the system clock, because a clock was wrong once: delays and retries wait for it. If the system clock is right, stop the application and run " code { "tracker doctor --repair-time" } "."
                }
            }
            @if !health.problems.is_empty() { ul.problems { @for problem in &health.problems { li { (self::problem(problem)) } } } }
            @if health.skipped > 0 { p.quiet { (counted(health.skipped as u64, "kind was", "kinds were")) " not looked at, so that the page does not read too long." } }
            h2 { "File" }
            dl.facts {
                @for (name, value) in &health.facts { div { dt { (Text(name)) } dd { (Text(value)) } } }
                div { dt { "Kinds" } dd { (number(health.kinds as u64)) } }
                div { dt { "Time" } dd { (exact(health.now)) } }
            }
            h2 { "Commands" }
            p {
                @match &frame.read_only {
                    None => { "Commands are allowed." }
                    Some(reason) => { (sentence(reason)) }
                }
            }
        }
    };
    page(frame, "Health", "health", &content)
}

fn problem(problem: &Problem) -> Markup {
    let kind = problem.kind.as_str();
    let code = problem.status.map(|code| code.to_string());
    let target = match (&problem.what, &code) {
        (What::LeaseExpired | What::Crashing, _) => "workers".to_owned(),
        (_, Some(code)) => link("tasks", [("kind", kind), ("status", code.as_str())]),
        _ => link("tasks", [("kind", kind)]),
    };
    let text = match problem.what {
        What::GivenUp => "given up: look at the errors, then retry",
        What::LeaseExpired => "with an expired lease: the next claim frees them",
        What::Crashing => "running again after crashes: they may crash their process once more",
        What::Unreadable => "that cannot be decoded: open the kind with a type that fits, or use `tracker edit`",
        What::Paused => "waiting while the kind is paused",
    };
    html! { a href=(target) { (Text(kind)) ": " (counted(problem.count, "task", "tasks")) } " " (text) "." }
}
