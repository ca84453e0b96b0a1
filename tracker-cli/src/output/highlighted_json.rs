//! Pretty-printed JSON with a color for each type of value. Called by `show`; pure.

use std::io;

use super::{TextStyle, TextWriter};

/// Writes pretty-printed JSON, each line after the indent.
pub fn write(out: &mut TextWriter<'_>, json: &str, indent: &str) -> io::Result<()> {
    for line in json.lines() {
        out.text(TextStyle::Plain, indent)?;
        for (style, piece) in pieces(line) {
            out.text(style, piece)?;
        }
        out.end()?;
    }
    Ok(())
}

/// Splits a line of pretty-printed JSON by style. A string is a key if a colon follows.
fn pieces(line: &str) -> Vec<(TextStyle, &str)> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            char if is_word(char) => rest.find(|char| !is_word(char)).unwrap_or(rest.len()),
            _ => rest.find(|char| char == '"' || is_word(char)).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at(length);
        let style = match first {
            '"' if after.starts_with(':') => TextStyle::Strong,
            '"' => TextStyle::Good,
            'n' => TextStyle::Quiet,
            char if is_word(char) => TextStyle::Busy,
            _ => TextStyle::Plain,
        };
        pieces.push((style, piece));
        rest = after;
    }
    pieces
}

/// Returns whether the character belongs to a number, `true`, `false` or `null`.
fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.')
}

/// Returns the length of the JSON string at the beginning of the text.
fn string_length(text: &str) -> usize {
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
    fn each_type_of_value_has_its_style() {
        let line = r#"  "a \" é": [-1.5e3, null, "x: \\", true],"#;
        let expected = [
            (TextStyle::Plain, "  "),
            (TextStyle::Strong, r#""a \" é""#),
            (TextStyle::Plain, ": ["),
            (TextStyle::Busy, "-1.5e3"),
            (TextStyle::Plain, ", "),
            (TextStyle::Quiet, "null"),
            (TextStyle::Plain, ", "),
            (TextStyle::Good, r#""x: \\""#),
            (TextStyle::Plain, ", "),
            (TextStyle::Busy, "true"),
            (TextStyle::Plain, "],"),
        ];
        assert_eq!(pieces(line), expected);
    }
}
