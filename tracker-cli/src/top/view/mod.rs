//! What is drawn: a head, the screen, and a foot. The lines of text are the file's and may hold anything.

mod cut;
mod errors;
mod foot;
mod help;
mod overview;
mod paint;
mod task;
mod tasks;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
};

use self::{foot::Foot, paint::Paint};
use super::app::{App, Mode, Screen};
use crate::output::Ink;

pub fn draw(frame: &mut Frame<'_>, app: &App, coloured: bool) {
    let paint = Paint { coloured };
    let foot = Foot::new(app, paint);
    let below = Constraint::Length(foot.height(frame.area().width));
    let [head, body, below] = Layout::vertical([Constraint::Length(3), Constraint::Min(1), below]).areas(frame.area());
    draw_head(frame, head, app, paint);
    match app.screen {
        Screen::Overview => overview::draw(frame, body, app, paint),
        Screen::Tasks => tasks::draw(frame, body, app, paint),
        Screen::Task => task::draw(frame, body, app, paint),
        Screen::Errors => errors::draw(frame, body, app, paint),
    }
    foot.draw(frame, below);
    if app.mode == Mode::Helping {
        help::draw(frame, body, paint);
    }
}

/// The file, the time, and where one is.
fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let mut spans = Vec::new();
    for (name, screen) in [("1 overview", Screen::Overview), ("2 tasks", Screen::Tasks), ("3 errors", Screen::Errors)] {
        let here = app.screen == screen || (screen == Screen::Tasks && app.screen == Screen::Task);
        spans.push(Span::styled(format!(" {name} "), if here { Paint::chosen() } else { paint.of(Ink::Quiet) }));
    }
    if let Some(kind) = app.chosen() {
        spans.push(paint.text(Ink::Strong, &format!("  {}", kind.info.name)));
        let at = format!("  {} of {}", app.kind.chosen + 1, app.kinds.len());
        spans.push(paint.text(Ink::Quiet, &at));
    }
    let now = app.now().format("%H:%M:%S UTC");
    let title = Line::from(vec![
        paint.text(Ink::Strong, &app.file()),
        paint.text(Ink::Quiet, &format!("  {now}  ? help  q leave")),
    ]);
    frame.render_widget(ratatui::text::Text::from(vec![title, Line::from(spans)]), area);
}
