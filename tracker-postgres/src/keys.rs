//! Converts keys of the interface of stores into columns of the server and back, and ranges of keys into ranges of columns. Called by `load`,
//! `found`, `edits` and `commit`; pure.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use tracker_core::{
    Error, ErrorKind,
    store::{ClaimPosition, StoreTable, store_error, task_of_key},
};

use crate::sql::{Plain, TaskKey};

/// Kind and sequence number of a task, in the types of the columns.
pub(crate) type Task = (i64, i64);

/// Values by task. Sequence numbers are assigned by the server, so no user chooses keys that collide.
pub(crate) type TaskMap<V> = HashMap<Task, V, BuildHasherDefault<TaskHasher>>;

/// Hashes the two numbers of a task.
#[derive(Default)]
pub(crate) struct TaskHasher(u64);

impl Hasher for TaskHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // An odd factor with bits all over, and the high bits back to the low ones, which choose the place.
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }
}

/// Where the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A column of the tasks, by kind and sequence number.
    Column(Column),
    /// A key of the tasks.
    Key(TaskKey),
    Counts,
    /// Rows of key and value; of a number if the table is shared with others.
    Plain(Plain, i16),
}

/// A column of the tasks that is a table of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Header,
    Payload,
    Successor,
    Progress,
}

impl Column {
    pub(crate) const ALL: [Self; 4] = [Self::Header, Self::Payload, Self::Successor, Self::Progress];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Successor => "successor",
            Self::Progress => "progress",
        }
    }

    pub(crate) fn table(self) -> StoreTable {
        match self {
            Self::Header => StoreTable::Headers,
            Self::Payload => StoreTable::Payloads,
            Self::Successor => StoreTable::Successors,
            Self::Progress => StoreTable::Progress,
        }
    }
}

/// Where the rows of a table are. The numbers are stored: they never change.
pub(crate) fn place(table: StoreTable) -> Result<Place, Error> {
    let number = match table {
        StoreTable::Headers => return Ok(Place::Column(Column::Header)),
        StoreTable::Payloads => return Ok(Place::Column(Column::Payload)),
        StoreTable::Successors => return Ok(Place::Column(Column::Successor)),
        StoreTable::Progress => return Ok(Place::Column(Column::Progress)),
        StoreTable::Ids => return Ok(Place::Key(TaskKey::Id)),
        StoreTable::ClaimOrder => return Ok(Place::Key(TaskKey::Claim)),
        StoreTable::Updated => return Ok(Place::Key(TaskKey::Updated)),
        StoreTable::Counts => return Ok(Place::Counts),
        StoreTable::History => return Ok(Place::Plain(Plain::History, 0)),
        StoreTable::Indexes => return Ok(Place::Plain(Plain::Indexes, 0)),
        StoreTable::UniqueKeys => return Ok(Place::Plain(Plain::UniqueKeys, 0)),
        StoreTable::Meta => 1,
        StoreTable::Kinds => 2,
        StoreTable::Dependencies => 3,
        StoreTable::Dependents => 4,
        StoreTable::Propagations => 5,
        StoreTable::Batches => 6,
        StoreTable::BatchLabels => 7,
        StoreTable::BatchMembers => 8,
        StoreTable::FollowUps => 9,
        StoreTable::Schedules => 10,
        StoreTable::Throttles => 11,
        StoreTable::ThrottleEnds => 12,
        StoreTable::LimitQueues => 13,
        StoreTable::LimitHeads => 14,
        StoreTable::LimitInUse => 15,
        StoreTable::Budgets => 16,
        StoreTable::Overtaken => 17,
        StoreTable::RateStarts => 18,
        StoreTable::HeadLists => 19,
        other => {
            let message = format!("the table {} is not known to this version of tracker-postgres", other.name());
            return Err(store_error(ErrorKind::Unsupported, message, "update tracker-postgres"));
        }
    };
    Ok(Place::Plain(Plain::Rows, number))
}

pub(crate) fn malformed(table: StoreTable, key: &[u8]) -> Error {
    let message = format!("a key of {} bytes in the table {} cannot be stored in the server", key.len(), table.name());
    store_error(ErrorKind::Corrupted, message, "the key has another length, or a number beyond 2^63")
}

/// The task of a key of [`StoreTable::Headers`] and the like.
pub(crate) fn task(table: StoreTable, key: &[u8]) -> Result<Task, Error> {
    columns(task_of_key(key)).ok_or_else(|| malformed(table, key))
}

