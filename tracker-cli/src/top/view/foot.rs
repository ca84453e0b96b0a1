use ratatui::{Frame, layout::Rect, text::Line};

use super::paint::Paint;
use crate::{
    output::Ink,
    top::app::{App, Mode},
};

/// What is typed, asked, or was said last.
pub fn draw(frame: &mut Frame<'_>, area: Rect, app: &App, paint: Paint) {
    let line = match (&app.mode, &app.word) {
        (Mode::Typing(text), _) => {
            Line::from(vec![paint.text(Ink::Strong, "/"), paint.text(Ink::Plain, text), paint.text(Ink::Quiet, "▏ Enter to filter, Esc to leave it")])
        }
        (Mode::Asking(act, Some(id)), _) => {
            Line::from(paint.text(Ink::Warn, &format!("{} {id}? y to do it, any other key not to", act.question())))
        }
        (Mode::Asking(act, None), _) => {
            Line::from(paint.text(Ink::Warn, &format!("{} the kind? y to do it, any other key not to", act.question())))
        }
        (Mode::Looking | Mode::Helping, Some((good, word))) => {
            Line::from(paint.text(if *good { Ink::Good } else { Ink::Bad }, word))
        }
        (Mode::Looking | Mode::Helping, None) => Line::default(),
    };
    frame.render_widget(line, area);
}
