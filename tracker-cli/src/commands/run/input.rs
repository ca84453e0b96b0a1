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
    line::Line,
    read_line::{ReadLine, read_line},
    template::Template,
    text::Text,
};

/// Lines in batches, or why there are no more.
pub type Batch = io::Result<Vec<Line>>;

/// The lines to run commands on.
pub enum Input {
    /// Those of the command line, after `:::`.
    Arguments(Vec<OsString>),
    /// Those of the standard input, each ended by this byte.
    Stdin(u8),
}

/// So many lines are put in at once.
const BATCH: usize = 4_096;

/// Or as many as have so many bytes together.
const BATCH_BYTES: usize = 16 << 20;

impl Input {
    /// Reads on a thread of its own, so that nobody waits for a slow writer; no faster than the batches are taken.
    pub fn read(self, template: &Template) -> io::Result<Receiver<Batch>> {
        let (sender, batches) = sync_channel(2);
        let mut numbers = Numbers::new(template.clone());
        thread::Builder::new().name("input".into()).spawn(move || match self {
            Self::Arguments(arguments) => {
                let lines = arguments.into_iter().map(|argument| numbers.line(argument.into_vec())).collect();
                // Nobody listens any more: the run has stopped.
                let _ = sender.send(Ok(lines));
            }
            Self::Stdin(end) => read(BufReader::new(io::stdin()), end, &mut numbers, &sender),
        })?;
        Ok(batches)
    }
}

/// What is there is told before more is waited for.
fn read<R: Read>(mut input: BufReader<R>, end: u8, numbers: &mut Numbers, sender: &SyncSender<Batch>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let read = read_line(&mut input, end);
        let is_last = !matches!(read, Ok(Some(_)));
        let read = read.map(|line| {
            if let Some(ReadLine { text, oversized }) = line {
                bytes += text.len();
                batch.push(Line { oversized, ..numbers.line(text) });
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

/// Numbers the lines, and those with the same text.
struct Numbers {
    template: Template,
    number: u64,
    /// By a hash of the text. Two texts with the same one would only be numbered as if they were the same.
    copies: HashMap<u64, u64>,
}

impl Numbers {
    fn new(template: Template) -> Self {
        Self { template, number: 0, copies: HashMap::new() }
    }

    fn line(&mut self, line: Vec<u8>) -> Line {
        self.number += 1;
        let copy = self.copies.entry(xxh3_64(&line)).or_default();
        *copy += 1;
        Line {
            copy: *copy,
            text: Text(line),
            number: self.number,
            command: self.template.clone(),
            oversized: None,
            result: None,
        }
    }
}
