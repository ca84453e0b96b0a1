//! The keys of the tables. Keys of fixed width have big-endian fields, so that their bytes sort as the values do; keys with an id or a value
//! have variable width. Used by all of `storage`, and as values by the engine, `api` and `maintenance`. Pure.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::ops::RangeInclusive;

use crate::model::{
    task::{TaskKey, TaskRef},
    time::Micros,
};

/// An attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptKey {
    pub task: TaskRef,
    /// The fencing token of the attempt.
    pub fence: u64,
}

/// A key of the claim order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClaimKey {
    pub kind: u32,
    /// The code of the status.
    pub code: i32,
    /// 255 less the priority: higher priorities come first.
    pub rank: u8,
    pub at: Micros,
    /// Orders tasks with the same time: the submission order, unless an operator moved the task.
    pub place: u64,
    pub seq: u64,
}

/// A key of the order of last changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UpdatedKey {
    pub kind: u32,
    pub code: i32,
    pub at: Micros,
    pub seq: u64,
}

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CountKey {
    pub kind: u32,
    pub code: i32,
}

/// A dependency, in one direction or the other. A batch is a task of kind 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DependencyKey {
    pub from: TaskRef,
    pub to: TaskRef,
}

/// A task of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberKey {
    pub batch: u64,
    pub task: TaskRef,
}

/// A start in the ring buffer of a kind's latest starts; `number` is its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StartKey {
    pub kind: u32,
    pub number: u32,
}

/// A field of a key. It has a fixed width, and its bytes sort as its values do.
trait KeyField: Copy {
    const LEN: usize;

    /// Writes the field at the start of `bytes`, and returns the rest.
    fn write(self, bytes: &mut [u8]) -> &mut [u8];

    /// Reads the field from the start of `bytes`, and returns the rest.
    fn read(bytes: &[u8]) -> (Self, &[u8]);
}

/// Integers are big-endian. `flip` is the sign bit of signed ones.
macro_rules! integer_fields {
    ($($integer:ty, $flip:expr;)*) => {
        $(impl KeyField for $integer {
            const LEN: usize = size_of::<$integer>();

            #[inline]
            fn write(self, bytes: &mut [u8]) -> &mut [u8] {
                // Arrays of the length of a key have room for all of its fields.
                let Some((field, rest)) = bytes.split_first_chunk_mut() else { return &mut [] };
                *field = (self ^ $flip).to_be_bytes();
                rest
            }

            #[inline]
            fn read(bytes: &[u8]) -> (Self, &[u8]) {
                let Some((field, rest)) = bytes.split_first_chunk() else { return (0, &[]) };
                (Self::from_be_bytes(*field) ^ $flip, rest)
            }
        })*
    };
}

integer_fields! {
    u8, 0;
    u32, 0;
    u64, 0;
    i32, i32::MIN;
    i64, i64::MIN;
}

/// Packs the fields of a key in the order in which they are named.
macro_rules! packed {
    ($($key:ident { $($field:ident: $type:ty),* })*) => {
        $(impl KeyField for $key {
            const LEN: usize = $(<$type>::LEN +)* 0;

            #[inline]
            fn write(self, bytes: &mut [u8]) -> &mut [u8] {
                $(let bytes = self.$field.write(bytes);)*
                bytes
            }

            #[inline]
            fn read(bytes: &[u8]) -> (Self, &[u8]) {
                $(let ($field, bytes) = <$type>::read(bytes);)*
                (Self { $($field),* }, bytes)
            }
        }

        impl $key {
            pub(crate) const LEN: usize = <Self as KeyField>::LEN;

            pub(crate) fn pack(self) -> [u8; Self::LEN] {
                let mut bytes = [0; Self::LEN];
                self.write(&mut bytes);
                bytes
            }

            #[allow(clippy::trivially_copy_pass_by_ref, reason = "keys are unpacked from what the table lends")]
            pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
                Self::read(bytes).0
            }
        })*
    };
}

packed! {
    TaskRef { kind: u32, seq: u64 }
    AttemptKey { task: TaskRef, fence: u64 }
    ClaimKey { kind: u32, code: i32, rank: u8, at: Micros, place: u64, seq: u64 }
    UpdatedKey { kind: u32, code: i32, at: Micros, seq: u64 }
    CountKey { kind: u32, code: i32 }
    DependencyKey { from: TaskRef, to: TaskRef }
    MemberKey { batch: u64, task: TaskRef }
    StartKey { kind: u32, number: u32 }
}

/// Kind 0 marks a `TaskRef` that names a batch. Kinds of tasks begin with 1.
const BATCHES: u32 = 0;

impl TaskRef {
    /// A batch in the place of a task.
    pub(crate) fn of_batch(batch: u64) -> Self {
        Self { kind: BATCHES, seq: batch }
    }

