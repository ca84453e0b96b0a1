//! `TextWriter`: writes answers as text. Escapes control characters in all text that it is given. Given to each `View` by `Output`.

use std::io::{self, Write};

use super::{TextStyle, terminal_text};

pub struct TextWriter<'a> {
    out: &'a mut dyn Write,
    colored: bool,
    /// The width of the terminal in columns; `None` without a terminal.
    width: Option<usize>,
}

impl<'a> TextWriter<'a> {
    pub fn new(out: &'a mut dyn Write, colored: bool, width: Option<usize>) -> Self {
        Self { out, colored, width }
    }

    /// Returns the width of the terminal. Without a terminal no text is cut and no bars are drawn.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Writes a line.
    pub fn line(&mut self, style: TextStyle, text: &str) -> io::Result<()> {
        self.text(style, text)?;
        self.end()
    }

    /// Writes a part of a line.
    pub fn text(&mut self, style: TextStyle, text: &str) -> io::Result<()> {
        self.out.write_all(style.paint(&terminal_text::escape_line(text), self.colored).as_bytes())
    }

    /// Ends the line.
    pub fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }
}
