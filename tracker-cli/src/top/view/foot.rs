use console::measure_text_width;
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Paragraph, Wrap},
};

use super::paint::Paint;
use crate::{
    output::Ink,
    top::app::{App, Mode},
};

/// What is typed, asked, or was said last.
pub struct Foot<'a> {
    line: Line<'a>,
}

impl Foot<'_> {
    pub fn new(app: &App, paint: Paint) -> Self {
        let ask = |what: &str| Line::from(paint.text(Ink::Warn, &format!("{what}? y to do it, any other key not to")));
        let line = match (&app.mode, &app.word) {
            (Mode::Typing(text), _) => Line::from(vec![
                paint.text(Ink::Strong, "/"),
                paint.text(Ink::Plain, text),
                paint.text(Ink::Quiet, "▏ Enter to filter, Esc to leave it"),
            ]),
            (Mode::Asking(act, Some(id)), _) => ask(&format!("{} {id}", act.question())),
            (Mode::Asking(act, None), _) => ask(&format!("{} the kind", act.question())),
            (Mode::Looking | Mode::Helping, Some((good, word))) => {
                Line::from(paint.text(if *good { Ink::Good } else { Ink::Bad }, word))
            }
            (Mode::Looking | Mode::Helping, None) => Line::default(),
        };
        Self { line }
    }

    /// How many lines it takes on a screen of this width; words move to the next line as a whole.
    pub fn height(&self, width: u16) -> u16 {
        let text: String = self.line.spans.iter().map(|span| span.content.as_ref()).collect();
        let (mut lines, mut used) = (1, 0);
        for word in text.split(' ') {
            let length = measure_text_width(word);
            if used > 0 && used + 1 + length > usize::from(width) {
                lines += 1;
                used = length;
            } else {
                used += length + usize::from(used > 0);
            }
        }
        lines.min(5)
    }

    pub fn draw(self, frame: &mut Frame<'_>, area: Rect) {
        frame.render_widget(Paragraph::new(self.line).wrap(Wrap { trim: true }), area);
    }
}
