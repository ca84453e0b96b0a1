//! The page of the latest batches. Called by `routes` with a `BatchesPage`; pure.

use maud::{Markup, html};
use tracker_core::{
    batch::BatchInfo,
    chrono::{DateTime, Utc},
    status::Role,
};

use super::{Frame, batch::batch_link, page, status::bar};
use crate::{
    format::{Span, Text, counted, number, time},
    model::batches::{BATCHES, BatchesPage},
};

pub fn batches(frame: &Frame, batches: &BatchesPage) -> Markup {
    let content = html! {
        h1 { "Batches" }
        @if batches.batches.is_empty() { p.quiet { "No batch was opened." } }
        div.cards #batches data-live { @for batch in &batches.batches { (card(batch, batches)) } }
        @if batches.has_more { p.quiet { "These are the latest " (BATCHES) " batches." } }
    };
    page(frame, "Batches", "batches", &content)
}

fn card(batch: &BatchInfo, page: &BatchesPage) -> Markup {
    html! {
        section.card {
            h2 { (batch_link(batch)) }
            (state(batch, page.now))
        }
    }
}

/// The counts and times of a batch.
pub fn state(batch: &BatchInfo, now: DateTime<Utc>) -> Markup {
    let counts = Role::ALL.map(|role| (role, batch.count(role)));
    let state = match (batch.is_over(), batch.sealed) {
        (true, _) => "over",
        (false, true) => "sealed",
        (false, false) => "open for more tasks",
    };
    html! {
        p.quiet { (counted(batch.total(), "task", "tasks")) ", " (number(batch.open())) " not ended; " (state) }
        (bar(&counts))
        ul.counts {
            @for (role, count) in counts.iter().filter(|(_, count)| *count > 0) {
                li.count {
                    span class={ "dot " (role.name()) } aria-hidden="true" {}
                    span.label { (role.name().replace('_', " ")) }
                    span.number { (number(*count)) }
                }
            }
        }
        dl.facts {
            div { dt { "Opened" } dd { (time(batch.created_at, now)) } }
            @if let Some(finished) = batch.finished_at { div { dt { "Over" } dd { (time(finished, now)) } } }
            @if let Some(eta) = batch.eta.filter(|_| batch.open() > 0) { div { dt { "Time left" } dd { "about " (Span(eta)) } } }
            @if let Some(refused) = &batch.follow_up_refused { div { dt { "Follow-up" } dd.error { (Text(refused)) } } }
        }
    }
}
