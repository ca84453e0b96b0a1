use ratatui::{
    Frame,
    layout::{Constraint, Flex, Layout, Rect},
    text::{Line, Text},
    widgets::{Block, Clear},
};

use super::paint::Paint;
use crate::{output::Ink, top::keys::HELP};

/// The keys, over whatever is on the screen.
pub fn draw(frame: &mut Frame<'_>, area: Rect, paint: Paint) {
    let lines = HELP.map(|(keys, what)| {
        Line::from(vec![paint.text(Ink::Strong, &format!(" {keys:<10}")), paint.text(Ink::Plain, what)])
    });
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let [middle] = Layout::horizontal([Constraint::Max(64)]).flex(Flex::Center).areas(area);
    let [middle] = Layout::vertical([Constraint::Max(height)]).flex(Flex::Center).areas(middle);
    frame.render_widget(Clear, middle);
    let block = Block::bordered().title(" keys: upper case changes tasks ");
    frame.render_widget(Text::from(lines.to_vec()), block.inner(middle));
    frame.render_widget(block, middle);
}
