//! `Layout` parses and changes redb's file header as bytes in memory. Used by `salvage` and `copy`; pure.

use std::{io, ops::Range};

use xxhash_rust::xxh3::xxh3_128;

/// The length of redb's header, in bytes.
pub(crate) const HEADER: usize = 320;

const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// A byte of flags.
const FLAGS: usize = 9;
const PAGE_SIZE: usize = 12;
const REGION_HEADER_PAGES: usize = 16;
const REGION_PAGES: usize = 20;
const FULL_REGIONS: usize = 24;
const TRAILING_PAGES: usize = 28;

/// Where the two commit slots begin, and how long a slot is before its checksum.
const SLOTS: [usize; 2] = [64, 192];
const SLOT: usize = 112;
/// Within a slot: whether there is a tree of redb's own, and its root.
const HAS_SYSTEM_ROOT: usize = 2;
const SYSTEM_ROOT: Range<usize> = 40..72;

/// Which of the two commit slots is the primary one.
const PRIMARY: u8 = 1;
/// The file was not closed cleanly.
const UNCLEAN: u8 = 2;
/// Commits are written in two phases, so that redb never goes back to the other slot.
const TWO_PHASES: u8 = 4;
/// The primary slot is written and not flushed yet.
const UNFLUSHED: u8 = 8;

/// The header of a redb file (format 3), as redb's design document describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout([u8; HEADER]);

/// Marks a file as not closed cleanly, in bytes from its start.
pub(crate) fn mark_unclean(bytes: &mut [u8]) {
    if let Some(flags) = bytes.get_mut(FLAGS) {
        *flags |= UNCLEAN;
    }
}

/// States that the latest commit is on the disk, in bytes from the start of the file.
pub(crate) fn mark_flushed(bytes: &mut [u8]) {
    if let Some(flags) = bytes.get_mut(FLAGS) {
        *flags &= !UNFLUSHED;
    }
}

impl Layout {
    /// Parses the header at the start of a file; an error of kind `InvalidData` if no redb file begins so.
    pub fn parse(header: &[u8; HEADER]) -> io::Result<Self> {
        let layout = Self(*header);
        if header.starts_with(MAGIC) && layout.number(PAGE_SIZE) > 0 && layout.number(REGION_PAGES) > 0 {
            Ok(layout)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    pub fn bytes(&self) -> &[u8; HEADER] {
        &self.0
    }

    fn number(&self, at: usize) -> u64 {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(self.0.iter().skip(at)).for_each(|(byte, from)| *byte = *from);
        u32::from_le_bytes(bytes).into()
    }

    fn put(&mut self, at: usize, number: u64) {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        self.0.iter_mut().skip(at).zip(number.to_le_bytes()).for_each(|(byte, new)| *byte = new);
    }

    /// The number of pages of a full region, and of those before its data.
    fn region(&self) -> (u64, u64) {
        let before = self.number(REGION_HEADER_PAGES);
        (before + self.number(REGION_PAGES), before)
    }

    /// Returns how long the file is by what the header states, in bytes.
    pub fn length(&self) -> u64 {
        let (region, before) = self.region();
        let trailing = match self.number(TRAILING_PAGES) {
            0 => 0,
            pages => before + pages,
        };
        let pages = self.number(FULL_REGIONS).saturating_mul(region).saturating_add(trailing).saturating_add(1);
        pages.saturating_mul(self.number(PAGE_SIZE))
    }

    /// States a length that holds at least so many bytes.
    pub fn grow(&mut self, bytes: u64) {
        if bytes <= self.length() {
            return;
        }
        let (region, before) = self.region();
        let pages = bytes.div_ceil(self.number(PAGE_SIZE)).saturating_sub(1);
        let (full, rest) = (pages / region, pages % region);
        self.put(FULL_REGIONS, full);
        self.put(TRAILING_PAGES, if rest == 0 { 0 } else { rest.saturating_sub(before).max(1) });
    }

    /// Returns whether the latest commit is in the header, but not known to be on disk.
    pub fn is_unflushed(&self) -> bool {
        self.flags() & UNFLUSHED != 0
    }

    fn flags(&self) -> u8 {
        self.0.get(FLAGS).copied().unwrap_or_default()
    }

    fn set_flags(&mut self, flags: u8) {
        if let Some(byte) = self.0.get_mut(FLAGS) {
            *byte = flags;
        }
    }

    /// States that the file was closed cleanly, so that redb reads it as it is.
    pub fn close(&mut self) {
        self.set_flags(self.flags() & !(UNCLEAN | UNFLUSHED));
    }

    /// Makes it the header of a copy of all pages that a read transaction on the latest commit keeps. The tree of redb's
    /// own is none of them, so that the copy has none: redb builds its own anew when it repairs the copy.
    pub fn forget_allocator_state(&mut self) {
        let [first, second] = SLOTS;
        let primary = if self.flags() & PRIMARY == 0 { first } else { second };
        let mut slot: Vec<u8> = self.0.iter().skip(primary).take(SLOT).copied().collect();
        for (at, byte) in slot.iter_mut().enumerate() {
            if at == HAS_SYSTEM_ROOT || SYSTEM_ROOT.contains(&at) {
                *byte = 0;
            }
        }
        slot.extend(xxh3_128(&slot).to_le_bytes());
        for start in SLOTS {
            self.0.iter_mut().skip(start).zip(&slot).for_each(|(byte, new)| *byte = *new);
        }
        self.set_flags(self.flags() & !UNFLUSHED | UNCLEAN | TWO_PHASES);
    }

    /// Makes the commit before the latest one the one that is read.
    pub fn select_earlier_commit(&mut self) {
        self.set_flags(self.flags() ^ PRIMARY);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::fs;

    use redb::{Database, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");

    fn layout(bytes: &[u8]) -> Layout {
        Layout::parse(bytes.first_chunk().unwrap()).unwrap()
    }

    #[test]
    fn stated_length_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        for mebibytes in [0, 1, 3] {
            let db = Database::create(&path).unwrap();
            let txn = db.begin_write().unwrap();
            for number in 0..mebibytes {
                txn.open_table(TABLE).unwrap().insert(number, vec![7; 1 << 20].as_slice()).unwrap();
            }
            txn.commit().unwrap();
            drop(db);
            let bytes = fs::read(&path).unwrap();
            assert_eq!(layout(&bytes).length(), bytes.len() as u64);
        }
    }

    #[test]
    fn layout_grows_to_whole_pages_and_never_shrinks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.redb");
        drop(Database::create(&path).unwrap());
        let bytes = fs::read(&path).unwrap();
        let mut grown = layout(&bytes);
        let length = grown.length();
        for shorter in [0, length - 1, length] {
            grown.grow(shorter);
            assert_eq!(grown, layout(&bytes));
        }
        for longer in [length + 1, length + 4096, 3 << 30, 40 << 30] {
            grown.grow(longer);
            assert!((longer..longer + 2 * 4096).contains(&grown.length()), "{longer} {}", grown.length());
        }
    }

    #[test]
    fn bytes_of_another_program_are_no_layout() {
        for bytes in [[0; HEADER], [0xff; HEADER]] {
            assert_eq!(Layout::parse(&bytes).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
