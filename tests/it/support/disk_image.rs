//! Computes what a power cut leaves of a disk: everything flushed, and a random part of the rest.

use crate::support::{
    random::Random,
    test_disk::{Change, resize},
};

/// The part of the unsynced data that a cut keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    All,
    /// A random half of the writes and resizes, in random order.
    Some,
    /// Of each write a random half of its sectors of 512 bytes, in order.
    Torn,
}

impl Keep {
    pub const ALL: [Self; 4] = [Self::Nothing, Self::All, Self::Some, Self::Torn];
}

/// Follows a disk's log.
pub struct DiskImage<'l> {
    synced: Vec<u8>,
    unsynced: Vec<&'l Change>,
    /// Every so many syncs are only claimed.
    lies_every: Option<u64>,
    syncs: u64,
}

impl<'l> DiskImage<'l> {
    pub fn new(bytes: Vec<u8>, lies_every: Option<u64>) -> Self {
        Self { synced: bytes, unsynced: Vec::new(), lies_every, syncs: 0 }
    }

    pub fn apply(&mut self, change: &'l Change) {
        if matches!(change, Change::WriteThrough(..)) {
            put(&mut self.synced, change, || true);
            return;
        }
        if !matches!(change, Change::Sync) {
            self.unsynced.push(change);
            return;
        }
        self.syncs += 1;
        if self.lies_every.is_none_or(|every| !self.syncs.is_multiple_of(every)) {
            for change in self.unsynced.drain(..) {
                put(&mut self.synced, change, || true);
            }
        }
    }

    /// The content after a cut during `next`.
    pub fn image(&self, next: &'l Change, keep: Keep, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let mut changes = self.unsynced.clone();
        changes.push(next);
        match keep {
            Keep::Nothing => {}
            Keep::All => put_all(&mut bytes, changes),
            Keep::Some => {
                changes.retain(|_| random.below(2) == 0);
                for at in (1..changes.len()).rev() {
                    changes.swap(at, random.below(at + 1));
                }
                put_all(&mut bytes, changes);
            }
            Keep::Torn => {
                for change in changes {
                    if !matches!(change, Change::Resize(_)) || random.below(2) == 0 {
                        put(&mut bytes, change, || random.below(2) == 0);
                    }
                }
            }
        }
        bytes
    }
}

fn put_all(bytes: &mut Vec<u8>, changes: Vec<&Change>) {
    for change in changes {
        put(bytes, change, || true);
    }
}

/// Makes a change, as far as its sectors are kept and lie within the file.
fn put(bytes: &mut Vec<u8>, change: &Change, mut keeps: impl FnMut() -> bool) {
    match change {
        Change::Resize(len) => resize(bytes, *len),
        Change::Write(at, data) | Change::WriteThrough(at, data) => {
            let (mut at, mut data) = (*at, &data[..]);
            while !data.is_empty() {
                let (sector, rest) = data.split_at(data.len().min(512 - at % 512));
                if at + sector.len() <= bytes.len() && keeps() {
                    bytes[at..at + sector.len()].copy_from_slice(sector);
                }
                (at, data) = (at + sector.len(), rest);
            }
        }
        Change::Sync => {}
    }
}
