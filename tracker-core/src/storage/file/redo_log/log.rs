//! `Log` is a redo log that has begun: it collects the writes since the last flush, and appends them as a record. Used by `logged_disk`; writes the
//! log through the user's function or that of `open`.

use std::io;

use super::{descriptor::Descriptor, record::Batch};

/// A flush of more than this part of the log goes to the file itself: writing so much twice would gain nothing.
const LARGEST_PART: u64 = 4;

/// Writes bytes of the file, and returns once they would survive a power loss; others need not.
pub(crate) type WriteThrough = Box<dyn Fn(u64, &[u8]) -> io::Result<()> + Send + Sync>;

/// How to write a log.
pub(crate) struct LogWriter {
    pub write_through: WriteThrough,
    /// The length of the log, in bytes.
    pub length: u64,
}

/// The length of the largest record in a log of this length, in bytes.
pub(super) fn largest_record(log_length: u64) -> u64 {
    log_length / LARGEST_PART
}

/// A log that has begun.
pub(super) struct Log {
    pub descriptor: Descriptor,
    pub epoch: u64,
    /// Where the next record begins within the log, and its number.
    pub position: u64,
    pub number: u64,
    /// The writes since the last flush.
    pub batch: Batch,
    /// The sum of the lengths of these writes, in bytes.
    span: u64,
    /// So many bytes have been written that the next flush goes to the file.
    pub is_overfull: bool,
}

impl Log {
    pub fn new(descriptor: Descriptor, epoch: u64) -> Self {
        Self { descriptor, epoch, position: 0, number: 0, batch: Batch::new(), span: 0, is_overfull: false }
    }

    pub fn add(&mut self, offset: u64, data: &[u8]) {
        self.span = self.span.saturating_add(data.len() as u64);
        if !self.is_overfull {
            self.is_overfull = self.span > self.descriptor.length
                || !self.batch.add(offset, data)
                || self.batch.record_length() > largest_record(self.descriptor.length);
        }
        if self.is_overfull {
            self.batch.clear();
        }
    }

    /// Lets the next record be the first of another epoch, in the place of the first one.
    pub fn begin_epoch(&mut self) {
        (self.epoch, self.position, self.number) = (self.epoch.wrapping_add(1), 0, 0);
        self.is_overfull = false;
        self.span = 0;
    }

    /// Appends the record of the batch.
    pub fn append(&mut self, writer: &LogWriter) -> io::Result<()> {
        let record = self.batch.record(self.epoch, self.number);
        let length = record.len() as u64;
        (writer.write_through)(self.descriptor.start + self.position, record)?;
        (self.position, self.number) = (self.position + length, self.number + 1);
        self.batch.clear();
        self.span = 0;
        Ok(())
    }
}
