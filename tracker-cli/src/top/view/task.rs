//! Draws the screen of one task. Called by `view`; reads `App` only.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Text},
    widgets::{Paragraph, Wrap},
};
use tracker_core::{
    inspect::Explanation,
    record::{Attempt, AttemptStatus},
};

use super::{overview, palette::Palette};
use crate::{human_duration::HumanDuration, output::TextStyle, task::UntypedRecord, top::app::App};

/// Draws the task with its attempts and its payload.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    let Some((task, why)) = &app.task else { return };
    let lines = lines(task, why, palette);
    // The last line stays on the screen.
    let scroll = app.scroll.selected.min(lines.len().saturating_sub(1));
    let page = Paragraph::new(Text::from(lines)).wrap(Wrap { trim: false });
    frame.render_widget(page.scroll((u16::try_from(scroll).unwrap_or(u16::MAX), 0)), area);
}

fn lines(task: &UntypedRecord, why: &Explanation, palette: Palette) -> Vec<Line<'static>> {
    let stamp = |at: &chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let field = |name: &str, value: &str| {
        Line::from(vec![palette.text(TextStyle::Quiet, &format!("{name:<10}")), palette.text(TextStyle::Plain, value)])
    };
    let mut lines = vec![
        Line::from(vec![
            palette.text(TextStyle::Strong, &task.id.to_string()),
            palette.text(TextStyle::from(task.status.role), &format!("  {} ({})", task.status.name, task.status.code)),
        ]),
        Line::from(palette.text(TextStyle::Plain, &why.to_string())),
        Line::default(),
        field("created", &stamp(&task.created_at)),
        field("changed", &stamp(&task.updated_at)),
        field("counters", &format!("attempts {}, failures {}, crashes {}", task.attempts, task.failures, task.crashes)),
    ];
    if let Some(lease) = &task.lease {
        lines.push(field(
            "lease",
            &format!("{} since {}, until {}", lease.worker, stamp(&lease.since), stamp(&lease.until)),
        ));
    }
    if let Some(progress) = &task.progress {
        lines.push(field("progress", &overview::progress(progress)));
    }
    lines.extend([Line::default(), Line::from(palette.text(TextStyle::Quiet, "attempts"))]);
    if task.history.is_empty() {
        lines.push(Line::from(palette.text(TextStyle::Quiet, "  no attempt has ended")));
    }
    for attempt in &task.history {
        lines.extend(attempt_lines(attempt, palette));
    }
    lines.extend([Line::default(), Line::from(palette.text(TextStyle::Quiet, "payload"))]);
    let payload = serde_json::to_string_pretty(&task.task).unwrap_or_else(|error| error.to_string());
    lines.extend(payload.lines().map(|line| Line::from(palette.text(TextStyle::Plain, line))));
    lines
}

fn attempt_lines(attempt: &Attempt, palette: Palette) -> Vec<Line<'static>> {
    let style = match attempt.status {
        AttemptStatus::Succeeded => TextStyle::Good,
        AttemptStatus::Failed | AttemptStatus::Crashed | AttemptStatus::Interrupted => TextStyle::Warn,
        AttemptStatus::GaveUp => TextStyle::Bad,
        _ => TextStyle::Quiet,
    };
    let mut lines = vec![Line::from(vec![
        palette.text(
            TextStyle::Plain,
            &format!("  {:>2}  {}  ", attempt.attempt, attempt.started_at.format("%m-%d %H:%M:%S")),
        ),
        palette.text(TextStyle::Quiet, &format!("{:>8}  ", HumanDuration(attempt.duration).to_string())),
        palette.text(style, &attempt.status.to_string()),
        palette.text(TextStyle::Quiet, &format!("  {}", attempt.worker)),
    ])];
    if let Some(failure) = &attempt.failure {
        lines.extend(
            failure.error.lines().map(|line| Line::from(palette.text(TextStyle::Bad, &format!("        {line}")))),
        );
        let causes = failure.causes.iter().map(|cause| format!("        caused by: {cause}"));
        lines.extend(causes.map(|cause| Line::from(palette.text(TextStyle::Plain, &cause))));
    }
    lines.extend(
        attempt.notes.iter().map(|note| Line::from(palette.text(TextStyle::Quiet, &format!("        note: {note}")))),
    );
    lines
}
