//! Cuts the power at random calls of random commits with a redo log. After each cut the disk must hold either the last acknowledged commit or the
//! one that was being made. `TRACKER_SWEEP=1` cuts the power more often, in more sequences of commits.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use redb::ReadableDatabase;

use super::*;
use crate::model::sample::Random;

const VERSIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("versions");
const SECTOR: usize = 512;

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// The content that a power loss keeps for certain.
    durable: Vec<u8>,
    random: Random,
    /// One of so many calls is a power cut; 0 for none.
    cuts: usize,
    images: Vec<Vec<u8>>,
    records: usize,
    /// Whether it is the image of another disk.
    is_reopened: bool,
    /// Where the last record began.
    last_record: usize,
}

#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>);

impl State {
    /// Perhaps takes an image.
    fn may_cut(&mut self) {
        if self.cuts > 0 && self.random.below(self.cuts) == 0 {
            let kept = self.random.below(4);
            self.cut(kept);
        }
    }

    /// Takes one image of each sort: at calls that are rare and that a mistake would concern.
    fn cut_in_all_ways(&mut self) {
        match self.cuts {
            0 => {}
            _ if self.is_reopened => self.may_cut(),
            _ => (0..4).for_each(|kept| self.cut(kept)),
        }
    }

    /// Takes an image: what is durable, and of the later writes nothing, all, a random half of the sectors, or redb's header.
    fn cut(&mut self, kept: usize) {
        let mut image = self.durable.clone();
        if self.random.below(2) == 0 {
            image.resize(self.bytes.len(), 0);
        }
        let length = image.len().min(self.bytes.len());
        for start in (0..length).step_by(SECTOR) {
            let end = (start + SECTOR).min(length);
            if match kept {
                0 => false,
                1 => true,
                2 => self.random.below(2) == 0,
                _ => start == 0,
            } {
                image[start..end].copy_from_slice(&self.bytes[start..end]);
            }
        }
        self.images.push(image);
    }

    /// Writes, and may cut the power meanwhile.
    fn write(&mut self, offset: u64, data: &[u8], is_through: bool) {
        let at = usize::try_from(offset).unwrap();
        // The record that replaces an earlier one.
        let is_first_record = is_through && at <= self.last_record;
        let durable = self.durable.clone();
        let all_but_one = self.random.below(2) == 0;
        for (number, sector) in data.chunks(SECTOR).enumerate() {
            // Sectors reach the disk in any order.
            let is_there = if all_but_one { number > 0 } else { self.random.below(2) == 0 };
            if is_through && is_there {
                let from = at + number * SECTOR;
                self.durable[from..from + sector.len()].copy_from_slice(sector);
            }
        }
        if is_first_record {
            self.cut_in_all_ways();
        } else {
            self.may_cut();
        }
        self.bytes[at..at + data.len()].copy_from_slice(data);
        self.durable = durable;
        if is_through {
            self.durable[at..at + data.len()].copy_from_slice(data);
            self.last_record = at;
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(self.0.lock().unwrap().bytes.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.cut_in_all_ways();
        state.bytes.resize(usize::try_from(len).unwrap(), 0);
        state.cut_in_all_ways();
        // The log begins anew somewhere.
        state.last_record = usize::MAX;
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.may_cut();
        state.durable = state.bytes.clone();
        state.may_cut();
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().write(offset, data, false);
        Ok(())
    }
    free_locks!();
}

impl Disk {
    fn new(bytes: Vec<u8>, seed: u64, cuts: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            durable: bytes.clone(),
            random: Random(seed),
            cuts,
            images: Vec::new(),
            records: 0,
            is_reopened: !bytes.is_empty(),
            last_record: usize::MAX,
            bytes,
        })))
    }

    fn location(&self, log: Option<u64>) -> Location {
        let disk = self.clone();
        Location::Backend(Arc::new(move || {
            let through = disk.clone();
            let write_through = Box::new(move |offset, data: &[u8]| {
                let mut state = through.0.lock().unwrap();
                state.records += 1;
                state.write(offset, data, true);
                Ok(())
            });
            let log = log.map(|length| LogWriter { write_through, length });
            Ok(Backend { storage: Box::new(disk.clone()), log })
        }))
    }

    fn take_images(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap().images)
    }
}

