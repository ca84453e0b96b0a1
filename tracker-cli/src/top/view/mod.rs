//! Draws the live view: a header, the screen and a footer. Called by `top/mod` after each change; reads `App`, never the file.

mod errors;
mod footer;
mod help;
mod overview;
mod palette;
mod task;
mod tasks;
mod truncate;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use self::{footer::Footer, palette::Palette};
use super::app::{App, Mode, Screen};
use crate::output::TextStyle;

pub fn draw(frame: &mut Frame<'_>, app: &App, colored: bool) {
    let palette = Palette { colored };
    let footer = Footer::new(app, palette);
    let below = Constraint::Length(footer.height(frame.area().width));
    let [head, body, below] = Layout::vertical([Constraint::Length(3), Constraint::Min(1), below]).areas(frame.area());
    draw_head(frame, head, app, palette);
    match app.screen {
        Screen::Overview => overview::draw(frame, body, app, palette),
        Screen::Tasks => tasks::draw(frame, body, app, palette),
        Screen::Task => task::draw(frame, body, app, palette),
        Screen::Errors => errors::draw(frame, body, app, palette),
    }
    footer.draw(frame, below);
    if app.mode == Mode::Help {
        help::draw(frame, body, palette);
    }
}

/// Draws the file, the time, and the name of the screen.
fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App, palette: Palette) {
    let mut spans = Vec::new();
    for (name, screen) in [("1 overview", Screen::Overview), ("2 tasks", Screen::Tasks), ("3 errors", Screen::Errors)] {
        let here = app.screen == screen || (screen == Screen::Tasks && app.screen == Screen::Task);
        spans.push(Span::styled(
            format!(" {name} "),
            if here { Palette::selected() } else { palette.of(TextStyle::Quiet) },
        ));
    }
    if let Some(kind) = app.selected_kind() {
        spans.push(palette.text(TextStyle::Strong, &format!("  {}", kind.info.name)));
        let at = format!("  {} of {}", app.kind.selected + 1, app.kinds.len());
        spans.push(palette.text(TextStyle::Quiet, &at));
    }
    let now = app.now().format("%H:%M:%S UTC");
    let title = Line::from(vec![
        palette.text(TextStyle::Strong, &app.file()),
        palette.text(TextStyle::Quiet, &format!("  {now}  ? help  q quit")),
    ]);
    frame.render_widget(ratatui::text::Text::from(vec![title, Line::from(spans)]), area);
}
