//! Draws the screen of the task list. Called by `view`; reads `App` only.

use console::measure_text_width;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::{Cell, Paragraph, Row, Table, TableState, Wrap},
};

use super::{overview::progress, palette::Palette, truncate};
use crate::{output::TextStyle, task::UntypedRecord, top::app::App};

/// Draws a page of tasks, the latest change first.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    let unreadable = unreadable(app, palette);
    let lines = if unreadable.is_some() { 2 } else { 0 };
    let [above, between, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(lines), Constraint::Min(1)]).areas(area);
    frame.render_widget(filter_line(app, palette), above);
    if let Some(line) = unreadable {
        frame.render_widget(Paragraph::new(line).wrap(Wrap { trim: true }), between);
    }
    // Columns have the width of their longest text, if enough remains for the others.
    let longest = |text: &dyn Fn(&UntypedRecord) -> usize| app.tasks.items.iter().map(text).max().unwrap_or(0).max(6);
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
            Cell::from(palette.text(TextStyle::from(task.status.role), &task.status.name)),
            Cell::from(palette.text(TextStyle::Quiet, &format!("{:>3}", task.attempts))),
            Cell::from(palette.text(TextStyle::Quiet, &task.updated_at.format("%m-%d %H:%M:%S").to_string())),
            Cell::from(palette.text(TextStyle::Strong, &truncate::middle(&task.id.to_string(), id))),
            Cell::from(palette.text(TextStyle::Plain, &remark(task))),
        ])
    });
    let head = Row::new(["status", "try", "changed", "id", ""]).style(palette.of(TextStyle::Quiet));
    let table = Table::new(rows, widths).header(head).row_highlight_style(Palette::selected());
    frame.render_stateful_widget(table, below, &mut TableState::default().with_selected(app.tasks.list.selected));
}

fn filter_line(app: &App, palette: Palette) -> Line<'static> {
    let statuses = app.selected_kind().map(|kind| kind.counts.as_slice()).unwrap_or_default();
    let status = statuses.iter().find(|(status, _)| Some(status.code) == app.filter.code);
    let mut spans = vec![match status {
        Some((status, count)) => palette.text(TextStyle::from(status.role), &format!("{} ({count})", status.name)),
        None => palette.text(TextStyle::Plain, "all statuses"),
    }];
    if !app.filter.text.is_empty() {
        spans.push(palette.text(TextStyle::Warn, &format!("  containing {:?}", app.filter.text)));
    }
    spans.push(
        palette.text(TextStyle::Quiet, &format!("  page {}  s status  / filter  Enter open", app.tasks.number())),
    );
    Line::from(spans)
}

/// Describes the tasks of the page that cannot be decoded.
fn unreadable(app: &App, palette: Palette) -> Option<Line<'static>> {
    let first = app.tasks.unreadable.first()?;
    let text = match app.tasks.unreadable.len() {
        1 => "1 task of this page cannot be shown:".to_owned(),
        tasks => format!("{tasks} tasks of this page cannot be shown, the first:"),
    };
    Some(Line::from(vec![
        palette.text(TextStyle::Bad, &text),
        palette.text(TextStyle::Quiet, &format!(" {}", first.error)),
    ]))
}

/// Returns the worker and the progress of a running task, or the last error.
fn remark(task: &UntypedRecord) -> String {
    if let Some(lease) = &task.lease {
        let progress = task.progress.as_ref().map(progress);
        return format!("{} {}", lease.worker, progress.unwrap_or_default());
    }
    let failure = task.history.last().and_then(|attempt| attempt.failure.as_ref());
    failure.map(|failure| failure.error.clone()).unwrap_or_default()
}
