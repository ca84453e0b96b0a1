//! `Descriptor` states where the redo log of a file lies. It has a sector of its own behind redb's header, in the first page, which redb does
//! not use. Read and written by `redo_log`, and removed from copies by `copy`; pure, over bytes that are not trusted.

use xxhash_rust::xxh3::xxh3_64;

/// Where the descriptor begins, in bytes: a sector, so that a power loss leaves the old one or the new one.
pub(super) const AT: u64 = 512;

/// The length of the descriptor, in bytes.
pub(super) const LENGTH: usize = 48;

const MAGIC: &[u8; 8] = b"trk.redo";
const VERSION: u64 = 1;

/// The place of the log: it follows the part of the file that redb uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The length of redb's part, in bytes, where the log begins.
    pub start: u64,
    /// The length of the log, in bytes.
    pub length: u64,
    /// The first epoch of the log. Records of an earlier one are of another log.
    pub epoch: u64,
}

impl Descriptor {
    pub fn encode(self) -> [u8; LENGTH] {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(MAGIC);
        for number in [VERSION, self.start, self.length, self.epoch] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        let mut encoded = [0; LENGTH];
        encoded.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        encoded
    }

    /// `None` if the bytes are no descriptor, as in a file without a log.
    pub fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<8>()?;
        if u64::from_le_bytes(*checksum) != xxh3_64(content) {
            return None;
        }
        let (magic, numbers) = content.split_first_chunk::<8>()?;
        let mut numbers = numbers
            .chunks_exact(8)
            .map(|number| number.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
        let (version, start, length, epoch) = (numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?);
        (magic == MAGIC && version == VERSION).then_some(Self { start, length, epoch })
    }
}

/// Overwrites the descriptor with zeros, in bytes that were read at this offset.
pub(crate) fn hide_descriptor(offset: u64, out: &mut [u8]) {
    for at in (AT..).take(LENGTH) {
        let within = at.checked_sub(offset).and_then(|within| usize::try_from(within).ok());
        if let Some(byte) = within.and_then(|within| out.get_mut(within)) {
            *byte = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Descriptor = Descriptor { start: 1 << 20, length: 4 << 20, epoch: u64::MAX };

    #[test]
    fn a_descriptor_is_read_as_written() {
        assert_eq!(Descriptor::decode(&SOME.encode()), Some(SOME));
    }

    #[test]
    fn any_changed_bit_is_no_descriptor() {
        assert_eq!(Descriptor::decode(&[0; LENGTH]), None);
        for bit in 0..LENGTH * 8 {
            let mut bytes = SOME.encode();
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte ^= if at == bit / 8 { 1 << (bit % 8) } else { 0 };
            }
            assert_eq!(Descriptor::decode(&bytes), None, "bit {bit}");
        }
    }
}
