//! Reads the input on a thread of its own and makes lines of it, in batches.

use std::{
    collections::HashMap,
    ffi::OsString,
    io::{self, BufReader, Read},
    mem,
    os::unix::ffi::OsStringExt,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    byte_text::ByteText,
    line::Line,
    read_line::{InputLine, read_line},
    template::Template,
};

/// A batch of lines, or the error that ends the input.
pub type Batch = io::Result<Vec<Line>>;

/// The source of the lines.
pub enum Input {
    /// The arguments after `:::`.
    Arguments(Vec<OsString>),
    /// The lines of the standard input, each ended by this byte.
    Stdin(u8),
}

/// The number of lines in a batch.
const BATCH: usize = 4_096;

/// The number of bytes after which a batch is full.
const BATCH_BYTES: usize = 16 << 20;

impl Input {
    /// Starts a thread that reads. It reads at most two batches ahead.
    pub fn read(self, template: &Template) -> io::Result<Receiver<Batch>> {
        let (sender, batches) = sync_channel(2);
        let mut builder = LineBuilder::new(template.clone());
        thread::Builder::new().name("input".into()).spawn(move || match self {
            Self::Arguments(arguments) => {
                let lines = arguments.into_iter().map(|argument| builder.line(argument.into_vec())).collect();
                // Fails if the run has stopped.
                let _ = sender.send(Ok(lines));
            }
            Self::Stdin(end) => read(BufReader::new(io::stdin()), end, &mut builder, &sender),
        })?;
        Ok(batches)
    }
}

/// Sends the lines that have arrived before it waits for more.
fn read<R: Read>(mut input: BufReader<R>, end: u8, builder: &mut LineBuilder, sender: &SyncSender<Batch>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let read = read_line(&mut input, end);
        let is_last = !matches!(read, Ok(Some(_)));
        let read = read.map(|line| {
            if let Some(InputLine { text, oversized }) = line {
                bytes += text.len();
                batch.push(Line { oversized, ..builder.line(text) });
            }
        });
        let is_full = is_last || batch.len() >= BATCH || bytes >= BATCH_BYTES || !input.buffer().contains(&end);
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

    fn line(&mut self, line: Vec<u8>) -> Line {
        self.number += 1;
        let copy = self.copies.entry(xxh3_64(&line)).or_default();
        *copy += 1;
        Line {
            copy: *copy,
            text: ByteText(line),
            number: self.number,
            command: self.template.clone(),
            oversized: None,
            result: None,
        }
    }
}
