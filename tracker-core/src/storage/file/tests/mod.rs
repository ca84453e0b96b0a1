//! Tests of the database file: the result of each open and the files that it leaves behind. They write to temporary folders.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

/// The lock methods of a storage that no other program uses.
macro_rules! free_locks {
    () => {
        free_locks!(bool, true, try_lock_range, try_lock_shared_range);
        free_locks!((), (), lock_range, lock_shared_range, unlock_range);
        free_locks!(bool, false, query_lock_range);
    };
    ($result:ty, $answer:expr, $($method:ident),+) => {
        $(
            fn $method(
                &self,
                _: std::ops::Bound<u64>,
                _: std::ops::Bound<u64>,
            ) -> std::result::Result<$result, redb::BackendError> {
                Ok($answer)
            }
        )+
    };
}

mod backend;
mod bad_path;
mod creation;
mod damage;
mod inspection;
mod locking;
mod redo_log;
mod redo_log_cuts;
mod redo_log_disk;
mod wording;

use std::{fs, path::Path};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::*;
use crate::model::error::{Error, ErrorKind, Result};

const NUMBERS: TableDefinition<u64, u64> = TableDefinition::new("numbers");

const ALL: [Sharing; 3] = [Sharing::Exclusive, Sharing::Readers, Sharing::Writers];

fn location(path: &Path) -> Location {
    Location::Path(path.to_owned())
}

fn shared(sharing: Sharing) -> FileOptions {
    FileOptions { sharing, ..FileOptions::default() }
}

fn checked() -> FileOptions {
    FileOptions { sharing: Sharing::Exclusive, check_on_open: true, ..FileOptions::default() }
}

/// Creates the table of the tests: the numbers from 0 to 499 with their squares.
fn squares(db: &Database) -> Result<()> {
    let tx = db.begin_write()?;
    {
        let mut table = tx.open_table(NUMBERS)?;
        for n in 0..500 {
            table.insert(n, n * n)?;
        }
    }
    tx.commit()?;
    Ok(())
}

fn add(db: &Database, n: u64) {
    let tx = db.begin_write().unwrap();
    tx.open_table(NUMBERS).unwrap().insert(n, n * n).unwrap();
    tx.commit().unwrap();
}

fn all_squares(db: &impl ReadableDatabase) -> Result<u64> {
    let tx = db.begin_read()?;
    let table = tx.open_table(NUMBERS)?;
    let mut count = 0;
    for entry in table.iter()? {
        let (n, square) = entry?;
        assert_eq!(square.value(), n.value() * n.value());
        count += 1;
    }
    Ok(count)
}

fn open(path: &Path, options: &FileOptions) -> Result<OpenedFile> {
    open_or_create(&location(path), options, &squares)
}

fn refusal(path: &Path) -> Error {
    open(path, &FileOptions::default()).unwrap_err()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Numbers that look random and are the same at each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
