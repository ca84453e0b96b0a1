//! Draws the screen of errors. Called by `view`; reads `App` only.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    widgets::{Cell, Row, Table, TableState},
};

use super::palette::Palette;
use crate::{output::TextStyle, top::app::App};

/// Draws failures grouped by message, the most frequent first.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    let Some(errors) = &app.errors else { return };
    if errors.groups.is_empty() {
        return frame.render_widget(palette.text(TextStyle::Good, "no task has failed or was given up"), area);
    }
    let rows = errors.groups.iter().map(|group| {
        let example = group.examples.first().map(ToString::to_string).unwrap_or_default();
        Row::new([
            Cell::from(palette.text(TextStyle::Bad, &format!("{:>7}", group.count))),
            Cell::from(palette.text(TextStyle::Warn, &format!("{:>8}", group.retrying))),
            Cell::from(palette.text(TextStyle::Quiet, &group.latest.format("%m-%d %H:%M").to_string())),
            Cell::from(palette.text(TextStyle::Plain, &format!("{}  ({example})", group.message))),
        ])
    });
    let widths = [Constraint::Length(7), Constraint::Length(8), Constraint::Length(11), Constraint::Min(20)];
    let head =
        Row::new(["  tasks", "retrying", "latest", "error (and an example)"]).style(palette.of(TextStyle::Quiet));
    let table = Table::new(rows, widths).header(head).row_highlight_style(Palette::selected());
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(app.error.selected));
}
