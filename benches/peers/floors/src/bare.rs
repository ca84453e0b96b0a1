//! Raw redb transactions that write the rows of this tracker.

use std::{
    ops::{Bound, Range},
    path::Path,
};

use peer_protocol::{Error, PAYLOAD};
use tracker_core::redb_store::redb::{Database, Key, Table, TableDefinition, Value};

use crate::Floor;

// The tables that this tracker writes for a plain task, with keys and values as long as its own (docs/format.md).
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const HEADERS: TableDefinition<&[u8; 12], &[u8]> = TableDefinition::new("headers");
const PAYLOADS: TableDefinition<&[u8; 12], &[u8]> = TableDefinition::new("payloads");
const IDS: TableDefinition<&[u8], u64> = TableDefinition::new("ids");
const CLAIM_ORDER: TableDefinition<&[u8; 33], ()> = TableDefinition::new("claim_order");
const UPDATED: TableDefinition<&[u8; 24], ()> = TableDefinition::new("updated");
const COUNTS: TableDefinition<&[u8; 8], u64> = TableDefinition::new("counts");

const WAITING: [u8; 43] = [0x11; 43];
const LEASED: [u8; 133] = [0x22; 133];
const ENDED: [u8; 95] = [0x33; 95];
const FILE_STATE: [u8; 55] = [0x44; 55];

/// Codes of the statuses, as in the tracker's peer.
const PENDING: i32 = 10;
const RUNNING: i32 = 20;
const SUCCEEDED: i32 = 40;

/// A redb database with the tables of this tracker.
pub struct Bare(Database);

impl Bare {
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self(Database::builder().set_cache_size(64 << 20).create(path)?))
    }
}

fn task(number: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[4..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The key of a row in claim order: kind, status code, priority, a time and a place that grow with the number, and the number.
fn claim_key(code: i32, number: u64) -> [u8; 33] {
    let mut key = [0; 33];
    key[4..8].copy_from_slice(&code.to_be_bytes());
    key[9..17].copy_from_slice(&number.to_be_bytes());
    key[17..25].copy_from_slice(&number.to_be_bytes());
    key[25..].copy_from_slice(&number.to_be_bytes());
    key
}

fn updated(code: i32, number: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[4..8].copy_from_slice(&code.to_be_bytes());
    key[8..16].copy_from_slice(&number.to_be_bytes());
    key[16..].copy_from_slice(&number.to_be_bytes());
    key
}

fn count(code: i32) -> [u8; 8] {
    let mut key = [0; 8];
    key[4..].copy_from_slice(&code.to_be_bytes());
    key
}

fn payload(number: u64) -> Vec<u8> {
    let mut payload = format!("{number:012}{:036}", number).into_bytes();
    payload.extend_from_slice(PAYLOAD.as_bytes());
    payload
}

/// The rows of one task.
struct Row {
    number: u64,
    task: [u8; 12],
    id: String,
    payload: Vec<u8>,
    claim_key: [u8; 33],
    updated: [u8; 24],
}

impl Row {
    fn new(number: u64) -> Self {
        Self {
            number,
            task: task(number),
            id: format!("kinds{number:012}"),
            payload: payload(number),
            claim_key: claim_key(PENDING, number),
            updated: updated(PENDING, number),
        }
    }
}

/// Appends sorted rows by redb's cursor, which writes full pages.
fn fill<'e, K: Key + 'static, V: Value + 'static>(
    table: &mut Table<'_, K, V>,
    rows: impl Iterator<Item = (K::SelfType<'e>, V::SelfType<'e>)> + Clone,
) -> Result<(), Error> {
    let Some((first, _)) = rows.clone().next() else { return Ok(()) };
    let mut cursor = table.lower_bound_mut(Bound::Included(first))?;
    for (key, value) in rows {
        cursor.insert_before(key, value)?;
    }
    Ok(cursor.close()?)
}

impl Floor for Bare {
    fn submit(&self, numbers: Range<u64>) -> Result<(), Error> {
        let transaction = self.0.begin_write()?;
        {
            let mut headers = transaction.open_table(HEADERS)?;
            let mut payloads = transaction.open_table(PAYLOADS)?;
            let mut ids = transaction.open_table(IDS)?;
            let mut claim_order = transaction.open_table(CLAIM_ORDER)?;
            let mut changes = transaction.open_table(UPDATED)?;
            let rows: Vec<_> = numbers.clone().map(Row::new).collect();
            fill(&mut ids, rows.iter().map(|row| (row.id.as_bytes(), row.number)))?;
            fill(&mut headers, rows.iter().map(|row| (&row.task, WAITING.as_slice())))?;
            fill(&mut payloads, rows.iter().map(|row| (&row.task, row.payload.as_slice())))?;
            fill(&mut claim_order, rows.iter().map(|row| (&row.claim_key, ())))?;
            fill(&mut changes, rows.iter().map(|row| (&row.updated, ())))?;
            transaction.open_table(COUNTS)?.insert(&count(PENDING), numbers.end)?;
            transaction.open_table(META)?.insert("file_state", FILE_STATE.as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn step(&self, ended: Range<u64>, begun: Range<u64>) -> Result<(), Error> {
        let transaction = self.0.begin_write()?;
        {
            let mut headers = transaction.open_table(HEADERS)?;
            let mut claim_order = transaction.open_table(CLAIM_ORDER)?;
            let mut changes = transaction.open_table(UPDATED)?;
            for number in ended.clone() {
                headers.insert(&task(number), ENDED.as_slice())?;
                claim_order.remove(&claim_key(RUNNING, number))?;
                claim_order.insert(&claim_key(SUCCEEDED, number), ())?;
            }
            let payloads = transaction.open_table(PAYLOADS)?;
            for number in begun.clone() {
                headers.insert(&task(number), LEASED.as_slice())?;
                claim_order.remove(&claim_key(PENDING, number))?;
                claim_order.insert(&claim_key(RUNNING, number), ())?;
                changes.remove(&updated(PENDING, number))?;
                let payload = tracker_core::redb_store::redb::ReadableTable::get(&payloads, &task(number))?;
                std::hint::black_box(payload.map(|payload| payload.value().len()));
            }
            let mut counts = transaction.open_table(COUNTS)?;
            for code in [PENDING, RUNNING, SUCCEEDED] {
                counts.insert(&count(code), begun.end)?;
            }
            transaction.open_table(META)?.insert("file_state", FILE_STATE.as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }
}
