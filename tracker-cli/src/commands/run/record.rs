//! `Record`: a record of an input: a line, or several lines that one command gets. Made by `record_reader`, `combinations` and `input`; plain
//! data.

use super::{byte_text::ByteText, read_line::beginning_and_hash};

/// The longest text of a record with several values, in bytes. The task stores the text and the values.
const TEXT_MAX: usize = 4 << 20;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The lines as they were read.
    pub lines: Vec<Vec<u8>>,
    /// The values for placeholders; empty if the only line is the value.
    pub values: Vec<ByteText>,
    /// The length of a record that is too long to be stored.
    pub oversized: Option<u64>,
}

impl Record {
    /// A line that is one value.
    pub fn line(text: Vec<u8>) -> Self {
        Self { lines: vec![text], ..Self::default() }
    }

    /// Combines records: the values of the first come first.
    pub fn join<'a>(records: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut joined = Self::default();
        for record in records {
            joined.lines.extend_from_slice(&record.lines);
            if record.values.is_empty() {
                joined.values.extend(record.lines.iter().cloned().map(ByteText));
            } else {
                joined.values.extend_from_slice(&record.values);
            }
            joined.oversized = joined.oversized.or(record.oversized);
        }
        joined
    }

    /// Returns the text that identifies the record: the line, or the lines separated by tabs, with `\` before a tab or a `\`
    /// of a line. Different lists of lines have different texts.
    pub fn into_text(mut self) -> (Vec<u8>, Vec<ByteText>, Option<u64>) {
        let text = match self.lines.as_mut_slice() {
            [line] => std::mem::take(line),
            lines => lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join(&b'\t'),
        };
        if !self.values.is_empty() && text.len() > TEXT_MAX && self.oversized.is_none() {
            return (beginning_and_hash(&text), Vec::new(), Some(text.len() as u64));
        }
        let values = if self.oversized.is_some() { Vec::new() } else { self.values };
        (text, values, self.oversized)
    }
}

fn escaped(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    for byte in line {
        if matches!(byte, b'\t' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(lines: &[&str]) -> Vec<u8> {
        let records: Vec<_> = lines.iter().map(|line| Record::line(line.as_bytes().to_vec())).collect();
        Record::join(&records).into_text().0
    }

    #[test]
    fn texts_of_different_lists_differ() {
        let pieces = ["", "a", "\t", "\\", "a\\\t", "\\\ta"];
        let mut lists = Vec::new();
        for first in pieces {
            for second in pieces {
                lists.push(vec![first, second]);
                lists.extend(pieces.iter().map(|third| vec![first, second, third]));
            }
        }
        let texts: HashSet<_> = lists.iter().map(|list| text(list)).collect();
        assert_eq!(texts.len(), lists.len());
        assert_eq!(text(&["a\tb"]), b"a\tb");
        assert_eq!(text(&["a b", "c\\"]), b"a b\tc\\\\");
    }

    #[test]
    fn too_long_record_keeps_its_beginning() {
        let long = Record::line(vec![b'x'; TEXT_MAX]);
        let (text, values, oversized) = Record::join([&long, &Record::line(b"y".to_vec())]).into_text();
        assert_eq!((text.len() < 1_000, values.len(), oversized), (true, 0, Some(TEXT_MAX as u64 + 2)));
        assert_eq!(long.clone().into_text(), (long.lines[0].clone(), Vec::new(), None));
    }
}
