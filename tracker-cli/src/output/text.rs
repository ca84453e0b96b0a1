//! Text of the file's as it may be shown: it can hold anything, also what would steer the terminal.

use std::{borrow::Cow, fmt::Write};

/// On one line, with control characters escaped.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// With its line breaks, and other control characters escaped.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

/// Whether a terminal would obey the character: control characters, marks that break lines, and marks that change the
/// direction of text.
pub fn steers(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, lines: bool) -> Cow<'_, str> {
    let steers = |char: char| steers(char) && !(lines && matches!(char, '\n' | '\t'));
    if !text.contains(steers) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if steers(char) {
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
    fn what_steers_a_terminal_is_shown_and_not_obeyed() {
        assert_eq!(shown("a\x1b[2Jb\nc\t\u{202e}\u{2028}"), "a\\u{1b}[2Jb\\nc\\t\\u{202e}\\u{2028}");
        assert_eq!(shown_lines("a\x1bb\n\tc"), "a\\u{1b}b\n\tc");
        assert_eq!(shown("naïve 漢字"), "naïve 漢字");
    }
}
