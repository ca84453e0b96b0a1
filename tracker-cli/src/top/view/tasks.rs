use console::measure_text_width;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Cell, Paragraph, Row, Table, TableState, Wrap},
};

use super::{cut, overview::progress, paint::Paint};
use crate::{
    output::Ink,
    top::{app::App, source::Task},
};

/// A page of tasks, the latest change first.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let lacking = lacking(app, paint);
    let lines = if lacking.is_some() { 2 } else { 0 };
    let [above, between, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(lines), Constraint::Min(1)]).areas(area);
    frame.render_widget(about(app, paint), above);
    if let Some(line) = lacking {
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), between);
    }
    // As wide as the longest, where that leaves room for the rest.
    let longest = |text: &dyn Fn(&Task) -> usize| app.tasks.items.iter().map(text).max().unwrap_or(0).max(6);
    let status = longest(&|task| measure_text_width(&task.status.name)).min(16);
    let id = longest(&|task| measure_text_width(&task.id.to_string())).min(usize::from(area.width) / 2);
    let widths = [
        Constraint::Length(u16::try_from(status).unwrap_or(u16::MAX)),
        Constraint::Length(3),
        Constraint::Length(14),
        Constraint::Length(u16::try_from(id).unwrap_or(u16::MAX)),
        Constraint::Min(10),
    ];
    let rows = app.tasks.items.iter().map(|task| {
        Row::new([
            Cell::from(paint.text(Ink::from(task.status.role), &task.status.name)),
            Cell::from(paint.text(Ink::Quiet, &format!("{:>3}", task.attempts))),
            Cell::from(paint.text(Ink::Quiet, &task.updated_at.format("%m-%d %H:%M:%S").to_string())),
            Cell::from(paint.text(Ink::Strong, &cut::middle(&task.id.to_string(), id))),
            Cell::from(paint.text(Ink::Plain, &remark(task))),
        ])
    });
    let head = Row::new(["status", "try", "changed", "id", ""]).style(paint.of(Ink::Quiet));
    let table = Table::new(rows, widths).header(head).row_highlight_style(Paint::chosen());
    frame.render_stateful_widget(table, below, &mut TableState::default().with_selected(app.tasks.list.chosen));
}

fn about(app: &App, paint: Paint) -> Line<'static> {
    let statuses = app.chosen().map(|kind| kind.counts.as_slice()).unwrap_or_default();
    let status = statuses.iter().find(|(status, _)| Some(status.code) == app.filter.code);
    let mut spans = vec![match status {
        Some((status, count)) => paint.text(Ink::from(status.role), &format!("{} ({count})", status.name)),
        None => paint.text(Ink::Plain, "all statuses"),
    }];
    if !app.filter.text.is_empty() {
        spans.push(paint.text(Ink::Warn, &format!("  containing {:?}", app.filter.text)));
    }
    spans.push(paint.text(Ink::Quiet, &format!("  page {}  s status  / filter  Enter open", app.tasks.number())));
    Line::from(spans)
}

/// How many tasks the page lacks because they cannot be decoded, and why.
fn lacking(app: &App, paint: Paint) -> Option<Line<'static>> {
    let first = app.tasks.unreadable.first()?;
    let lacking = match app.tasks.unreadable.len() {
        1 => "1 task of this page cannot be shown:".to_owned(),
        tasks => format!("{tasks} tasks of this page cannot be shown, the first:"),
    };
    Some(Line::from(vec![paint.text(Ink::Bad, &lacking), paint.text(Ink::Quiet, &format!(" {}", first.error))]))
}

/// The one thing worth saying beside the status: who has it and how far, or what went wrong last.
fn remark(task: &Task) -> String {
    if let Some(lease) = &task.lease {
        let progress = task.progress.as_ref().map(progress);
        return format!("{} {}", lease.worker, progress.unwrap_or_default());
    }
    let failure = task.history.last().and_then(|attempt| attempt.failure.as_ref());
    failure.map(|failure| failure.error.clone()).unwrap_or_default()
}