fn columns(task: Option<(u32, u64)>) -> Option<Task> {
    task.and_then(|(kind, seq)| Some((i64::from(kind), i64::try_from(seq).ok()?)))
}

/// The task in a key of the claim order.
pub(crate) fn claimed_task(key: &[u8]) -> Result<(Task, ClaimPosition), Error> {
    ClaimPosition::from_key(key)
        .and_then(|position| Some((columns(Some((position.kind, position.seq)))?, position)))
        .ok_or_else(|| malformed(StoreTable::ClaimOrder, key))
}

/// The task in a key of the last changes: the kind is its start, the sequence number its end.
pub(crate) fn updated_task(key: &[u8]) -> Result<Task, Error> {
    let numbers = key.first_chunk().zip(key.last_chunk()).filter(|_| key.len() >= 12);
    columns(numbers.map(|(kind, seq)| (u32::from_be_bytes(*kind), u64::from_be_bytes(*seq))))
        .ok_or_else(|| malformed(StoreTable::Updated, key))
}

/// Splits a key of the indexes into the kind, number and value with its length, and the sequence number of the task.
pub(crate) fn index_value(key: &[u8]) -> Result<(&[u8], i64), Error> {
    key.split_last_chunk()
        .filter(|(value, _)| index_start(value) == Some(value.len()))
        .and_then(|(value, seq)| Some((value, i64::try_from(u64::from_be_bytes(*seq)).ok()?)))
        .ok_or_else(|| malformed(StoreTable::Indexes, key))
}

/// The first place of the indexes at or after a bound, which may be shorter or longer than a key.
pub(crate) fn index_bound(bytes: &[u8]) -> (&[u8], i64) {
    let Some((start, seq)) = index_start(bytes).and_then(|length| bytes.split_at_checked(length)) else {
        // Each key that has these bytes at its start, or sorts after them, has a value that does so.
        return (bytes, 0);
    };
    let mut number = [0; 8];
    number.iter_mut().zip(seq).for_each(|(byte, bound)| *byte = *bound);
    // A key that is a prefix of the bound is before it. No task has the last number.
    let number = u64::from_be_bytes(number).saturating_add(u64::from(seq.len() > number.len()));
    (start, i64::try_from(number).unwrap_or(i64::MAX))
}

/// The length of the part of a key of the indexes that ends with the value: kind, number, length and value.
fn index_start(key: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*key.get(6..10)?.first_chunk()?);
    usize::try_from(length).ok()?.checked_add(10)
}

/// The kind at the start of a key.
pub(crate) fn kind_of(table: StoreTable, key: &[u8]) -> Result<i64, Error> {
    let kind = key.first_chunk().ok_or_else(|| malformed(table, key))?;
    Ok(i64::from(u32::from_be_bytes(*kind)))
}

/// The key of a task.
pub(crate) fn task_key((kind, seq): Task) -> [u8; 12] {
    let [k0, k1, k2, k3] = u32::try_from(kind).unwrap_or(u32::MAX).to_be_bytes();
    let [s0, s1, s2, s3, s4, s5, s6, s7] = seq.to_be_bytes();
    [k0, k1, k2, k3, s0, s1, s2, s3, s4, s5, s6, s7]
}

