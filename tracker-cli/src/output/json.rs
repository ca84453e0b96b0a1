use std::io;

use super::{Ink, Page};

/// Shows pretty-printed JSON, each sort of value in its colour, every line after an indent.
pub fn show(page: &mut Page<'_>, json: &str, indent: &str) -> io::Result<()> {
    for line in json.lines() {
        page.text(Ink::Plain, indent)?;
        for (ink, piece) in pieces(line) {
            page.text(ink, piece)?;
        }
        page.end()?;
    }
    Ok(())
}

/// A line of pretty-printed JSON in pieces. A string is a key where a colon follows.
fn pieces(line: &str) -> Vec<(Ink, &str)> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest),
            char if is_word(char) => rest.find(|char| !is_word(char)).unwrap_or(rest.len()),
            _ => rest.find(|char| char == '"' || is_word(char)).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(length);
        let ink = match first {
            '"' if after.starts_with(':') => Ink::Strong,
            '"' => Ink::Good,
            'n' => Ink::Quiet,
            char if is_word(char) => Ink::Busy,
            _ => Ink::Plain,
        };
        pieces.push((ink, piece));
        rest = after;
    }
    pieces
}

/// Numbers, `true`, `false`, `null`.
fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.')
}

/// The length of the string that the text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_of_value_has_its_colour() {
        let line = r#"  "a \" é": [-1.5e3, null, "x: \\", true],"#;
        let expected = [
            (Ink::Plain, "  "),
            (Ink::Strong, r#""a \" é""#),
            (Ink::Plain, ": ["),
            (Ink::Busy, "-1.5e3"),
            (Ink::Plain, ", "),
            (Ink::Quiet, "null"),
            (Ink::Plain, ", "),
            (Ink::Good, r#""x: \\""#),
            (Ink::Plain, ", "),
            (Ink::Busy, "true"),
            (Ink::Plain, "],"),
        ];
        assert_eq!(pieces(line), expected);
    }
}
