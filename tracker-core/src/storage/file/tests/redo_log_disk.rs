//! A disk in memory for the tests of the redo log. It keeps what is certainly on it apart from what is written, and counts its calls.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use super::{super::redo_log::find, backend::Shared, *};

/// The length of the log, in bytes.
pub(super) const LOG: u64 = (1 << 20) + 512;

/// Bytes, with counts of the calls that reach the disk, and an image without the writes that were not flushed.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub bytes: Shared,
    pub counts: Arc<Counts>,
    /// The content after a power loss that keeps none of the unflushed writes.
    pub durable: Arc<Mutex<Vec<u8>>>,
    pub events: Arc<Mutex<Vec<Event>>>,
    /// For the last write through: the content if only its first sector, or all but that one, had come to the disk.
    pub torn: Arc<Mutex<[Vec<u8>; 2]>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Header,
    /// A header with the flag that hides its commit from other processes.
    HiddenHeader,
    Flush,
    Through,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub flushes: AtomicUsize,
    pub through: AtomicUsize,
    /// Whether writes behind the first MiB fail, as on a disk that is full.
    pub is_full: AtomicBool,
    pub through_fails: AtomicBool,
    pub writes: AtomicUsize,
}

impl Disk {
    pub fn location(&self, log: u64) -> Location {
        let disk = self.clone();
        Location::Backend(Arc::new(move || {
            let through = disk.clone();
            let write_through = Box::new(move |offset, data: &[u8]| through.write_through(offset, data));
            let log = (log > 0).then_some(LogWriter { write_through, length: log });
            Ok(Backend { storage: Box::new(disk.clone()), log })
        }))
    }

    fn write_through(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.counts.through_fails.load(SeqCst) {
            return Err(io::Error::other("the disk fails"));
        }
        self.counts.through.fetch_add(1, SeqCst);
        self.events.lock().unwrap().push(Event::Through);
        self.bytes.write(offset, data)?;
        let at = usize::try_from(offset).unwrap();
        let mut durable = self.durable.lock().unwrap();
        *self.torn.lock().unwrap() = [0..512.min(data.len()), 512.min(data.len())..data.len()].map(|part| {
            let mut image = durable.clone();
            image[at + part.start..at + part.end].copy_from_slice(&data[part]);
            image
        });
        durable[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }

    pub fn after_power_loss(&self) -> Self {
        Self::left(self.durable.lock().unwrap().clone())
    }

    pub fn left(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.bytes.set_len(bytes.len() as u64).unwrap();
        disk.bytes.write(0, &bytes).unwrap();
        *disk.durable.lock().unwrap() = bytes;
        disk
    }

    pub fn bytes_now(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.bytes.len().unwrap()).unwrap()];
        self.bytes.read(0, &mut bytes).unwrap();
        bytes
    }

    /// The flushes and the writes through, since the last call.
    pub fn take_counts(&self) -> (usize, usize) {
        (self.counts.flushes.swap(0, SeqCst), self.counts.through.swap(0, SeqCst))
    }

    pub fn has_log(&self) -> bool {
        let read = |offset, out: &mut [u8]| self.bytes.read(offset, out);
        find(self.bytes.len().unwrap(), &read).unwrap().is_some()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.counts.flushes.fetch_add(1, SeqCst);
        self.events.lock().unwrap().push(Event::Flush);
        let mut bytes = vec![0; usize::try_from(self.bytes.len()?).unwrap()];
        self.bytes.read(0, &mut bytes)?;
        *self.durable.lock().unwrap() = bytes;
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.counts.is_full.load(SeqCst) && offset + data.len() as u64 > LOG {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.counts.writes.fetch_add(1, SeqCst);
        if offset == 0 {
            let event = if data[9] & 8 == 0 { Event::Header } else { Event::HiddenHeader };
            self.events.lock().unwrap().push(event);
        }
        self.bytes.write(offset, data)
    }
    free_locks!();
}