    /// The number of the batch in the place of a task; `None` for a task.
    pub(crate) fn batch(self) -> Option<u64> {
        (self.kind == BATCHES).then_some(self.seq)
    }
}

impl DependencyKey {
    /// The last key with the same start.
    pub(crate) fn last(self) -> Self {
        Self { to: TaskRef { kind: u32::MAX, seq: u64::MAX }, ..self }
    }

    /// The key in the table of the other direction.
    pub(crate) fn reversed(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

impl AttemptKey {
    /// The range of all attempts of a task.
    pub(crate) fn all(task: TaskRef) -> RangeInclusive<[u8; Self::LEN]> {
        Self { task, fence: 0 }.pack()..=Self { task, fence: u64::MAX }.pack()
    }
}

impl ClaimKey {
    pub(crate) fn first(kind: u32, code: i32, rank: u8) -> Self {
        Self::first_at(kind, code, rank, Micros::MIN)
    }

    pub(crate) fn last(kind: u32, code: i32, rank: u8) -> Self {
        Self::last_at(kind, code, rank, Micros::MAX)
    }

    pub(crate) fn first_at(kind: u32, code: i32, rank: u8, at: Micros) -> Self {
        Self { kind, code, rank, at, place: 0, seq: 0 }
    }

    pub(crate) fn last_at(kind: u32, code: i32, rank: u8, at: Micros) -> Self {
        Self { kind, code, rank, at, place: u64::MAX, seq: u64::MAX }
    }

    /// The order in which claims take tasks, over all statuses of a kind.
    pub(crate) fn order(self) -> (u8, Micros, u64, u64) {
        (self.rank, self.at, self.place, self.seq)
    }

    pub(crate) fn task(self) -> TaskRef {
        TaskRef { kind: self.kind, seq: self.seq }
    }
}

/// The key of an id: the kind, then the id's bytes.
pub(crate) fn id_key(kind: u32, id: &TaskKey) -> Vec<u8> {
    [&kind.to_be_bytes(), id.as_bytes()].concat()
}

/// Kind and id of a key that [`id_key`] made.
pub(crate) fn split_id_key(key: &[u8]) -> Option<(u32, TaskKey)> {
    let (kind, id) = key.split_first_chunk()?;
    Some((u32::from_be_bytes(*kind), TaskKey::from_bytes(id)?))
}

/// The key of the end of a throttle period: the time, then the throttle key of its row.
pub(crate) fn throttle_end_key(end: Micros, throttle_key: &[u8]) -> Vec<u8> {
    let mut time = [0; Micros::LEN];
    end.write(&mut time);
    [&time, throttle_key].concat()
}

/// The time and the throttle key of a key that [`throttle_end_key`] made.
pub(crate) fn split_throttle_end_key(key: &[u8]) -> Option<(Micros, &[u8])> {
    let (time, throttle_key) = key.split_at_checked(Micros::LEN)?;
    Some((Micros::read(time).0, throttle_key))
}

/// The key of a unique value: the kind, the key's number, then the value.
pub(crate) fn unique_key(kind: u32, number: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &number.to_be_bytes(), value].concat()
}

/// The key of an indexed value: the kind, the field's number, the value after its length, the sequence number.
pub(crate) fn index_key(kind: u32, number: u16, value: &[u8], seq: u64) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&kind.to_be_bytes()[..], &number.to_be_bytes(), &length, value, &seq.to_be_bytes()].concat()
}

/// The sequence number at the end of an indexed value's key.
pub(crate) fn index_seq(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|seq| u64::from_be_bytes(*seq))
}

/// The start of all keys of a limit key, which is a kind with one limited value: the kind, then the value after its length.
pub(crate) fn limit_prefix(kind: u32, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&kind.to_be_bytes()[..], &length, value].concat()
}

/// A key in the queue of a limit key: its prefix, then the claim key without its kind.
pub(crate) fn limit_queue_key(prefix: &[u8], claim_key: ClaimKey) -> Vec<u8> {
    let [_, _, _, _, after_kind @ ..] = claim_key.pack();
    [prefix, &after_kind].concat()
}

/// A list of class heads. A class is the tasks of a kind with the same limited values and needs; its head is the first of them. The
/// discriminant is the number in keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HeadList {
    /// The heads that no limit blocks, as far as claims have found out.
    Ready = 0,
    /// All heads with a limited value.
    Waiting = 1,
    /// The heads that a limited value blocked when a claim last looked at them.
    Blocked = 2,
    /// The heads with a limited value that were overtaken too often: no later task of the value starts before them.
    Reserved = 3,
}

impl HeadList {
    pub(crate) const ALL: [Self; 4] = [Self::Ready, Self::Waiting, Self::Blocked, Self::Reserved];
}

