//! Imports JSON lines. Called by users, `tracker-cli` and `api/live/server`; reads the user's `Read`, and writes through `Engine` in user
//! transactions, which run the code of open types. Ends at the first refused line, or counts the refused lines and reports the first 100.

use std::{
    collections::VecDeque,
    io::{BufRead, Read},
};

use super::{
    deferred::DeferredLines,
    dependency::AwaitedDependency,
    foreign,
    imported_task::ImportedTask,
    kind,
    line::{Numbered, PortableLine},
};
use crate::{
    api::{
        import::{ImportOptions, Imported, LineError},
        shared::Shared,
        tracker::Tracker,
    },
    engine::Writer,
    model::error::{Error, ErrorKind, Result},
};

/// How many lines share a transaction.
const BATCH: usize = 1_000;
/// The most bytes that they have.
const BATCH_BYTES: usize = 8 << 20;
/// The longest line: the largest payload, as JSON.
const LONGEST: u64 = 256 << 20;
/// How many errors are kept.
const ERRORS: usize = 100;

impl Tracker {
    /// Imports tasks from lines of JSON, as [`Tracker::export`] writes them or as `docs/json-lines.md` describes
    /// them; only an id and a payload are needed. A task whose id is there stays as it is, so that an import which was
    /// interrupted can run again. Each line goes in whole or not at all; about a thousand share a commit.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Tracker, portable::ImportOptions};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tracker = Tracker::in_memory()?;
    /// let jobs = tracker.tasks::<Job>()?;
    /// let lines = r#"
    ///     {"id": "one", "payload": {"name": "one", "host": "a", "result": null}}
    ///     {"id": "two", "status": "Succeeded", "payload": {"name": "two", "host": "b", "result": 7}}
    /// "#;
    /// let imported = tracker.import_with(lines.as_bytes(), &ImportOptions::new().kind("job"))?;
    /// assert_eq!(imported.new, 2);
    /// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if a line cannot be imported. The error names the number of the first such
    ///   line, what is wrong with it and what to do. The lines before it are stored.
    /// - A [storage error](crate::ErrorKind#storage-errors), or an error of the reader.
    pub fn import(&self, lines: impl Read) -> Result<Imported> {
        self.import_with(lines, &ImportOptions::new())
    }

    /// Imports lines that do not name their kind, or some of which may be wrong.
    ///
    /// # Errors
    /// As [`Tracker::import`]. If the options say that the import continues after wrong lines, these are counted and cause no error.
    pub fn import_with(&self, lines: impl Read, options: &ImportOptions) -> Result<Imported> {
        let mut import = Import::new(self, options);
        let mut lines = std::io::BufReader::new(lines);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let read = lines.by_ref().take(LONGEST).read_until(b'\n', &mut text);
            match read.map_err(|error| Error::caused(ErrorKind::Io, "the lines cannot be read further", error))? {
                0 => break,
                long if long as u64 >= LONGEST && text.last() != Some(&b'\n') => {
                    import.store()?;
                    return Err(line_error(number, "it is longer than 256 MiB"));
                }
                _ => import.add(number, &text)?,
            }
        }
        import.finish()
    }
}

fn line_error(line: u64, what: impl Into<String>) -> Error {
    let error = LineError { line, what: what.into() };
    Error::invalid(format!("{error}; the lines before it are in: correct it, and import again"))
}

struct Import<'i> {
    tracker: &'i Tracker,
    options: &'i ImportOptions,
    lines: VecDeque<Numbered>,
    bytes: usize,
    held: DeferredLines,
    /// Batches to seal when all lines are stored.
    seals: Vec<Numbered>,
    imported: Imported,
}

/// The result of a line.
enum Put {
    Kind {
        new: bool,
    },
    Batch {
        new: bool,
    },
    Task {
        new: bool,
    },
    Schedule {
        new: bool,
    },
    /// Nothing that is counted; or nothing yet.
    Nothing,
}

impl<'i> Import<'i> {
    fn new(tracker: &'i Tracker, options: &'i ImportOptions) -> Self {
        Self {
            tracker,
            options,
            lines: VecDeque::new(),
            bytes: 0,
            held: DeferredLines::default(),
            seals: Vec::new(),
            imported: Imported::default(),
        }
    }

    fn add(&mut self, number: u64, text: &[u8]) -> Result<()> {
        if number == 1
            && let Some(what) = foreign::format(text)
        {
            return Err(Error::invalid(format!("line 1: {what}")));
        }
        // Joined files have a mark wherever one of them begins.
        let text = text.strip_prefix(foreign::BOM).unwrap_or(text).trim_ascii();
        if text.is_empty() {
            return Ok(());
        }
        match PortableLine::read(text) {
            Ok(line @ PortableLine::Seal(_)) => self.seals.push(Numbered { number, bytes: text.len(), line }),
            Ok(line) => return self.queue(Numbered { number, bytes: text.len(), line }),
            Err(what) => {
                self.store()?;
                return self.refuse(number, what);
            }
        }
        Ok(())
    }

