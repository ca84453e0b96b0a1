//! Reads the redo log of a file, as the blocks of the file that it changes. Called by `logged_disk`, which writes them, and by
//! `salvage`, which only reads them; reads the file, whose bytes are not trusted.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io, iter,
};

use super::{
    descriptor::{self, Descriptor},
    record::{BLOCK, Record, Write},
};

/// The longest log that is read, in bytes.
const MAX_LENGTH: u64 = 1 << 30;

/// The content of a log.
#[derive(Debug)]
pub(crate) struct Replay {
    pub descriptor: Descriptor,
    /// The epoch of the records that were found; `None` if there is none.
    pub epoch: Option<u64>,
    /// The last content of each block that the records change, by its offset in the file.
    pub blocks: BTreeMap<u64, Vec<u8>>,
}

/// Reads bytes of the file.
pub(crate) type Read<'r> = &'r dyn Fn(u64, &mut [u8]) -> io::Result<()>;

/// Reads the descriptor of a file of this length; `None` if it has no log. A file that is shorter than redb's part has had one, or was about to.
pub(crate) fn find(file_length: u64, read: Read<'_>) -> io::Result<Option<Descriptor>> {
    if file_length < descriptor::AT + BLOCK {
        return Ok(None);
    }
    let mut bytes = [0; descriptor::LENGTH];
    read(descriptor::AT, &mut bytes)?;
    Ok(Descriptor::decode(&bytes).filter(|found| found.length <= MAX_LENGTH))
}

/// Reads the log that a descriptor states.
///
/// Each block is returned once, as the last record leaves it: a reader of the same file may hold a snapshot, and must never see what a block
/// held in between.
pub(crate) fn replay(descriptor: Descriptor, file_length: u64, read: Read<'_>) -> io::Result<Replay> {
    let end = descriptor.start.saturating_add(descriptor.length).min(file_length);
    let mut log = vec![0; usize::try_from(end.saturating_sub(descriptor.start)).map_err(io::Error::other)?];
    if !log.is_empty() {
        read(descriptor.start, &mut log)?;
    }
    let mut replay = Replay { descriptor, epoch: None, blocks: BTreeMap::new() };
    let (mut rest, mut number) = (&log[..], 0);
    while let Some(record) = Record::decode(rest) {
        let follows = replay.epoch.map_or(record.epoch >= descriptor.epoch, |epoch| record.epoch == epoch);
        if !follows || record.number != number {
            break;
        }
        replay.epoch = Some(record.epoch);
        for write in &record.writes {
            replay.put(*write, read)?;
        }
        number += 1;
        rest = usize::try_from(record.length).ok().and_then(|length| rest.get(length..)).unwrap_or_default();
    }
    Ok(replay)
}

