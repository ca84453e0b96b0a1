//! The page of one batch with its tasks. Called by `routes` with a `BatchPage`; pure.

use maud::{Markup, html};
use tracker_core::batch::BatchInfo;

use super::{
    Frame, batches, page,
    status::{badge, task_link},
};
use crate::{
    format::{Text, number, time},
    model::batch::{BatchPage, Member},
    params::{id_param, link},
};

pub fn batch(frame: &Frame, batch: &BatchPage) -> Markup {
    let label = &batch.batch.label;
    let content = html! {
        p.crumbs { a href="batches" { "Batches" } }
        h1 { (Text(label)) }
        div #batch data-live { (batches::state(&batch.batch, batch.now)) }
        h2 { "Tasks" }
        div #tasks data-live {
            @if batch.tasks.is_empty() { p.quiet { "No task of it is left." } } @else { (table(batch)) }
            (next(batch))
        }
    };
    page(frame, label, "batches", &content)
}

/// A link to the page of a batch.
pub fn batch_link(batch: &BatchInfo) -> Markup {
    html! { a href=(link("batch", [("label", batch.label.as_str())])) { (Text(&batch.label)) } }
}

fn table(batch: &BatchPage) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tasks" {
            table {
                thead {
                    tr {
                        th scope="col" { "Task" }
                        th scope="col" { "Kind" }
                        th scope="col" { "Status" }
                        th scope="col" { "Changed" }
                        th.number scope="col" { "Attempts" }
                    }
                }
                tbody { @for member in &batch.tasks { (row(member, batch)) } }
            }
        }
    }
}

fn row(member: &Member, batch: &BatchPage) -> Markup {
    let name = &member.name;
    html! {
        tr {
            th scope="row" { (task_link(&name.kind, &name.id)) }
            td data-label="Kind" { (Text(&name.kind)) }
            @match &member.record {
                Some((record, kind)) => {
                    td data-label="Status" { (badge(&record.status, kind)) }
                    td data-label="Changed" { (time(record.updated_at, batch.now)) }
                    td.number data-label="Attempts" { (number(record.attempts.into())) }
                }
                None => { td.error data-label="Status" colspan="3" { "cannot be decoded, or was deleted" } }
            }
        }
    }
}

fn next(batch: &BatchPage) -> Markup {
    let Some(next) = &batch.next else { return html! {} };
    let id = id_param(&next.id);
    let pairs = [("label", batch.batch.label.as_str()), ("kind", next.kind.as_str()), ("after", id.as_str())];
    html! { p.next { a rel="next" href=(link("batch", pairs)) { "Next page" } } }
}
