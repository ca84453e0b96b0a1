//! A write and a flush.

use std::{
    fs::{File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

use peer_protocol::{Error, PAYLOAD};

use crate::Floor;

const PAGE: [u8; 4096] = [0x55; 4096];

/// A file whose first page is overwritten and flushed by each commit.
pub struct Flush(File);

impl Flush {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.write_all_at(&PAGE, 0)?;
        file.sync_all()?;
        Ok(Self(file))
    }

    fn commit(&self) -> Result<(), Error> {
        self.0.write_all_at(&PAGE, 0)?;
        self.0.sync_data()?;
        Ok(())
    }
}

impl Floor for Flush {
    fn submit(&self, numbers: Range<u64>) -> Result<(), Error> {
        if numbers.end - numbers.start == 1 {
            return self.commit();
        }
        let bytes: Vec<u8> = numbers.clone().flat_map(|_| PAYLOAD.bytes()).collect();
        self.0.write_all_at(&bytes, 4096 + numbers.start * PAYLOAD.len() as u64)?;
        self.commit()
    }

    fn step(&self, _: Range<u64>, _: Range<u64>) -> Result<(), Error> {
        self.commit()
    }
}
