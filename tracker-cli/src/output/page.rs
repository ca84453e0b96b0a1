use std::io::{self, Write};

use super::{Ink, text};

/// A page of text for people. What it is given may hold anything: what steers a terminal is escaped.
pub struct Page<'a> {
    out: &'a mut dyn Write,
    coloured: bool,
    /// In columns; `None` where it is no terminal.
    width: Option<usize>,
}

impl<'a> Page<'a> {
    pub fn new(out: &'a mut dyn Write, coloured: bool, width: Option<usize>) -> Self {
        Self { out, coloured, width }
    }

    /// How many columns there are, where it is a terminal. Only there text is cut and bars are drawn.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// One line, whatever is in the text.
    pub fn line(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        self.text(ink, text)?;
        self.end()
    }

    /// A piece of a line.
    pub fn text(&mut self, ink: Ink, text: &str) -> io::Result<()> {
        self.out.write_all(ink.paint(&text::shown(text), self.coloured).as_bytes())
    }

    /// Ends a line.
    pub fn end(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }
}
