//! `EscapedJson`: JSON with the characters escaped that a terminal would obey. Used for `--json`, exports and the text given to an editor;
//! pure.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    str,
};

use super::terminal_text::controls_terminal;

/// Escapes control characters in JSON text. They occur in strings only, so the value stays the same.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Writers of JSON escape these in strings; they remain between values.
    let escapes = |char: char| controls_terminal(char) && !matches!(char, '\n' | '\r' | '\t');
    if !json.contains(escapes) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 64);
    for char in json.chars() {
        if escapes(char) {
            // Writing to a string does not fail. All these characters are below U+FFFF.
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out.into()
}

/// A writer that escapes JSON as [`escaped_json`] does.
pub struct EscapedJson<W> {
    out: W,
    /// The first bytes of a character whose other bytes are not written yet.
    incomplete: Vec<u8>,
}

impl<W: Write> EscapedJson<W> {
    pub fn new(out: W) -> Self {
        Self { out, incomplete: Vec::new() }
    }
}

impl<W: Write> Write for EscapedJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let incomplete = std::mem::take(&mut self.incomplete);
        let all: Cow<'_, [u8]> =
            if incomplete.is_empty() { bytes.into() } else { [&incomplete, bytes].concat().into() };
        let complete = match str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        let (complete, rest) = all.split_at(complete);
        self.out.write_all(escaped_json(&String::from_utf8_lossy(complete)).as_bytes())?;
        self.incomplete = rest.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const JSON: &str = "{\n\t\"a\u{85}\u{9b}\u{202e}\u{7f}\u{2069}é漢𝄞\": \"\\u001b\"}\r\n";
    const ESCAPED: &str = "{\n\t\"a\\u0085\\u009b\\u202e\\u007f\\u2069é漢𝄞\": \"\\u001b\"}\r\n";

    #[test]
    fn escaped_json_has_the_same_value() {
        assert_eq!(escaped_json(JSON), ESCAPED);
        let values = [JSON, ESCAPED].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(values[0], values[1]);
    }

    #[test]
    fn characters_split_over_writes_are_escaped() {
        for size in 1..8 {
            let mut out = Vec::new();
            let mut writer = EscapedJson::new(&mut out);
            JSON.as_bytes().chunks(size).for_each(|bytes| writer.write_all(bytes).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), ESCAPED, "{size}");
        }
    }
}
