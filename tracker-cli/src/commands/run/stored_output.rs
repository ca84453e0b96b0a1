//! `StoredOutput`: the output of a command that is stored: all of it, or its beginning and its end. Read from the output files by `runner`,
//! printed by `logs`.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize};

use super::byte_text::ByteText;

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredOutput {
    /// The length of the whole output.
    pub bytes: u64,
    /// The whole output, or its beginning.
    pub text: ByteText,
    /// The end, if the middle is omitted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<ByteText>,
}

impl fmt::Display for StoredOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)?;
        if let Some(end) = &self.end {
            let omitted = self.bytes.saturating_sub((self.text.0.len() + end.0.len()) as u64);
            write!(f, "\n… {omitted} bytes omitted …\n{end}")?;
        }
        Ok(())
    }
}

impl StoredOutput {
    /// Reads at most `keep` bytes of each, and at most `room` bytes of both. If both are too long, each gets half of the
    /// room; if one is short, the other gets the rest.
    pub fn read_both(stdout: &mut File, stderr: &mut File, keep: u64, room: u64) -> io::Result<(Self, Self)> {
        let out = stdout.metadata()?.len().min(keep);
        let errors = stderr.metadata()?.len().min(keep).min((room / 2).max(room.saturating_sub(out)));
        Ok((Self::read(stdout, out.min(room - errors))?, Self::read(stderr, errors)?))
    }

    /// Reads at most `limit` bytes: the whole output, or half from the beginning and half from the end.
    pub fn read(file: &mut File, limit: u64) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        if bytes <= limit {
            return Ok(Self { bytes, text: read_range(file, 0, bytes)?, end: None });
        }
        let half = limit / 2;
        let (text, end) = (read_range(file, 0, half)?, read_range(file, bytes - half, half)?);
        Ok(Self { bytes, text: without_partial_end(&text), end: Some(without_partial_begin(end)) })
    }

    /// Returns the last line that is not blank.
    pub fn last_line(&self) -> Option<String> {
        let end = self.end.as_ref().unwrap_or(&self.text).to_string();
        end.lines().map(str::trim).rfind(|line| !line.is_empty()).map(ToOwned::to_owned)
    }
}

fn read_range(file: &mut File, from: u64, bytes: u64) -> io::Result<ByteText> {
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok(ByteText(text))
}

/// Removes an incomplete character at the end.
fn without_partial_end(text: &ByteText) -> ByteText {
    let end = match std::str::from_utf8(&text.0) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.0.len(),
    };
    ByteText(text.0.get(..end).unwrap_or_default().to_vec())
}

/// Removes an incomplete character at the beginning.
fn without_partial_begin(text: ByteText) -> ByteText {
    let end = text.0.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    match text.0.get(end..) {
        Some(rest) if std::str::from_utf8(rest).is_ok() => ByteText(rest.to_vec()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn kept(text: &str, most: u64) -> StoredOutput {
        let mut file = tempfile::tempfile().unwrap_or_else(|error| panic!("{error}"));
        file.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        StoredOutput::read(&mut file, most).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn long_output_keeps_its_beginning_and_end() {
        let text = |text: &str| ByteText(text.as_bytes().to_vec());
        assert_eq!(kept("short", 5), StoredOutput { bytes: 5, text: text("short"), end: None });
        assert_eq!(kept("0123456789", 4), StoredOutput { bytes: 10, text: text("01"), end: Some(text("89")) });
        assert_eq!(kept("aüxxxxüb", 4), StoredOutput { bytes: 10, text: text("a"), end: Some(text("b")) });
        assert_eq!(kept("0123456789", 0), StoredOutput { bytes: 10, text: text(""), end: Some(text("")) });
    }

    #[test]
    fn both_outputs_share_the_room() {
        let both = |out: usize, errors: usize, keep, room| {
            let file = |bytes: usize| {
                let mut file = tempfile::tempfile().unwrap_or_else(|error| panic!("{error}"));
                file.write_all(&b"x".repeat(bytes)).unwrap_or_else(|error| panic!("{error}"));
                file
            };
            let kept = StoredOutput::read_both(&mut file(out), &mut file(errors), keep, room);
            let (out, errors) = kept.unwrap_or_else(|error| panic!("{error}"));
            let bytes = |kept: &StoredOutput| kept.text.0.len() + kept.end.as_ref().map_or(0, |end| end.0.len());
            (bytes(&out), bytes(&errors))
        };
        assert_eq!(both(100, 100, 10, 1_000), (10, 10));
        assert_eq!(both(100, 100, 1_000, 60), (30, 30));
        assert_eq!(both(100, 10, 1_000, 60), (50, 10));
        assert_eq!(both(10, 100, 1_000, 60), (10, 50));
        assert_eq!(both(100, 100, 1_000, 0), (0, 0));
    }

    #[test]
    fn last_line_is_not_blank() {
        assert_eq!(kept("first\nlast \n\n", 100).last_line().as_deref(), Some("last"));
        assert_eq!(kept("\n \n", 100).last_line(), None);
    }
}
