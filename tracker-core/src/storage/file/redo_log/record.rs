//! A record of the redo log: the writes of one flush, with a checksum, so that a record that was written in part is ignored. Built by
//! `log`, read by `replay`; pure, over bytes that are not trusted.

use xxhash_rust::xxh3::xxh3_128;

/// Records begin at multiples of this, in bytes: the block that a disk writes.
pub(super) const BLOCK: u64 = 4096;

const MAGIC: &[u8; 8] = b"trk.rec1";

/// The length of the head of a record, in bytes: magic, epoch, number, length of the body, checksum.
pub(super) const HEAD: usize = 48;

/// The length of the head of a write, in bytes: its offset, its length, and how much of it is in the record.
const WRITE_HEAD: usize = 16;

/// Zeros at the end of a write are left out in pieces of this length, in bytes. redb writes whole pages, which are seldom full.
const ZEROS: [u8; 64] = [0; 64];

/// Writes that are not in the log yet, in the form of a record.
#[derive(Debug)]
pub(super) struct Batch {
    /// The head, which is filled in at the end, and the body.
    bytes: Vec<u8>,
}

/// One write. It ends with zeros if it is longer than its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Write<'b> {
    /// Where it begins in the file.
    pub offset: u64,
    /// In bytes.
    pub length: usize,
    pub bytes: &'b [u8],
}

impl Batch {
    pub fn new() -> Self {
        Self { bytes: vec![0; HEAD] }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEAD
    }

    /// Adds a write; `false`, and nothing is added, if it is longer than 4 GiB.
    pub fn add(&mut self, offset: u64, data: &[u8]) -> bool {
        let zeros = data.rchunks_exact(ZEROS.len()).take_while(|chunk| *chunk == ZEROS).count() * ZEROS.len();
        let kept = data.get(..data.len() - zeros).unwrap_or(data);
        let (Ok(length), Ok(count)) = (u32::try_from(data.len()), u32::try_from(kept.len())) else { return false };
        self.bytes.extend_from_slice(&offset.to_le_bytes());
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(&count.to_le_bytes());
        self.bytes.extend_from_slice(kept);
        true
    }

    pub fn clear(&mut self) {
        self.bytes.truncate(HEAD);
    }

    /// The length of its record, in bytes.
    pub fn record_length(&self) -> u64 {
        (self.bytes.len() as u64).next_multiple_of(BLOCK)
    }

    /// Returns the record with its padding. The batch stays as it is, until it is cleared.
    pub fn record(&mut self, epoch: u64, number: u64) -> &[u8] {
        let used = self.bytes.len();
        let body = self.bytes.get(HEAD..).unwrap_or_default();
        let head = head(epoch, number, body);
        self.bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        self.bytes.resize(used.next_multiple_of(usize::try_from(BLOCK).unwrap_or(used)), 0);
        &self.bytes
    }
}

fn head(epoch: u64, number: u64, body: &[u8]) -> [u8; HEAD] {
    let mut bytes = MAGIC.to_vec();
    for field in [epoch, number, body.len() as u64] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&checksum(&bytes, body).to_le_bytes());
    let mut head = [0; HEAD];
    head.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    head
}

/// The checksum of the fields before it and of the body.
fn checksum(fields: &[u8], body: &[u8]) -> u128 {
    xxh3_128(&[fields, &xxh3_128(body).to_le_bytes()].concat())
}

/// A record that was found in the log.
#[derive(Debug)]
pub(super) struct Record<'b> {
    pub epoch: u64,
    pub number: u64,
    /// Its length with its padding, in bytes.
    pub length: u64,
    pub writes: Vec<Write<'b>>,
}

impl<'b> Record<'b> {
    /// Reads the record at the start of these bytes; `None` if there is none.
    pub fn decode(bytes: &'b [u8]) -> Option<Self> {
        let (fields, rest) = bytes.split_at_checked(HEAD - 16)?;
        let (stated, rest) = rest.split_first_chunk::<16>()?;
        let (magic, numbers) = fields.split_first_chunk::<8>()?;
        if magic != MAGIC {
            return None;
        }
        let (epoch, numbers) = number(numbers)?;
        let (count, numbers) = number(numbers)?;
        let (length, _) = number(numbers)?;
        let body = rest.get(..usize::try_from(length).ok()?)?;
        if u128::from_le_bytes(*stated) != checksum(fields, body) {
            return None;
        }
        let length = (HEAD as u64).checked_add(length)?.checked_next_multiple_of(BLOCK)?;
        Some(Self { epoch, number: count, length, writes: writes(body)? })
    }
}

