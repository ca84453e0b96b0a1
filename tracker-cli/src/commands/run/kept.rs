use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde::{Deserialize, Serialize};

use super::text::Text;

/// What is kept of what a command printed.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// How many bytes it was.
    pub bytes: u64,
    /// All, or the beginning.
    pub text: Text,
    /// The end, where the middle is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<Text>,
}

/// For people: all, or with a word about what is left out.
impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)?;
        if let Some(end) = &self.end {
            let left_out = self.bytes.saturating_sub((self.text.0.len() + end.0.len()) as u64);
            write!(f, "\n… {left_out} bytes are left out …\n{end}")?;
        }
        Ok(())
    }
}

impl Kept {
    /// At most `keep` bytes of each, and at most `room` bytes of both. Where both are too long for the room, each gets
    /// half of it; where one is short, the other gets the rest.
    pub fn of_both(stdout: &mut File, stderr: &mut File, keep: u64, room: u64) -> io::Result<(Self, Self)> {
        let out = stdout.metadata()?.len().min(keep);
        let errors = stderr.metadata()?.len().min(keep).min((room / 2).max(room.saturating_sub(out)));
        Ok((Self::of(stdout, out.min(room - errors))?, Self::of(stderr, errors)?))
    }

    /// At most so many bytes: all, or as many from the beginning as from the end.
    pub fn of(file: &mut File, most: u64) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        if bytes <= most {
            return Ok(Self { bytes, text: read(file, 0, bytes)?, end: None });
        }
        let half = most / 2;
        let (text, end) = (read(file, 0, half)?, read(file, bytes - half, half)?);
        Ok(Self { bytes, text: without_torn_end(&text), end: Some(without_torn_begin(end)) })
    }

    /// The last line that says something.
    pub fn last_line(&self) -> Option<String> {
        let end = self.end.as_ref().unwrap_or(&self.text).to_string();
        end.lines().map(str::trim).rfind(|line| !line.is_empty()).map(ToOwned::to_owned)
    }
}

fn read(file: &mut File, from: u64, bytes: u64) -> io::Result<Text> {
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    Ok(Text(text))
}

/// Text stays text where it was cut in a character.
fn without_torn_end(text: &Text) -> Text {
    let torn = match std::str::from_utf8(&text.0) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => text.0.len(),
    };
    Text(text.0.get(..torn).unwrap_or_default().to_vec())
}

fn without_torn_begin(text: Text) -> Text {
    let torn = text.0.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    match text.0.get(torn..) {
        Some(rest) if std::str::from_utf8(rest).is_ok() => Text(rest.to_vec()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn kept(text: &str, most: u64) -> Kept {
        let mut file = tempfile::tempfile().unwrap_or_else(|error| panic!("{error}"));
        file.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        Kept::of(&mut file, most).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        let text = |text: &str| Text(text.as_bytes().to_vec());
        assert_eq!(kept("short", 5), Kept { bytes: 5, text: text("short"), end: None });
        assert_eq!(kept("0123456789", 4), Kept { bytes: 10, text: text("01"), end: Some(text("89")) });
        assert_eq!(kept("aüxxxxüb", 4), Kept { bytes: 10, text: text("a"), end: Some(text("b")) });
        assert_eq!(kept("0123456789", 0), Kept { bytes: 10, text: text(""), end: Some(text("")) });
    }

    #[test]
    fn both_outputs_share_the_room() {
        let both = |out: usize, errors: usize, keep, room| {
            let file = |bytes: usize| {
                let mut file = tempfile::tempfile().unwrap_or_else(|error| panic!("{error}"));
                file.write_all(&b"x".repeat(bytes)).unwrap_or_else(|error| panic!("{error}"));
                file
            };
            let kept = Kept::of_both(&mut file(out), &mut file(errors), keep, room);
            let (out, errors) = kept.unwrap_or_else(|error| panic!("{error}"));
            let bytes = |kept: &Kept| kept.text.0.len() + kept.end.as_ref().map_or(0, |end| end.0.len());
            (bytes(&out), bytes(&errors))
        };
        assert_eq!(both(100, 100, 10, 1_000), (10, 10));
        assert_eq!(both(100, 100, 1_000, 60), (30, 30));
        assert_eq!(both(100, 10, 1_000, 60), (50, 10));
        assert_eq!(both(10, 100, 1_000, 60), (10, 50));
        assert_eq!(both(100, 100, 1_000, 0), (0, 0));
    }

    #[test]
    fn the_last_words_are_the_last_line_with_something_in_it() {
        assert_eq!(kept("first\nlast \n\n", 100).last_line().as_deref(), Some("last"));
        assert_eq!(kept("\n \n", 100).last_line(), None);
    }
}
