//! Draws the footer: the filter text, a question, or the last message. Called by `view`; reads `App` only.

use console::measure_text_width;
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Paragraph, Wrap},
};

use super::palette::Palette;
use crate::{
    output::TextStyle,
    top::app::{App, Mode},
};

pub struct Footer<'a> {
    line: Line<'a>,
}

impl Footer<'_> {
    pub fn new(app: &App, palette: Palette) -> Self {
        let ask = |what: &str| {
            Line::from(palette.text(TextStyle::Warn, &format!("{what}? y confirms, any other key cancels")))
        };
        let line = match (&app.mode, &app.message) {
            (Mode::FilterInput(text), _) => Line::from(vec![
                palette.text(TextStyle::Strong, "/"),
                palette.text(TextStyle::Plain, text),
                palette.text(TextStyle::Quiet, "▏ Enter filters, Esc cancels"),
            ]),
            (Mode::Confirm(action, Some(id)), _) => ask(&format!("{} {id}", action.question())),
            (Mode::Confirm(action, None), _) => ask(&format!("{} the kind", action.question())),
            (Mode::Normal | Mode::Help, Some((is_good, text))) => {
                Line::from(palette.text(if *is_good { TextStyle::Good } else { TextStyle::Bad }, text))
            }
            (Mode::Normal | Mode::Help, None) => Line::default(),
        };
        Self { line }
    }

    /// Returns the number of lines on a screen of this width, with whole words on each line.
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
