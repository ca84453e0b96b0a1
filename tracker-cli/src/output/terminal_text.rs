//! Escapes text from a file before it is printed: it may contain control sequences of terminals. Called by `output` and by commands that print
//! text; pure.

use std::{borrow::Cow, fmt::Write};

/// Escapes control characters and line breaks.
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// Escapes control characters, but keeps line breaks and tabs.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

/// Returns whether a terminal obeys the character: control characters, line separators and marks of text direction.
pub fn controls_terminal(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, lines: bool) -> Cow<'_, str> {
    let controls_terminal = |char: char| controls_terminal(char) && !(lines && matches!(char, '\n' | '\t'));
    if !text.contains(controls_terminal) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if controls_terminal(char) {
            // Writing to a string does not fail.
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.push(char);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape_line("a\x1b[2Jb\nc\t\u{202e}\u{2028}"), "a\\u{1b}[2Jb\\nc\\t\\u{202e}\\u{2028}");
        assert_eq!(escape_lines("a\x1bb\n\tc"), "a\\u{1b}b\n\tc");
        assert_eq!(escape_line("naïve 漢字"), "naïve 漢字");
    }
}
