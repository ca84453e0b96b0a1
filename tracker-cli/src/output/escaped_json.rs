use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    str,
};

use super::text::steers;

/// JSON text with the characters escaped that would steer a terminal. Those are in strings only, so it means the same.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Other control characters are escaped by every writer of JSON; these stand between its values.
    let escapes = |char: char| steers(char) && !matches!(char, '\n' | '\r' | '\t');
    if !json.contains(escapes) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 64);
    for char in json.chars() {
        if escapes(char) {
            // Writing to a string does not fail, and all of them are below U+FFFF.
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out.into()
}

/// Passes JSON on as [`escaped_json`].
pub struct EscapedJson<W> {
    out: W,
    /// The beginning of a character whose other bytes have not come.
    begun: Vec<u8>,
}

impl<W: Write> EscapedJson<W> {
    pub fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }
}

impl<W: Write> Write for EscapedJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begun = std::mem::take(&mut self.begun);
        let all: Cow<'_, [u8]> = if begun.is_empty() { bytes.into() } else { [&begun, bytes].concat().into() };
        let complete = match str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        let (complete, rest) = all.split_at(complete);
        self.out.write_all(escaped_json(&String::from_utf8_lossy(complete)).as_bytes())?;
        self.begun = rest.to_vec();
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
    fn escaped_json_is_the_same_value() {
        assert_eq!(escaped_json(JSON), ESCAPED);
        let values = [JSON, ESCAPED].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(values[0], values[1]);
    }

    #[test]
    fn characters_cut_by_writes_are_escaped() {
        for size in 1..8 {
            let mut out = Vec::new();
            let mut writer = EscapedJson::new(&mut out);
            JSON.as_bytes().chunks(size).for_each(|bytes| writer.write_all(bytes).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), ESCAPED, "{size}");
        }
    }
}
