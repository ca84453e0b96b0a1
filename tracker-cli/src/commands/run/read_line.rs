//! `read_line`: reads lines of any length with bounded memory. Called by `record_reader`; reads the given source.

use std::io::{self, BufRead};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The longest line that is stored, in bytes: half of the largest payload, because the result needs the rest. No system
/// accepts an argument of this length.
pub const LINE_MAX: usize = 8 << 20;

/// The stored part of a longer line, in bytes.
const BEGINNING: usize = 200;

#[derive(Debug, PartialEq, Eq)]
pub struct InputLine {
    /// The line; of a line that is too long, the beginning and a hash of the whole.
    pub text: Vec<u8>,
    /// The length of a line that is too long.
    pub oversized: Option<u64>,
}

/// Reads a line without the byte that ends it. Returns `None` at the end of the input. Holds at most [`LINE_MAX`] bytes.
pub fn read_line(input: &mut impl BufRead, end: u8) -> io::Result<Option<InputLine>> {
    read_up_to(input, end, LINE_MAX)
}

fn read_up_to(input: &mut impl BufRead, end: u8, longest: usize) -> io::Result<Option<InputLine>> {
    let (mut text, mut bytes, mut hash) = (Vec::new(), 0_u64, None::<Box<Xxh3>>);
    loop {
        let found = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            found => found?,
        };
        let is_over = found.is_empty();
        if is_over && bytes == 0 {
            return Ok(None);
        }
        let length = found.iter().position(|byte| *byte == end);
        let part = found.get(..length.unwrap_or(found.len())).unwrap_or_default();
        if hash.is_none() && text.len() + part.len() > longest {
            let mut hasher = Box::new(Xxh3::new());
            hasher.update(&text);
            text = beginning(&text, part);
            hash = Some(hasher);
        }
        match &mut hash {
            Some(hash) => hash.update(part),
            None => text.extend_from_slice(part),
        }
        let used = part.len() + usize::from(length.is_some());
        bytes += used as u64;
        input.consume(used);
        if is_over || length.is_some() {
            let bytes = bytes - u64::from(length.is_some());
            return Ok(Some(match hash {
                None => InputLine { text, oversized: None },
                Some(hash) => {
                    text.extend_from_slice(format!("… {:032x}", hash.digest128()).as_bytes());
                    InputLine { text, oversized: Some(bytes) }
                }
            }));
        }
    }
}

/// Returns the beginning of a text and a hash of the whole: the stored part of a text that is too long.
pub fn beginning_and_hash(text: &[u8]) -> Vec<u8> {
    let mut stored = beginning(text, &[]);
    stored.extend_from_slice(format!("… {:032x}", xxh3_128(text)).as_bytes());
    stored
}

/// Returns the beginning of a line that consists of two parts. Does not split a character.
fn beginning(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut text: Vec<u8> = first.iter().chain(second).copied().take(BEGINNING).collect();
    if let Err(error) = str::from_utf8(&text)
        && error.error_len().is_none()
    {
        text.truncate(error.valid_up_to());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Reads all lines through a buffer of three bytes.
    fn lines(input: &[u8], longest: usize) -> Vec<InputLine> {
        let mut input = BufReader::with_capacity(3, input);
        std::iter::from_fn(|| read_up_to(&mut input, b'\n', longest).unwrap_or_default()).collect()
    }

    fn line(text: &str) -> InputLine {
        InputLine { text: text.into(), oversized: None }
    }

    #[test]
    fn lines_up_to_the_limit_are_read_whole() {
        assert_eq!(lines(b"", 5), []);
        assert_eq!(lines(b"\n", 5), [line("")]);
        assert_eq!(lines(b"12345\n\nabc\n", 5), [line("12345"), line(""), line("abc")]);
        assert_eq!(lines(b"abc\nde", 5), [line("abc"), line("de")]);
    }

    #[test]
    fn longer_line_keeps_its_beginning_and_a_hash() {
        let (first, second) = ("ü".repeat(300), format!("{}x", "ü".repeat(300)));
        let found = lines(format!("a\n{first}\n{second}\n{first}").as_bytes(), 500);
        let sizes: Vec<_> = found.iter().map(|line| line.oversized).collect();
        assert_eq!(sizes, [None, Some(600), Some(601), Some(600)]);
        assert!(found[1].text.starts_with("ü".repeat(100).as_bytes()) && str::from_utf8(&found[1].text).is_ok());
        assert!(found[1] != found[2] && found[1].text == found[3].text && found[1].text.len() < 300);
        assert!(found[1].text.ends_with(format!("{:032x}", xxh3_128(first.as_bytes())).as_bytes()));
    }
}
