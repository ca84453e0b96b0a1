use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    widgets::{Cell, Row, Table, TableState},
};

use super::paint::Paint;
use crate::{output::Ink, top::app::App};

/// Failures by their message, the most frequent first.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let Some(errors) = &app.errors else { return };
    if errors.groups.is_empty() {
        return frame.render_widget(paint.text(Ink::Good, "no task has failed, or has been given up"), area);
    }
    let rows = errors.groups.iter().map(|group| {
        let example = group.examples.first().map(ToString::to_string).unwrap_or_default();
        Row::new([
            Cell::from(paint.text(Ink::Bad, &format!("{:>7}", group.count))),
            Cell::from(paint.text(Ink::Warn, &format!("{:>8}", group.retrying))),
            Cell::from(paint.text(Ink::Quiet, &group.latest.format("%m-%d %H:%M").to_string())),
            Cell::from(paint.text(Ink::Plain, &format!("{}  ({example})", group.message))),
        ])
    });
    let widths = [Constraint::Length(7), Constraint::Length(8), Constraint::Length(11), Constraint::Min(20)];
    let head =
        Row::new(["  tasks", "retrying", "latest", "error (and a task for example)"]).style(paint.of(Ink::Quiet));
    let table = Table::new(rows, widths).header(head).row_highlight_style(Paint::chosen());
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(app.error.chosen));
}
