//! Draws the help window. Called by `view`.

use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    text::{Line, Text},
    widgets::{Block, Clear},
};

use super::palette::Palette;
use crate::{output::TextStyle, top::keys::HELP};

/// Draws the keys over the screen.
pub fn draw(frame: &mut Frame<'_>, area: Rect, palette: Palette) {
    let lines = HELP.map(|(keys, what)| {
        Line::from(vec![palette.text(TextStyle::Strong, &format!(" {keys:<10}")), palette.text(TextStyle::Plain, what)])
    });
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let [middle] = Layout::horizontal([Constraint::Max(64)]).flex(Flex::Center).areas(area);
    let [middle] = Layout::vertical([Constraint::Max(height)]).flex(Flex::Center).areas(middle);
    frame.render_widget(Clear, middle);
    let block = Block::bordered().title(" keys: upper case changes tasks ");
    frame.render_widget(Text::from(lines.to_vec()), block.inner(middle));
    frame.render_widget(block, middle);
}