type Versions = BTreeMap<u64, Vec<u8>>;

fn content(file: &WritableFile) -> Result<Versions> {
    let transaction = file.db.begin_read()?;
    let table = match transaction.open_table(VERSIONS) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Versions::new()),
        table => table?,
    };
    let mut found = Versions::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        found.insert(key.value(), value.value().to_vec());
    }
    Ok(found)
}

/// A commit of one to 2,000 new values, of a few bytes or of many, or of removals.
fn commit(file: &WritableFile, random: &mut Random, versions: &mut Versions, at_least: usize) {
    let mut transaction = file.db.begin_write().unwrap();
    transaction.set_quick_repair(random.below(8) == 0);
    {
        let mut table = transaction.open_table(VERSIONS).unwrap();
        let count = [1, 1, 1, 3, 3, 20, 300][random.below(7)].max(at_least);
        let removes = random.below(8) == 0;
        for _ in 0..count {
            let key = random.below(3_000) as u64;
            if removes {
                table.remove(key).unwrap();
                versions.remove(&key);
            } else {
                let value = vec![u8::try_from(random.below(255)).unwrap() + 1; random.below(200)];
                table.insert(key, value.as_slice()).unwrap();
                versions.insert(key, value);
            }
        }
    }
    file.commit(transaction).unwrap();
}

/// Without a cache for the writes of half of the sequences, so that pages go to the disk early.
fn options(seed: u64) -> FileOptions {
    let sharing = if seed.is_multiple_of(2) { Sharing::Readers } else { Sharing::Exclusive };
    FileOptions { cache_bytes: if seed % 4 < 2 { 0 } else { 1 << 20 }, ..shared(sharing) }
}

/// Opens each image, and cuts the power once more while it is opened. Returns how many were checked.
fn check(images: Vec<Vec<u8>>, before: &Versions, after: &Versions, seed: u64, log: Option<u64>) -> usize {
    let options = options(seed);
    let mut count = 0;
    for (number, image) in (0..).zip(images) {
        let disk = Disk::new(image, seed ^ number, 40);
        let file = open_existing(&disk.location(log.filter(|_| number % 2 == 0)), &options)
            .unwrap_or_else(|error| panic!("seed {seed}, image {number}: {error}"));
        let found = content(&file).unwrap_or_else(|error| panic!("seed {seed}, image {number}: {error}"));
        assert!(found == *before || found == *after, "seed {seed}, image {number} holds another state");
        drop(file);
        for again in disk.take_images() {
            let disk = Disk::new(again, 0, 0);
            let file = open_existing(&disk.location(None), &options)
                .unwrap_or_else(|error| panic!("seed {seed}, image {number}, cut again: {error}"));
            assert!(content(&file).unwrap() == found, "seed {seed}, image {number}, cut again, holds another state");
            count += 1;
        }
        count += 1;
    }
    count
}

#[test]
fn power_cuts_at_random_calls_leave_a_state_that_was_committed() {
    let (mut cuts, mut records) = (0, 0);
    let (seeds, every) = if std::env::var_os("TRACKER_SWEEP").is_some() { (100, 20) } else { (2, 400) };
    for seed in 2..2 + seeds {
        let log = Some([192 << 10, 256 << 10, 1 << 20][usize::try_from(seed % 3).unwrap()]);
        let options = options(seed);
        let disk = Disk::new(Vec::new(), seed, 0);
        let file = open_or_create(&disk.location(log), &options, &squares).unwrap().file;
        let (mut random, mut versions) = (Random(seed), Versions::new());
        // Until the file has room, so that it hardly grows later.
        for _ in 0..40 {
            commit(&file, &mut random, &mut versions, 200);
        }
        disk.0.lock().unwrap().cuts = every;
        for _ in 0..100 {
            let before = versions.clone();
            commit(&file, &mut random, &mut versions, 0);
            cuts += check(disk.take_images(), &before, &versions, seed, log);
        }
        drop(file);
        cuts += check(disk.take_images(), &versions, &versions, seed, log);
        records += disk.0.lock().unwrap().records;
    }
    println!("{cuts} cuts, {records} records");
    assert!(cuts > 80 && records > 30, "{cuts} cuts, {records} records");
}
