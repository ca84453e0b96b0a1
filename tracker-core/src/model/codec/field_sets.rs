//! `FieldSets` remembers the sets of field names that this process has encoded and decoded again without an error, so that only a new set is
//! checked; with debug assertions each set is. A set for which the table has no room counts as known. Used by `model/codec` and `encoder`; reads and
//! writes two static tables in memory.

use std::{
    any::TypeId,
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The field names of a struct, as a hash of the task's type, the struct's name and the names in their order. Two sets
/// that share a hash are taken for one. Of a million sets, most likely no two share one.
type Hashed = u64;

/// Sets of all types of the process that were read back. A set whose slots are all taken counts as known, and is not read back.
struct Table<const SLOTS: usize>([AtomicU64; SLOTS]);

/// How many slots a set may be in.
const PROBES: usize = 16;

impl<const SLOTS: usize> Table<SLOTS> {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; SLOTS])
    }

    /// The slots of a set.
    fn slots(&self, set: Hashed) -> impl Iterator<Item = &AtomicU64> {
        let start = usize::try_from(set >> 32).unwrap_or(0);
        (0..PROBES.min(SLOTS)).filter_map(move |step| self.0.get((start + step) % SLOTS))
    }

    fn has(&self, set: Hashed) -> bool {
        for slot in self.slots(set) {
            match slot.load(Relaxed) {
                0 => return false,
                known if known == set => return true,
                _ => {}
            }
        }
        true
    }

    fn add(&self, set: Hashed) {
        for slot in self.slots(set) {
            match slot.compare_exchange(0, set, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(known) if known == set => return,
                Err(_) => {}
            }
        }
    }
}

static STRUCTS: Table<4096> = Table::new();
/// Keys of flattened maps may be different in every task, so they have a separate table and displace nothing.
static FLATTENED: Table<1024> = Table::new();

/// The sets of field names in one payload that are new to this process.
pub(super) struct FieldSets {
    seed: u64,
    structs: Vec<Hashed>,
    flattened: Vec<Hashed>,
}

impl FieldSets {
    /// No sets yet, for a payload of type `T`.
    pub(super) fn of<T: 'static>() -> Self {
        let mut hasher = DefaultHasher::new();
        TypeId::of::<T>().hash(&mut hasher);
        Self { seed: hasher.finish(), structs: Vec::new(), flattened: Vec::new() }
    }

    /// Begins the set of a struct of this name, without fields.
    pub(super) fn begin(&self, name: &'static str) -> Hashed {
        self.with_name(self.seed, name)
    }

    /// Adds a field. The hash takes the address of the name in place of its text, because a static text does not move.
    #[expect(clippy::unused_self, reason = "a set is begun, extended and ended by the same value")]
    pub(super) fn with_name(&self, set: Hashed, name: &'static str) -> Hashed {
        let name = (name.as_ptr().addr() as u64) ^ (name.len() as u64).rotate_left(48);
        (set.rotate_left(5) ^ name).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Adds an encoded key of a struct with flattened fields.
    #[expect(clippy::unused_self, reason = "a set is begun, extended and ended by the same value")]
    pub(super) fn with_key(&self, set: Hashed, key: &[u8]) -> Hashed {
        xxh3_64_with_seed(key, set)
    }

    pub(super) fn end(&mut self, set: Hashed) {
        // 0 marks an empty slot.
        if !STRUCTS.has(set | 1) {
            self.structs.push(set | 1);
        }
    }

    pub(super) fn end_flattened(&mut self, set: Hashed) {
        if !FLATTENED.has(set | 1) {
            self.flattened.push(set | 1);
        }
    }

    /// Whether the payload is to be read back: always with debug assertions.
    pub(super) fn are_new(&self) -> bool {
        cfg!(debug_assertions) || !self.structs.is_empty() || !self.flattened.is_empty()
    }

    /// The payload was read back.
    pub(super) fn remember(self) {
        self.structs.into_iter().for_each(|set| STRUCTS.add(set));
        self.flattened.into_iter().for_each(|set| FLATTENED.add(set));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_knows_the_sets_that_were_added() {
        let table = Table::<64>::new();
        assert!(!table.has(7));
        table.add(7);
        table.add(7);
        assert!(table.has(7) && !table.has(9));
        assert_eq!(table.0.iter().filter(|slot| slot.load(Relaxed) != 0).count(), 1);
    }

    #[test]
    fn full_table_takes_every_set_for_known() {
        let table = Table::<16>::new();
        (1..=16).for_each(|set| table.add(set << 32));
        assert!(table.has(99 << 32));
    }

    #[test]
    fn sets_differ_by_type_struct_and_fields() {
        let (one, other) = (FieldSets::of::<u8>(), FieldSets::of::<u16>());
        let of = |sets: &FieldSets, name, fields: &[&'static str]| {
            fields.iter().fold(sets.begin(name), |set, field| sets.with_name(set, field))
        };
        let all = [
            of(&one, "job", &["a", "b"]),
            of(&one, "job", &["a"]),
            of(&one, "job", &["b"]),
            of(&one, "task", &["a", "b"]),
            of(&other, "job", &["a", "b"]),
        ];
        for (at, set) in all.iter().enumerate() {
            assert!(all[..at].iter().all(|before| before != set));
        }
    }

    #[test]
    fn remembered_set_is_not_new_again() {
        struct Own;
        let end = || {
            let mut sets = FieldSets::of::<Own>();
            let set = sets.with_name(sets.begin("own"), "field");
            sets.end(set);
            let key = sets.with_key(sets.begin(""), b"key");
            sets.end_flattened(key);
            sets
        };
        let first = end();
        assert_eq!((first.structs.len(), first.flattened.len()), (1, 1));
        first.remember();
        let again = end();
        assert!(again.structs.is_empty() && again.flattened.is_empty());
    }
}