/// The start of all keys of a list of a kind.
pub(crate) fn head_lists_prefix(kind: u32, list: HeadList) -> Vec<u8> {
    let mut prefix = kind.to_be_bytes().to_vec();
    prefix.push(list as u8);
    prefix
}

/// The start of all keys of a list of one limited value: kind, list, number of the limit, then the value after its length. The amounts of
/// the head's needs and its claim key without the kind follow. The ready list has one value: limit 0, and no bytes.
pub(crate) fn head_list_prefix(kind: u32, list: HeadList, limit: u16, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&head_lists_prefix(kind, list)[..], &limit.to_be_bytes(), &length, value].concat()
}

/// The parts of a key in a list of class heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadListKey<'k> {
    pub list: HeadList,
    pub limit: u16,
    pub value: &'k [u8],
    pub amounts: &'k [u8],
    pub head: ClaimKey,
}

impl<'k> HeadListKey<'k> {
    pub(crate) fn split(key: &'k [u8]) -> Option<Self> {
        let (kind, rest) = key.split_first_chunk()?;
        let (list, rest) = rest.split_first()?;
        let (limit, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let amounts = rest.len().checked_sub(ClaimKey::LEN - u32::LEN)?;
        Some(Self {
            list: HeadList::ALL.into_iter().find(|known| *known as u8 == *list)?,
            limit: u16::from_be_bytes(*limit),
            value,
            amounts: rest.get(..amounts)?,
            head: limit_queue_claim_key(u32::from_be_bytes(*kind), rest)?,
        })
    }
}

/// The claim key that a key in the queue of a limit key ends with.
pub(crate) fn limit_queue_claim_key(kind: u32, key: &[u8]) -> Option<ClaimKey> {
    let after_kind: &[u8; ClaimKey::LEN - 4] = key.last_chunk()?;
    let mut bytes = [0; ClaimKey::LEN];
    *kind.write(&mut bytes).first_chunk_mut()? = *after_kind;
    Some(ClaimKey::unpack(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_sort_as_their_fields_do() {
        let mut lines = Vec::new();
        for kind in [0, 1, u32::MAX] {
            for code in [i32::MIN, -1, 0, 1, i32::MAX] {
                for rank in [0, 7, 255] {
                    for at in [i64::MIN, -1, 0, 1, i64::MAX] {
                        for place in [0, 1, u64::MAX] {
                            for seq in [0, 1, u64::MAX] {
                                lines.push(ClaimKey { kind, code, rank, at, place, seq });
                            }
                        }
                    }
                }
            }
        }
        assert!(lines.is_sorted() && lines.iter().map(|key| key.pack()).is_sorted());
        for key in lines {
            assert_eq!(ClaimKey::unpack(&key.pack()), key);
            let updated = UpdatedKey { kind: key.kind, code: key.code, at: key.at, seq: key.seq };
            assert_eq!(UpdatedKey::unpack(&updated.pack()), updated);
            let run = AttemptKey { task: key.task(), fence: key.seq };
            assert_eq!(AttemptKey::unpack(&run.pack()), run);
            assert_eq!(
                limit_queue_claim_key(key.kind, &limit_queue_key(&limit_prefix(key.kind, b"a"), key)),
                Some(key)
            );
            let prefix = head_list_prefix(key.kind, HeadList::Blocked, 3, b"a");
            let listed = limit_queue_key(&[&prefix[..], b"12345678"].concat(), key);
            let parts = HeadListKey { list: HeadList::Blocked, limit: 3, value: b"a", amounts: b"12345678", head: key };
            assert_eq!(HeadListKey::split(&listed), Some(parts));
            let count = CountKey { kind: key.kind, code: key.code };
            assert_eq!(CountKey::unpack(&count.pack()), count);
            let dependency = DependencyKey { from: key.task(), to: TaskRef { kind: key.kind / 2, seq: key.seq / 3 } };
            assert_eq!(DependencyKey::unpack(&dependency.pack()), dependency);
            let member = MemberKey { batch: key.seq, task: dependency.to };
            assert_eq!(MemberKey::unpack(&member.pack()), member);
        }
    }

    #[test]
    fn a_task_is_named_by_its_numbers() {
        assert_eq!(TaskRef { kind: 3, seq: 7 }.to_string(), "task 7 of kind 3");
    }

    #[test]
    fn an_indexed_value_is_no_prefix_of_another() {
        let short = index_key(1, 0, b"ab", 0x6363_6363_6363_6363);
        let long = index_key(1, 0, b"abcc", 1);
        assert!(!long.starts_with(&short[..short.len() - 8]));
        assert_eq!(index_seq(&long), Some(1));
    }
}