    fn queue(&mut self, line: Numbered) -> Result<()> {
        self.bytes += line.bytes;
        self.lines.push_back(line);
        if self.lines.len() >= BATCH || self.bytes >= BATCH_BYTES { self.store() } else { Ok(()) }
    }

    fn refuse(&mut self, line: u64, what: String) -> Result<()> {
        if !self.options.goes_on {
            return Err(line_error(line, what));
        }
        self.imported.refused += 1;
        if self.imported.errors.len() < ERRORS {
            self.imported.errors.push(LineError { line, what });
        }
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let mut lines = std::mem::take(&mut self.lines);
        self.bytes = 0;
        if lines.is_empty() {
            return Ok(());
        }
        let Self { tracker, options, held, .. } = self;
        let shared = &tracker.shared;
        let mut answers = Vec::with_capacity(lines.len());
        shared.engine.user_transaction(|writer| -> Result<()> {
            while let Some(line) = lines.pop_front() {
                let number = line.number;
                let put = put(writer, shared, options, line, held);
                let ends = match &put {
                    Ok(_) => false,
                    // The error is the file's and not the line's, so none of the batch is imported.
                    Err(error) if error.stops_a_batch() || error.kind() == ErrorKind::Corrupted => {
                        return put.map(drop);
                    }
                    Err(_) => !options.goes_on,
                };
                answers.push((number, put));
                if ends {
                    break;
                }
                // Done before the next line, because this one may be the last that the held lines waited for.
                while let Some(line) = held.next() {
                    lines.push_front(line);
                }
            }
            Ok(())
        })?;
        for (number, answer) in answers {
            match answer {
                Ok(Put::Kind { new }) => self.imported.kinds += u64::from(new),
                Ok(Put::Batch { new }) => self.imported.batches += u64::from(new),
                Ok(Put::Schedule { new }) => self.imported.schedules += u64::from(new),
                Ok(Put::Task { new: true }) => self.imported.new += 1,
                Ok(Put::Task { new: false }) => self.imported.existing += 1,
                Ok(Put::Nothing) => {}
                Err(error) => self.refuse(number, error.to_string())?,
            }
        }
        Ok(())
    }

    /// Refuses the lines whose dependencies are in no line, and seals the batches whose tasks are all stored.
    fn finish(mut self) -> Result<Imported> {
        self.store()?;
        for (number, reason) in std::mem::take(&mut self.held).rest() {
            self.refuse(number, reason)?;
        }
        for seal in std::mem::take(&mut self.seals) {
            if self.imported.refused > 0 {
                self.refuse(
                    seal.number,
                    "lines before it were refused, so the batch stays open: correct them and import again, or seal it by hand"
                        .to_owned(),
                )?;
            } else {
                self.queue(seal)?;
            }
        }
        self.store()?;
        Ok(self.imported)
    }
}

/// Stores the value of a line. Writes nothing if it is refused.
fn put(
    writer: &mut Writer<'_>,
    shared: &Shared,
    options: &ImportOptions,
    Numbered { number, bytes, line }: Numbered,
    held: &mut DeferredLines,
) -> Result<Put> {
    match line {
        PortableLine::Kind(info) => kind::put(*info, writer).map(|new| Put::Kind { new }),
        PortableLine::Batch(line) => {
            let awaited = AwaitedDependency::Batch(line.open_batch.clone());
            let new = line.put(writer, shared, options.future)?;
            held.wake(&awaited);
            Ok(Put::Batch { new })
        }
        PortableLine::Schedule(line) => line.put(writer, shared).map(|new| Put::Schedule { new }),
        PortableLine::Throttle(line) => line.put(writer).map(|()| Put::Nothing),
        PortableLine::Budget(line) => line.put(writer).map(|()| Put::Nothing),
        PortableLine::Seal(line) => line.put(writer).map(|()| Put::Nothing),
        PortableLine::Task(line) => {
            let mut imported = ImportedTask::of(writer, *line, options.kind.as_ref())?;
            if imported.exists(writer, shared)? {
                return Ok(Put::Task { new: false });
            }
            if let Some(awaited) = imported.awaits(writer)? {
                imported.reserve(writer)?;
                let names = imported.names();
                let line = PortableLine::Task(Box::new(imported.line));
                held.add(awaited, Numbered { number, bytes, line }, names)?;
                return Ok(Put::Nothing);
            }
            let names = imported.names();
            imported.put(writer, shared, options.future)?;
            for name in &names {
                held.wake(name);
            }
            Ok(Put::Task { new: true })
        }
    }
}
