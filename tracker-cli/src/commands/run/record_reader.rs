//! `RecordReader`: reads the records of one source: lines, split into columns if the options say so. Called by `input` and `combinations`.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufReader, Read},
    os::unix::ffi::OsStringExt,
    vec,
};

use super::{
    columns::Columns,
    read_line::{InputLine, LINE_MAX, read_line},
    record::Record,
    source::Source,
};

pub struct RecordReader {
    lines: Lines,
    columns: Option<Columns>,
}

enum Lines {
    Arguments(vec::IntoIter<OsString>),
    /// Lines that end with this byte.
    Read(BufReader<Box<dyn Read + Send>>, u8),
}

impl RecordReader {
    /// Opens a source, whose lines end with this byte.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(source: Source, end: u8, columns: Option<Columns>) -> Result<Self, String> {
        let read = |input: Box<dyn Read + Send>| Lines::Read(BufReader::new(input), end);
        let lines = match source {
            Source::Arguments(arguments) => Lines::Arguments(arguments.into_iter()),
            Source::Stdin => read(Box::new(io::stdin())),
            Source::File(path) => {
                let file =
                    File::open(&path).map_err(|error| format!("{}: cannot read lines: {error}", path.display()))?;
                read(Box::new(file))
            }
        };
        Ok(Self { lines, columns })
    }

    /// Returns whether the next record may have to be waited for.
    pub fn may_wait(&self) -> bool {
        match &self.lines {
            Lines::Arguments(_) => false,
            Lines::Read(input, end) => !input.buffer().contains(end),
        }
    }

    /// Reads the next record. Returns `None` at the end.
    pub fn read(&mut self) -> io::Result<Option<Record>> {
        let Some(mut line) = self.lines.read()? else { return Ok(None) };
        let Some(columns) = &self.columns else {
            return Ok(Some(Record { oversized: line.oversized, ..Record::line(line.text) }));
        };
        while columns.is_open(&line.text) && line.oversized.is_none() {
            let Some(next) = self.lines.read()? else { break };
            line.text.push(self.lines.end());
            line.text.extend_from_slice(&next.text);
            if line.text.len() > LINE_MAX {
                let begin = String::from_utf8_lossy(line.text.get(..80).unwrap_or_default()).into_owned();
                return Err(invalid(&format!(
                    "a CSV record is longer than {LINE_MAX} bytes, or a quote is not closed: {begin:?}"
                )));
            }
        }
        let values = if line.oversized.is_some() { Ok(Vec::new()) } else { columns.split(&line.text) };
        let values =
            values.map_err(|error| invalid(&format!("not CSV: {error}: {:?}", String::from_utf8_lossy(&line.text))))?;
        Ok(Some(Record { values, oversized: line.oversized, ..Record::line(line.text) }))
    }

    /// Reads all records.
    pub fn read_all(mut self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        while let Some(record) = self.read()? {
            records.push(record);
        }
        Ok(records)
    }
}

impl Lines {
    fn read(&mut self) -> io::Result<Option<InputLine>> {
        match self {
            Self::Arguments(arguments) => {
                Ok(arguments.next().map(|argument| InputLine { text: argument.into_vec(), oversized: None }))
            }
            Self::Read(input, end) => read_line(input, *end),
        }
    }

    fn end(&self) -> u8 {
        match self {
            Self::Arguments(_) => b'\n',
            Self::Read(_, end) => *end,
        }
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
