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

use super::{overview, paint::Paint};
use crate::{
    output::Ink,
    span::Span,
    top::{app::App, source::Task},
};

/// Everything about one task.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let Some((task, why)) = &app.task else { return };
    let lines = lines(task, why, paint);
    // The last line stays on the screen.
    let scroll = app.scroll.chosen.min(lines.len().saturating_sub(1));
    let page = Paragraph::new(Text::from(lines)).wrap(Wrap { trim: false });
    frame.render_widget(page.scroll((u16::try_from(scroll).unwrap_or(u16::MAX), 0)), area);
}

fn lines(task: &Task, why: &Explanation, paint: Paint) -> Vec<Line<'static>> {
    let stamp = |at: &chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let field = |name: &str, value: &str| {
        Line::from(vec![paint.text(Ink::Quiet, &format!("{name:<10}")), paint.text(Ink::Plain, value)])
    };
    let mut lines = vec![
        Line::from(vec![
            paint.text(Ink::Strong, &task.id.to_string()),
            paint.text(Ink::from(task.status.role), &format!("  {} ({})", task.status.name, task.status.code)),
        ]),
        Line::from(paint.text(Ink::Plain, &why.to_string())),
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
    lines.extend([Line::default(), Line::from(paint.text(Ink::Quiet, "attempts"))]);
    if task.history.is_empty() {
        lines.push(Line::from(paint.text(Ink::Quiet, "  none has ended")));
    }
    for attempt in &task.history {
        lines.extend(attempt_lines(attempt, paint));
    }
    lines.extend([Line::default(), Line::from(paint.text(Ink::Quiet, "payload"))]);
    let payload = serde_json::to_string_pretty(&task.task).unwrap_or_else(|error| error.to_string());
    lines.extend(payload.lines().map(|line| Line::from(paint.text(Ink::Plain, line))));
    lines
}

fn attempt_lines(attempt: &Attempt, paint: Paint) -> Vec<Line<'static>> {
    let ink = match attempt.ending {
        AttemptStatus::Succeeded => Ink::Good,
        AttemptStatus::Failed | AttemptStatus::Crashed => Ink::Warn,
        AttemptStatus::GaveUp => Ink::Bad,
        _ => Ink::Quiet,
    };
    let mut lines = vec![Line::from(vec![
        paint.text(Ink::Plain, &format!("  {:>2}  {}  ", attempt.attempt, attempt.started_at.format("%m-%d %H:%M:%S"))),
        paint.text(Ink::Quiet, &format!("{:>8}  ", Span(attempt.duration).to_string())),
        paint.text(ink, &attempt.ending.to_string()),
        paint.text(Ink::Quiet, &format!("  {}", attempt.worker)),
    ])];
    if let Some(failure) = &attempt.failure {
        lines.extend(failure.error.lines().map(|line| Line::from(paint.text(Ink::Bad, &format!("        {line}")))));
        let causes = failure.causes.iter().map(|cause| format!("        caused by: {cause}"));
        lines.extend(causes.map(|cause| Line::from(paint.text(Ink::Plain, &cause))));
    }
    lines.extend(attempt.notes.iter().map(|note| Line::from(paint.text(Ink::Quiet, &format!("        note: {note}")))));
    lines
}
