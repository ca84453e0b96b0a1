//! The result of a command above a page, and the page of a failure. Called by `site` and `Frame`; pure.

use maud::{Markup, html};
use tracker_core::live::Report;

use super::{Frame, page};
use crate::{
    failure::Failure,
    format::{Text, counted},
};

/// The result of a command.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The verb of the result, as in `Requeued`.
    pub done: &'static str,
    /// The changed items: tasks, kinds or schedules.
    pub unit: (&'static str, &'static str),
    pub report: Report,
}

/// The number of refusals that are shown.
const REFUSALS: usize = 20;

pub fn notice(notice: &Notice) -> Markup {
    let (one, many) = notice.unit;
    let refused = &notice.report.refused;
    html! {
        div.notice.bad[!refused.is_empty()] role="status" {
            p { (notice.done) " " (counted(notice.report.changed, one, many)) "." }
            @if !refused.is_empty() {
                p { (counted(refused.len() as u64, one, many)) @if refused.len() == 1 { " was refused:" } @else { " were refused:" } }
                ul { @for refusal in refused.iter().take(REFUSALS) { li { (Text(&refusal.message)) } } }
            }
        }
    }
}

/// The page of a request that failed.
pub fn failure(frame: &Frame, failure: &Failure) -> Markup {
    let content = html! {
        h1 { (failure.status.canonical_reason().unwrap_or("Error")) }
        p.message { (Text(&failure.text)) }
        p { a href="kinds" { "All kinds" } }
    };
    page(frame, "Error", "", &content)
}
