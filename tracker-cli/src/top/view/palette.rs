//! `Palette`: maps text styles to styles of the live view. Without color, only bold and reversed text is used. Used by all of `view`; pure.

use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::output::{TextStyle, escape_line};

#[derive(Clone, Copy)]
pub struct Palette {
    pub colored: bool,
}

impl Palette {
    pub fn of(self, text_style: TextStyle) -> Style {
        let style = Style::default();
        if text_style == TextStyle::Strong {
            return style.add_modifier(Modifier::BOLD);
        }
        if !self.colored {
            return style;
        }
        match text_style {
            TextStyle::Plain | TextStyle::Strong => style,
            TextStyle::Quiet => style.add_modifier(Modifier::DIM),
            TextStyle::Good => style.fg(Color::Green),
            TextStyle::Busy => style.fg(Color::Cyan),
            TextStyle::Warn => style.fg(Color::Yellow),
            TextStyle::Bad => style.fg(Color::Red),
            TextStyle::Special => style.fg(Color::Magenta),
        }
    }

    /// The style of the selected line or tab: reversed, so that it needs no color.
    pub fn selected() -> Style {
        Style::default().add_modifier(Modifier::REVERSED)
    }

    pub fn text(self, style: TextStyle, text: &str) -> Span<'static> {
        Span::styled(escape_line(text).into_owned(), self.of(style))
    }
}