fn writes(mut body: &[u8]) -> Option<Vec<Write<'_>>> {
    let mut writes = Vec::new();
    while !body.is_empty() {
        let (head, rest) = body.split_at_checked(WRITE_HEAD)?;
        let (offset, lengths) = number(head)?;
        let (lengths, _) = number(lengths)?;
        let (length, count) = (usize::try_from(lengths & 0xFFFF_FFFF).ok()?, usize::try_from(lengths >> 32).ok()?);
        let (bytes, rest) = rest.split_at_checked(count)?;
        if length < count {
            return None;
        }
        writes.push(Write { offset, length, bytes });
        body = rest;
    }
    Some(writes)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), rest))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn batch_of(writes: &[(u64, Vec<u8>)]) -> Batch {
        let mut batch = Batch::new();
        for (offset, data) in writes {
            assert!(batch.add(*offset, data));
        }
        batch
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_written(
            writes in vec((any::<u64>(), vec(0..2_u8, 0..300), 0..300_usize), 0..20), epoch: u64, number: u64,
        ) {
            let padded = |(offset, data, zeros): (_, Vec<_>, _)| (offset, [data, vec![0; zeros]].concat());
            let writes: Vec<_> = writes.into_iter().map(padded).collect();
            let mut batch = batch_of(&writes);
            let expected = batch.record_length();
            let bytes = [batch.record(epoch, number), b"what follows"].concat();
            let record = Record::decode(&bytes).unwrap();
            prop_assert_eq!((record.epoch, record.number, record.length), (epoch, number, expected));
            prop_assert_eq!(expected % BLOCK, 0);
            let full = |write: &Write<'_>| (write.offset, [write.bytes, &vec![0; write.length - write.bytes.len()]].concat());
            let read: Vec<_> = record.writes.iter().map(full).collect();
            prop_assert_eq!(read, writes);
        }

        #[test]
        fn any_changed_byte_of_head_and_body_is_no_record(at in 0..HEAD + 2 * WRITE_HEAD + 30, by in 1..=255_u8) {
            let mut batch = batch_of(&[(0, vec![1; 10]), (4096, vec![2; 20])]);
            let mut bytes = batch.record(7, 3).to_vec();
            bytes[at] ^= by;
            prop_assert!(Record::decode(&bytes).is_none());
        }

        #[test]
        fn foreign_bytes_are_no_record(bytes in vec(any::<u8>(), 0..200)) {
            let bytes = [&MAGIC[..], &bytes].concat();
            prop_assert!(Record::decode(&bytes).is_none());
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_no_record() {
        let mut batch = batch_of(&[(4096, vec![2; 5000])]);
        let bytes = batch.record(7, 3).to_vec();
        for length in 0..HEAD + WRITE_HEAD + 5000 {
            assert!(Record::decode(&bytes[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn zeros_at_the_end_take_no_room() {
        let mut batch = batch_of(&[(4096, [vec![2; 100], vec![0; 1 << 20]].concat())]);
        assert_eq!(batch.record_length(), BLOCK);
        let bytes = batch.record(7, 3).to_vec();
        let [write] = Record::decode(&bytes).unwrap().writes[..] else { panic!("one write") };
        assert_eq!((write.length, write.bytes.len()), (100 + (1 << 20), 100));
    }

    #[test]
    fn a_cleared_batch_makes_an_empty_record() {
        let mut batch = batch_of(&[(4096, vec![2; 5000])]);
        batch.record(1, 1);
        batch.clear();
        assert!(batch.is_empty());
        let bytes = batch.record(2, 0).to_vec();
        assert_eq!(bytes.len() as u64, BLOCK);
        assert!(Record::decode(&bytes).unwrap().writes.is_empty());
    }
}
