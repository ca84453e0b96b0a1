use ratatui::{
    style::{Color, Modifier, Style},
    text::Span,
};

use crate::output::{Ink, shown};

/// Colours of the terminal's own sixteen, which fit dark and light ones; none where the user wants none.
#[derive(Clone, Copy)]
pub struct Paint {
    pub coloured: bool,
}

impl Paint {
    pub fn of(self, ink: Ink) -> Style {
        let style = Style::default();
        if ink == Ink::Strong {
            return style.add_modifier(Modifier::BOLD);
        }
        if !self.coloured {
            return style;
        }
        match ink {
            Ink::Plain | Ink::Strong => style,
            Ink::Quiet => style.add_modifier(Modifier::DIM),
            Ink::Good => style.fg(Color::Green),
            Ink::Busy => style.fg(Color::Cyan),
            Ink::Warn => style.fg(Color::Yellow),
            Ink::Bad => style.fg(Color::Red),
            Ink::Special => style.fg(Color::Magenta),
        }
    }

    /// The line or tab that is chosen: told by its form, not by its colour.
    pub fn chosen() -> Style {
        Style::default().add_modifier(Modifier::REVERSED)
    }

    pub fn text(self, ink: Ink, text: &str) -> Span<'static> {
        Span::styled(shown(text).into_owned(), self.of(ink))
    }
}
