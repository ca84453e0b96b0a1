//! Tests of the memory that a read of a store needs, and of what a commit says of the claim order.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use super::*;
use crate::storage::keys::ClaimKey;

/// Rows of one size in every table, with numbers as keys.
#[derive(Default)]
struct FixedRows {
    count: u64,
    bytes: usize,
    /// The number of rows in each answer.
    answers: Arc<Mutex<Vec<usize>>>,
    /// Whether each commit enters the past.
    commits: Arc<Mutex<Vec<bool>>>,
}

impl StoreUnit for FixedRows {
    fn state(&self) -> StoreState {
        StoreState { now: None, schema: 0, change: 0 }
    }

    fn take_numbers(&mut self, _: NumberSeries, _: u64) -> Result<u64> {
        Err(ended())
    }

    fn next_number(&mut self, _: NumberSeries) -> Result<u64> {
        Err(ended())
    }

    fn raise_numbers(&mut self, _: NumberSeries, _: u64) -> Result<()> {
        Err(ended())
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>> {
        let answer = |want: &Want| {
            let Want::Rows { from, most, .. } = want else { return Loaded::default() };
            let keys = (0..self.count).map(|number| number.to_be_bytes().to_vec()).filter(|key| key >= from);
            let rows: Vec<_> = keys.take(*most).map(|key| (key, vec![7; self.bytes])).collect();
            self.answers.lock().unwrap().push(rows.len());
            Loaded { is_complete: rows.len() < *most, rows, ..Loaded::default() }
        };
        Ok(wants.iter().map(answer).collect())
    }

    fn commit(self: Box<Self>, changes: Changes) -> Result<Committed> {
        self.commits.lock().unwrap().push(changes.enters_past);
        Ok(Committed::Done { change: 1 })
    }
}

/// Reads all rows as a range does. Returns the number of rows, the largest answer, and the most bytes that were kept at once.
fn read_all(count: u64, bytes: usize) -> (u64, usize, usize) {
    let answers = Arc::default();
    let unit = FixedRows { count, bytes, answers: Arc::clone(&answers), ..FixedRows::default() };
    let set = WorkingSet::new(Box::new(unit), Access::Read);
    let (mut from, mut read, mut kept, mut most) = (RowKey::from(&[][..]), 0, 0, FIRST_ROWS);
    while let Some((key, value)) = set.next(StoreTable::Payloads, &from, None, false, most).unwrap() {
        assert_eq!(value.len(), bytes);
        from = key.after();
        read += 1;
        most = (most * 2).min(1_024);
        kept = kept.max(set.lock().kept_bytes);
    }
    let largest = answers.lock().unwrap().iter().copied().max().unwrap();
    (read, largest, kept)
}

#[test]
fn read_of_a_table_keeps_a_bounded_number_of_bytes() {
    const LARGE: usize = 100_000;
    let (read, largest, kept) = read_all(2_000, LARGE);
    assert_eq!(read, 2_000);
    assert!(largest * LARGE <= LOADED_BYTES, "{largest} rows of {LARGE} bytes in one answer");
    assert!(kept <= KEPT_BYTES + 2 * LOADED_BYTES, "{kept} bytes");
    let (read, largest, _) = read_all(5_000, 10);
    assert_eq!((read, largest), (5_000, 1_024), "small rows are loaded many at once");
}

#[test]
fn row_larger_than_a_load_is_read_alone() {
    let (read, largest, _) = read_all(20, LOADED_BYTES + 1);
    assert_eq!(read, 20);
    assert_eq!(largest, FIRST_ROWS, "the first load knows no size; each later one has one row");
}

/// Whether a unit at a time enters the past that puts a task at another time, or removes it from there.
fn enters_past(now: Option<Micros>, at: Micros, value: Option<Vec<u8>>) -> bool {
    let unit = FixedRows::default();
    let commits = Arc::clone(&unit.commits);
    let set = WorkingSet::new(Box::new(unit), Access::Write);
    if let Some(now) = now {
        set.set_now(now);
    }
    let key = ClaimKey { kind: 1, code: 0, rank: 5, at, place: 3, seq: 4 };
    set.put(StoreTable::ClaimOrder, key.pack()[..].into(), value);
    set.put(StoreTable::Headers, [1; 12][..].into(), Some(Vec::new()));
    set.commit((Uuid::nil(), 1)).unwrap();
    let commits = commits.lock().unwrap();
    commits[0]
}

#[test]
fn commit_tells_whether_a_task_enters_the_past() {
    let row = || Some(Vec::new());
    assert!(enters_past(Some(100), 99, row()));
    assert!(!enters_past(Some(100), 100, row()));
    assert!(!enters_past(Some(100), 500, row()), "a task that is due later, or a lease");
    assert!(!enters_past(Some(100), 99, None), "a task that leaves its place");
    assert!(enters_past(None, 500, row()), "a unit without a time, such as that of a move");
}
