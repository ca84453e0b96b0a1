//! `Input`: reads the sources on a thread of its own and makes lines of their records, in batches. Called by `run/mod` and `parse_command`;
//! reads files and the standard input.

use std::{
    collections::HashMap,
    io, mem,
    num::NonZero,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    byte_text::ByteText,
    columns::Columns,
    combinations::Combinations,
    line::Line,
    record::Record,
    record_reader::RecordReader,
    source::{LinkedSources, Source},
    template::Template,
};

/// A batch of lines, or the error that ends the input.
pub type Batch = io::Result<Vec<Line>>;

pub struct Input {
    sources: Vec<Vec<RecordReader>>,
    max_lines: Option<NonZero<usize>>,
    fills: bool,
    reads_stdin: bool,
}

/// How records are read and put together.
pub struct InputOptions {
    /// The byte that ends a line.
    pub end: u8,
    pub columns: Option<Columns>,
    /// The first record of each source has the names of its values.
    pub has_header: bool,
    /// The most lines for one command; without it, each command gets one, or as many as fit.
    pub max_lines: Option<NonZero<usize>>,
    /// A command gets as many lines as fit.
    pub fills: bool,
}

/// The number of lines in a batch.
const BATCH: usize = 4_096;

/// The number of bytes after which a batch is full.
const BATCH_BYTES: usize = 16 << 20;

/// The longest command that gets as many lines as fit, in bytes: that of GNU parallel.
const COMMAND_MAX: usize = 128 << 10;

impl Input {
    /// Opens the sources. Returns the names of the values too, if the sources have a header.
    ///
    /// # Errors
    /// A file, or the header, cannot be read.
    pub fn open(groups: Vec<LinkedSources>, options: &InputOptions) -> Result<(Self, Vec<ByteText>), String> {
        let reads_stdin = groups.iter().flatten().any(|source| *source == Source::Stdin);
        let (mut names, mut sources) = (Vec::new(), Vec::new());
        for group in groups {
            let mut readers = Vec::new();
            for source in group {
                let mut reader = RecordReader::open(source, options.end, options.columns.clone())?;
                if options.has_header {
                    let header = reader.read().map_err(|error| format!("cannot read the header: {error}"))?;
                    names.extend(Record::join(&header).values);
                }
                readers.push(reader);
            }
            sources.push(readers);
        }
        Ok((Self { sources, max_lines: options.max_lines, fills: options.fills, reads_stdin }, names))
    }

    pub fn reads_stdin(&self) -> bool {
        self.reads_stdin
    }

    /// Starts a thread that reads. It reads at most two batches ahead.
    pub fn read(self, template: &Template) -> io::Result<Receiver<Batch>> {
        let (sender, batches) = sync_channel(2);
        let mut builder = LineBuilder::new(template.clone());
        thread::Builder::new().name("input".into()).spawn(move || {
            let groups = Records::new(self.sources)
                .map(|records| Groups::new(records, self.max_lines, self.fills.then(|| builder.template.clone())));
            match groups {
                Ok(groups) => read(groups, &mut builder, &sender),
                // Fails if the run has stopped.
                Err(error) => drop(sender.send(Err(error))),
            }
        })?;
        Ok(batches)
    }
}

/// Sends the lines that have arrived before it waits for more.
fn read(mut groups: Groups, builder: &mut LineBuilder, sender: &SyncSender<Batch>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let read = groups.read();
        let is_last = !matches!(read, Ok(Some(_)));
        let read = read.map(|record| {
            if let Some(record) = record {
                let line = builder.line(record);
                bytes += line.text.0.len();
                batch.push(line);
            }
        });
        let is_full = is_last || batch.len() >= BATCH || bytes >= BATCH_BYTES || groups.records.may_wait();
        if is_full && !batch.is_empty() {
            bytes = 0;
            if sender.send(Ok(mem::take(&mut batch))).is_err() {
                return;
            }
        }
        if let Err(error) = read {
            let _ = sender.send(Err(error));
        }
        if is_last {
            return;
        }
    }
}

/// The records of one source as they arrive, or the combinations of several.
enum Records {
    Source(RecordReader),
    Combinations(Combinations),
}

impl Records {
    fn new(mut sources: Vec<Vec<RecordReader>>) -> io::Result<Self> {
        if let [group] = sources.as_mut_slice()
            && group.len() == 1
            && let Some(only) = group.pop()
        {
            return Ok(Self::Source(only));
        }
        Combinations::read(sources).map(Self::Combinations)
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        match self {
            Self::Source(source) => source.read(),
            Self::Combinations(combinations) => Ok(combinations.next()),
        }
    }

    fn may_wait(&self) -> bool {
        matches!(self, Self::Source(source) if source.may_wait())
    }
}

/// Puts the records of one command together.
struct Groups {
    records: Records,
    max_lines: usize,
    /// The command, if it gets as many lines as fit.
    filled: Option<Template>,
    /// A record that did not fit into the group before it.
    pending: Option<Record>,
}

impl Groups {
    fn new(records: Records, max_lines: Option<NonZero<usize>>, filled: Option<Template>) -> Self {
        let default = if filled.is_some() { usize::MAX } else { 1 };
        Self { records, max_lines: max_lines.map_or(default, NonZero::get), filled, pending: None }
    }

    fn read(&mut self) -> io::Result<Option<Record>> {
        if self.max_lines == 1 {
            return self.records.read();
        }
        let mut group = Vec::new();
        let mut bytes = self.filled.as_ref().map_or(0, Template::bytes);
        while group.len() < self.max_lines {
            let Some(record) = self.pending.take().map_or_else(|| self.records.read(), |record| Ok(Some(record)))?
            else {
                break;
            };
            if let Some(template) = &self.filled {
                bytes += template.repeated_bytes(&record);
                if bytes > COMMAND_MAX && !group.is_empty() {
                    self.pending = Some(record);
                    break;
                }
            }
            group.push(record);
        }
        Ok((!group.is_empty()).then(|| Record::join(&group)))
    }
}

/// Makes lines, and counts those with the same text.
struct LineBuilder {
    template: Template,
    number: u64,
    /// By the hash of the text. Texts with the same hash are counted together, which is harmless.
    copies: HashMap<u64, u64>,
}

impl LineBuilder {
    fn new(template: Template) -> Self {
        Self { template, number: 0, copies: HashMap::new() }
    }

    fn line(&mut self, record: Record) -> Line {
        let (text, values, oversized) = record.into_text();
        self.number += 1;
        let copy = self.copies.entry(xxh3_64(&text)).or_default();
        *copy += 1;
        Line {
            copy: *copy,
            text: ByteText(text),
            values,
            number: self.number,
            command: self.template.clone(),
            oversized,
            result: None,
        }
    }
}