impl Replay {
    /// Applies one write. Skips a write beyond redb's part, which redb never makes.
    fn put(&mut self, Write { offset, length, bytes }: Write<'_>, read: Read<'_>) -> io::Result<()> {
        let Some(end) = offset.checked_add(length as u64).filter(|end| *end <= self.descriptor.start) else {
            return Ok(());
        };
        let mut data = bytes.iter().copied().chain(iter::repeat(0));
        let mut at = offset;
        while at < end {
            let start = at - at % BLOCK;
            let block = match self.blocks.entry(start) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let length = BLOCK.min(self.descriptor.start - start);
                    let mut block = vec![0; usize::try_from(length).unwrap_or_default()];
                    read(start, &mut block)?;
                    entry.insert(block)
                }
            };
            let next = end.min(start + BLOCK);
            for (byte, within) in block.iter_mut().zip(start..) {
                if (at..next).contains(&within) {
                    *byte = data.next().unwrap_or_default();
                }
            }
            at = next;
        }
        Ok(())
    }

    /// Overwrites bytes that were read at this offset with those of the log.
    pub fn cover(&self, offset: u64, out: &mut [u8]) {
        let end = offset.saturating_add(out.len() as u64);
        for (start, block) in self.blocks.range(offset.saturating_sub(BLOCK - 1)..end) {
            for (byte, at) in block.iter().zip(*start..) {
                let within = at.checked_sub(offset).and_then(|within| usize::try_from(within).ok());
                if let Some(to) = within.and_then(|within| out.get_mut(within)) {
                    *to = *byte;
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::storage::file::redo_log::record::Batch;

    const START: u64 = 3 * BLOCK;
    const DESCRIPTOR: Descriptor = Descriptor { start: START, length: 4 * BLOCK, epoch: 7 };

    /// A record of one write.
    fn record(epoch: u64, number: u64, offset: u64, data: &[u8]) -> Vec<u8> {
        let mut batch = Batch::new();
        assert!(batch.add(offset, data));
        batch.record(epoch, number).to_vec()
    }

    /// A file of ones with these records in its log.
    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![1; usize::try_from(START).unwrap()];
        bytes.extend(records.concat());
        bytes.resize(usize::try_from(START + DESCRIPTOR.length).unwrap(), 0);
        bytes
    }

    fn read(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> io::Result<()> {
        move |offset, out| {
            let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..));
            out.copy_from_slice(rest.and_then(|rest| rest.get(..out.len())).ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    /// The first bytes of the blocks that the log changes, by block.
    fn replayed(records: &[Vec<u8>]) -> Vec<(u64, [u8; 3])> {
        let bytes = file(records);
        let replay = replay(DESCRIPTOR, bytes.len() as u64, &read(&bytes)).unwrap();
        assert!(replay.blocks.values().all(|block| block.len() as u64 == BLOCK));
        replay.blocks.iter().map(|(at, block)| (at / BLOCK, *block.first_chunk().unwrap())).collect()
    }

    #[test]
    fn later_records_cover_earlier_ones() {
        let records = [record(9, 0, 0, &[2, 2]), record(9, 1, BLOCK, &[3; 8]), record(9, 2, 1, &[4])];
        assert_eq!(replayed(&records), [(0, [2, 4, 1]), (1, [3, 3, 3])]);
    }

    #[test]
    fn zeros_that_a_record_leaves_out_are_written() {
        assert_eq!(replayed(&[record(7, 0, BLOCK, &[0; 128])]), [(1, [0, 0, 0])]);
    }

    #[test]
    fn log_ends_before_a_record_of_another_epoch_or_number() {
        let first = record(8, 0, 0, &[2]);
        let found = [(0, [2, 1, 1])];
        for next in [record(7, 1, BLOCK, &[3]), record(9, 1, BLOCK, &[3]), record(8, 2, BLOCK, &[3]), vec![9; 4096]] {
            assert_eq!(replayed(&[first.clone(), next, record(8, 2, BLOCK, &[3])]), found);
        }
        assert_eq!(replayed(&[record(6, 0, 0, &[2])]), [], "an earlier log");
        assert_eq!(replayed(&[record(8, 1, 0, &[2])]), [], "the first record is missing");
    }

    #[test]
    fn write_behind_the_part_of_redb_is_skipped() {
        let records = [record(7, 0, START - 1, &[2, 2]), record(7, 1, u64::MAX, &[2]), record(7, 2, START - 1, &[3])];
        let bytes = file(&records);
        let replay = replay(DESCRIPTOR, bytes.len() as u64, &read(&bytes)).unwrap();
        assert_eq!(replay.blocks.keys().copied().collect::<Vec<_>>(), [START - BLOCK]);
        assert_eq!(replay.blocks[&(START - BLOCK)].last(), Some(&3));
    }

    #[test]
    fn descriptor_is_found_in_a_file_that_is_long_enough() {
        let mut bytes = file(&[]);
        let at = usize::try_from(descriptor::AT).unwrap();
        bytes[at..at + descriptor::LENGTH].copy_from_slice(&DESCRIPTOR.encode());
        assert_eq!(find(bytes.len() as u64, &read(&bytes)).unwrap(), Some(DESCRIPTOR));
        assert_eq!(find(START, &read(&bytes)).unwrap(), Some(DESCRIPTOR));
        assert!(replay(DESCRIPTOR, START - 1, &read(&bytes)).unwrap().blocks.is_empty());
        assert_eq!(find(100, &read(&bytes)).unwrap(), None);
    }

    #[test]
    fn blocks_cover_what_is_read_over_their_edges() {
        let bytes = file(&[record(7, 0, BLOCK, &[2; 4096])]);
        let replay = replay(DESCRIPTOR, bytes.len() as u64, &read(&bytes)).unwrap();
        let mut out = vec![1; 3 * 4096];
        replay.cover(100, &mut out);
        assert_eq!(out.iter().position(|byte| *byte == 2), Some(4096 - 100));
        assert_eq!(out.iter().rposition(|byte| *byte == 2), Some(2 * 4096 - 100 - 1));
        let mut inner = [1; 10];
        replay.cover(BLOCK + 4090, &mut inner);
        assert_eq!(inner, [2, 2, 2, 2, 2, 2, 1, 1, 1, 1]);
    }
}
