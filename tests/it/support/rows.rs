//! Changes rows of a file directly, with valid checksums.

use std::path::Path;

use tracker_core::redb_store::redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use xxhash_rust::xxh3::xxh3_64;

/// A record, taken apart from its start.
pub struct Record {
    bytes: Vec<u8>,
    at: usize,
}

impl Record {
    /// The fields of a record, without its version and its checksum.
    fn new(record: &[u8]) -> Self {
        Self { bytes: record[1..record.len() - 4].to_vec(), at: 0 }
    }

    fn number_at(&self) -> (u64, usize) {
        let wide = |count: usize| {
            let mut bytes = [0; 8];
            bytes[..count].copy_from_slice(&self.bytes[self.at + 1..self.at + 1 + count]);
            (u64::from_le_bytes(bytes), count + 1)
        };
        match self.bytes[self.at] {
            251 => wide(2),
            252 => wide(4),
            253 => wide(8),
            byte => (byte.into(), 1),
        }
    }

    /// Passes over an integer of more than one byte, and returns it as it is stored.
    pub fn number(&mut self) -> u64 {
        let (number, length) = self.number_at();
        self.at += length;
        number
    }

    /// Passes over so many bytes.
    pub fn skip(&mut self, count: usize) {
        self.at += count;
    }

    /// Puts another integer in the place of the next one.
    pub fn put(&mut self, number: u64) {
        let (_, length) = self.number_at();
        let new: Vec<u8> = [253].into_iter().chain(number.to_le_bytes()).collect();
        self.at += new.len();
        let from = self.at - new.len();
        self.bytes.splice(from..from + length, new);
    }

    /// Puts another signed integer of 32 bits in the place of the next one.
    pub fn put_signed32(&mut self, number: i32) {
        let (_, length) = self.number_at();
        let zigzag = ((number << 1) ^ (number >> 31)).cast_unsigned();
        let new: Vec<u8> = [252].into_iter().chain(zigzag.to_le_bytes()).collect();
        let from = self.at;
        self.at += new.len();
        self.bytes.splice(from..from + length, new);
    }

    /// The next integer is a signed one.
    pub fn put_signed(&mut self, number: i64) {
        self.put(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    fn sealed(self, key: Option<&[u8]>) -> Vec<u8> {
        let low = |bytes: &[u8]| xxh3_64(bytes).to_le_bytes().first_chunk::<4>().copied().unwrap();
        let mut record = [vec![1], self.bytes].concat();
        let mut sum = low(&record);
        if let Some(key) = key {
            sum.iter_mut().zip(low(key)).for_each(|(byte, other)| *byte ^= other);
        }
        record.extend(sum);
        record
    }
}

/// Changes a closed file as redb itself would.
pub fn change(path: &Path, change: impl FnOnce(&WriteTransaction)) {
    let db = Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

/// Changes the state of the file: its next numbers, its time.
pub fn change_state(path: &Path, work: impl FnOnce(&mut Record)) {
    const META: TableDefinition<&str, &[u8]> = TableDefinition::new("tracker.meta");
    change(path, |txn| {
        let mut meta = txn.open_table(META).unwrap();
        let mut record = Record::new(meta.get("file_state").unwrap().unwrap().value());
        work(&mut record);
        meta.insert("file_state", record.sealed(None).as_slice()).unwrap();
    });
}

/// Changes the record of each batch.
pub fn change_batches(path: &Path, work: impl Fn(&mut Record)) {
    const BATCHES: TableDefinition<u64, &[u8]> = TableDefinition::new("tracker.batches");
    change(path, |txn| {
        let mut batches = txn.open_table(BATCHES).unwrap();
        let rows: Vec<_> = batches
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (key.value(), value.value().to_vec()))
            .collect();
        for (number, row) in rows {
            let mut record = Record::new(&row);
            work(&mut record);
            batches.insert(number, record.sealed(None).as_slice()).unwrap();
        }
    });
}

/// Changes the header of each task.
pub fn change_headers(path: &Path, work: impl Fn(&mut Record)) {
    const HEADERS: TableDefinition<&[u8; 12], &[u8]> = TableDefinition::new("tracker.headers");
    change(path, |txn| {
        let mut headers = txn.open_table(HEADERS).unwrap();
        let rows: Vec<_> = headers
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (*key.value(), value.value().to_vec()))
            .collect();
        for (key, row) in rows {
            let mut record = Record::new(&row);
            work(&mut record);
            headers.insert(&key, record.sealed(Some(&key)).as_slice()).unwrap();
        }
    });
}