/// A number of tasks or a sequence number, as the tables of the interface hold it.
pub(crate) fn number_value(number: i64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// The number in a value.
pub(crate) fn number_of(table: StoreTable, key: &[u8], value: &[u8]) -> Result<i64, Error> {
    value
        .try_into()
        .ok()
        .and_then(|bytes| i64::try_from(u64::from_le_bytes(bytes)).ok())
        .ok_or_else(|| malformed(table, key))
}

/// The first task at or after a bound, which may be shorter or longer than a key.
pub(crate) fn bound(bytes: &[u8]) -> Task {
    let (kept, is_longer) = (bytes.get(..12).unwrap_or(bytes), bytes.len() > 12);
    let mut key = [0; 12];
    if let Some(start) = key.get_mut(..kept.len()) {
        start.copy_from_slice(kept);
    }
    let [k0, k1, k2, k3, seq @ ..] = key;
    let kind = i64::from(u32::from_be_bytes([k0, k1, k2, k3]));
    // A key that is a prefix of the bound is before it.
    let seq = u64::from_be_bytes(seq).checked_add(u64::from(is_longer));
    match seq.and_then(|seq| i64::try_from(seq).ok()) {
        Some(seq) => (kind, seq),
        // Beyond the numbers of a server: after all tasks of the kind.
        None => (kind + 1, 0),
    }
}

/// The bound after all tasks.
pub(crate) const END: Task = (1 << 32, 0);

/// An id as text, if it is one that a column can hold. `key` is the key of an id: the kind, then a tag and the value.
pub(crate) fn text_of_id(key: &[u8]) -> Option<&str> {
    let text = key.get(4..)?.strip_prefix(b"s")?;
    str::from_utf8(text).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_table_has_a_place_of_its_own() {
        let places: Vec<_> = StoreTable::ALL.iter().filter_map(|table| place(*table).ok()).collect();
        assert_eq!(places.len(), StoreTable::ALL.len());
        let distinct: BTreeSet<_> = places.iter().map(|place| format!("{place:?}")).collect();
        assert_eq!(distinct.len(), places.len());
    }

    #[test]
    fn bounds_keep_the_order_of_bytes() {
        let tasks = [(0, 0), (0, 1), (1, 0), (1, 255), (1, 256), (1, i64::MAX), (2, 0), (i64::from(u32::MAX), 7)];
        let mut bounds: Vec<Vec<u8>> = tasks.iter().map(|task| task_key(*task).to_vec()).collect();
        bounds.extend(tasks.iter().map(|task| [&task_key(*task)[..], &[0]].concat()));
        bounds.extend([vec![], vec![0, 0, 0, 1], vec![0, 0, 0, 1, 255], vec![255; 12], vec![255; 13], vec![1; 30]]);
        for bytes in &bounds {
            for task in tasks {
                assert_eq!(task_key(task)[..] >= **bytes, task >= bound(bytes), "{task:?} and {bytes:?}");
            }
        }
    }

    #[test]
    fn bounds_of_indexes_keep_the_order_of_bytes() {
        let key = |number: u8, value: &[u8], seq: u64| {
            let length = u32::try_from(value.len()).unwrap_or(0).to_be_bytes();
            [&[0, 0, 0, 1, 0, number][..], &length, value, &seq.to_be_bytes()].concat()
        };
        let values = [&b""[..], b"a", b"b", b"aa", b"a\xff"];
        let mut keys = Vec::new();
        for (number, value) in [0, 1].into_iter().flat_map(|number| values.map(|value| (number, value))) {
            keys.extend([0, 1, 255, 256, 1 << 40].map(|seq| key(number, value, seq)));
        }
        let mut bounds = keys.clone();
        bounds.extend(keys.iter().flat_map(|key| (0..key.len()).filter_map(|end| Some(key.get(..end)?.to_vec()))));
        bounds.extend(keys.iter().map(|key| [key, &[0][..]].concat()));
        bounds.extend([vec![255; 30], vec![0; 30], key(1, b"b", u64::MAX)]);
        for bytes in &bounds {
            for key in &keys {
                let place = index_value(key).ok();
                assert_eq!(key >= bytes, place >= Some(index_bound(bytes)), "{key:?} and {bytes:?}");
            }
        }
    }

    #[test]
    fn index_key_of_another_form_is_refused() {
        assert!(index_value(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 0, 0, 0, 1]).is_ok());
        for key in [&[][..], &[7; 18], &[0; 17], &[0; 19], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(index_value(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn hashes_of_neighbouring_tasks_differ_at_both_ends() {
        let hash = |task: Task| std::hash::BuildHasher::hash_one(&BuildHasherDefault::<TaskHasher>::default(), task);
        let tasks = || (0..4).flat_map(|kind| (0..1024).map(move |seq| (kind, seq << 4)));
        // A map takes the place from the low bits, and compares the high ones first.
        for part in [|hash: u64| hash & 0xffff, |hash: u64| hash >> 48] {
            let parts: BTreeSet<_> = tasks().map(|task| part(hash(task))).collect();
            assert!(parts.len() > 3800, "{} of 4096", parts.len());
        }
    }

    #[test]
    fn text_of_an_id_follows_its_tag() {
        assert_eq!(text_of_id(b"\0\0\0\x01sa-7"), Some("a-7"));
        assert_eq!(text_of_id(b"\0\0\0\x01sa\0"), None);
        assert_eq!(text_of_id(b"\0\0\0\x01bab"), None);
    }
}
