//! Statuses, progress bars and links to tasks, which several pages show. Called by pages; pure.

use maud::{Markup, html};
use tracker_core::{
    inspect::KindInfo,
    record::ProgressInfo,
    status::{Role, StatusInfo},
    task::TaskKey,
};

use crate::{
    format::{Text, number},
    model::shown_role,
    params::{id_param, link},
};

/// A status as a badge. Its role is told by colour and, if the name differs, in words.
pub fn badge(status: &StatusInfo, kind: &KindInfo) -> Markup {
    let role = shown_role(status, kind).name();
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "");
    html! {
        span class={ "badge " (role) } {
            (Text(&status.name))
            @if plain(&status.name) != plain(role) { span.role { " " (role.replace('_', " ")) } }
        }
    }
}

/// A link to a task.
pub fn task_link(kind: &str, id: &TaskKey) -> Markup {
    html! { a.id href=(link("task", [("kind", kind), ("id", &id_param(id))])) { (Text(&id.to_string())) } }
}

/// The shares of roles as a bar. The numbers beside it say the same, so that the bar is hidden from screen readers.
pub fn bar(shares: &[(Role, u64)]) -> Markup {
    let total: u64 = shares.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count));
    let mut shares: Vec<_> = shares.iter().filter(|(_, count)| *count > 0).collect();
    shares.sort_by_key(|(role, _)| role.position_in_bar());
    let mut start = 0;
    let mut parts = Vec::new();
    for (role, count) in shares {
        // In thousandths, so that no number needs a fraction. A small share stays visible.
        let width = u64::try_from(u128::from(*count) * 1_000 / u128::from(total.max(1))).unwrap_or(1_000).max(3);
        parts.push((role.name(), start, width));
        start += width;
    }
    html! {
        svg.bar viewBox={ "0 0 " (start.max(1)) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            @for (role, start, width) in parts { rect class=(role) x=(start) y="0" width=(width) height="10" {} }
        }
    }
}

/// How far an attempt is.
pub fn progress(progress: &ProgressInfo) -> Markup {
    html! {
        span.progress {
            @if let Some(total) = progress.total.filter(|total| *total > 0) {
                progress max=(total) value=(progress.done.min(total)) aria-label="Progress" {}
                " " (number(progress.done)) " of " (number(total))
            } @else {
                (number(progress.done)) " done"
            }
            @if !progress.message.is_empty() { ": " (Text(&progress.message)) }
        }
    }
}

/// A text that begins in lower case, as a sentence.
pub fn sentence(text: &str) -> Markup {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    html! { (Text(&first)) (Text(chars.as_str())) "." }
}
