use std::{
    collections::HashMap,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    mem,
    os::unix::ffi::OsStringExt,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use xxhash_rust::xxh3::xxh3_64;

use super::{line::Line, template::Template, text::Text};

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
    let mut batch = Vec::new();
    loop {
        let mut line = Vec::new();
        let read = input.read_until(end, &mut line);
        let is_last = !matches!(read, Ok(length) if length > 0);
        if !is_last {
            line.pop_if(|last| *last == end);
            batch.push(numbers.line(line));
        }
        let is_full = is_last || batch.len() >= BATCH || !input.buffer().contains(&end);
        if is_full && !batch.is_empty() && sender.send(Ok(mem::take(&mut batch))).is_err() {
            return;
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
        Line { copy: *copy, text: Text(line), number: self.number, command: self.template.clone(), result: None }
    }
}
