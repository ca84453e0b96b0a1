//! A terminal's screen as SVG.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// The size of a cell, and the room around the screen.
const CELL: (u16, u16) = (9, 19);
const MARGIN: u16 = 12;
const PAPER: &str = "#1d1f21";
const INK: &str = "#d0d3d8";
/// The sixteen colours of a dark terminal.
const COLOURS: [&str; 16] = [
    "#3b3f46", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d0d3d8", "#6b717d", "#ef8891",
    "#b5d69a", "#f0d399", "#8bc4f5", "#d79ae6", "#7fd0da", "#ffffff",
];

/// Cells beside each other that look alike.
#[derive(Clone, PartialEq)]
struct Look {
    ink: String,
    paper: Option<String>,
    bold: bool,
    dim: bool,
}

pub fn screen_svg(screen: &Screen) -> String {
    let cols = screen.size().1;
    // What is empty below is left out.
    let rows = u16::try_from(screen.contents().trim_end().lines().count()).unwrap();
    let (width, height) = (cols.get() * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-size=\"15\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    for row in 0..rows {
        let mut runs: Vec<(u16, Look, String)> = Vec::new();
        for col in 0..cols.get() {
            let Some(cell) = screen.cell(row, col) else { continue };
            let text = if cell.contents().is_empty() { " " } else { cell.contents() };
            let look = Look::of(cell);
            match runs.last_mut() {
                Some((_, last, run)) if *last == look => run.push_str(text),
                _ => runs.push((col, look, text.to_owned())),
            }
        }
        for (col, look, text) in runs {
            draw(&mut svg, row, col, &look, &text);
        }
    }
    svg + "</svg>\n"
}

fn draw(svg: &mut String, row: u16, col: u16, look: &Look, text: &str) {
    let (x, y) = (MARGIN + col * CELL.0, MARGIN + row * CELL.1);
    let length = text.chars().count() * usize::from(CELL.0);
    if let Some(paper) = &look.paper {
        let height = CELL.1;
        writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"{height}\" fill=\"{paper}\"/>").unwrap();
    }
    if text.trim().is_empty() {
        return;
    }
    if text.contains(is_block) {
        return draw_blocks(svg, (x, y), &look.ink, text);
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let dim = if look.dim { " opacity=\"0.6\"" } else { "" };
    let (ink, below) = (&look.ink, y + 15);
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{below}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" \
         fill=\"{ink}\"{weight}{dim}>{text}</text>"
    )
    .unwrap();
}

/// From one eighth of a cell to all of it, from below.
fn is_block(char: char) -> bool {
    ('▁'..='█').contains(&char)
}

/// Bars and curves: as letters they would have gaps between them.
fn draw_blocks(svg: &mut String, (mut x, y): (u16, u16), ink: &str, text: &str) {
    for run in text.chars().collect::<Vec<_>>().chunk_by(|a, b| a == b) {
        let width = CELL.0 * u16::try_from(run.len()).unwrap();
        if is_block(run[0]) {
            let height = CELL.1 * u16::try_from(u32::from(run[0]) - u32::from('▁') + 1).unwrap() / 8;
            let top = y + CELL.1 - height;
            writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"{ink}\" shape-rendering=\"crispEdges\"/>"
            )
            .unwrap();
        }
        x += width;
    }
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let (ink, paper) = (colour(cell.fgcolor()), colour(cell.bgcolor()));
        let (ink, paper) = if cell.inverse() {
            (paper.unwrap_or_else(|| PAPER.to_owned()), Some(ink.unwrap_or_else(|| INK.to_owned())))
        } else {
            (ink.unwrap_or_else(|| INK.to_owned()), paper)
        };
        Self { ink, paper, bold: cell.bold(), dim: cell.dim() }
    }
}

fn colour(colour: Color) -> Option<String> {
    match colour {
        Color::Default => None,
        Color::Idx(number) => Some(COLOURS.get(usize::from(number)).copied().unwrap_or(INK).to_owned()),
        Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
}
