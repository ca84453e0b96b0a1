//! The keys of the tables: fixed-width big-endian fields, so that bytes sort as the values do.

use std::ops::RangeInclusive;

use crate::model::{
    task::{TaskKey, TaskRef},
    time::Micros,
};

/// An attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttemptKey {
    pub task: TaskRef,
    pub fence: u64,
}

/// A place in the claim order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClaimKey {
    pub kind: u32,
    pub code: i32,
    /// 255 less the priority: higher priorities come first.
    pub rank: u8,
    pub at: Micros,
    pub seq: u64,
}

/// A place in the order of last changes.
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

/// Who waits for whom, in one direction or the other. Batches stand among the tasks as those of kind 0.
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

/// A start, by its place in the ring of a kind's latest ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StartKey {
    pub kind: u32,
    pub number: u32,
}

struct Packer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Packer<N> {
    fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    fn put<const M: usize>(mut self, part: [u8; M]) -> Self {
        self.bytes[self.at..self.at + M].copy_from_slice(&part);
        self.at += M;
        self
    }
}

fn part<const M: usize>(bytes: &[u8], at: usize) -> [u8; M] {
    let mut out = [0; M];
    out.copy_from_slice(&bytes[at..at + M]);
    out
}

/// Signed numbers sort by their bytes once the sign bit is flipped.
fn signed32(value: i32) -> [u8; 4] {
    (value.cast_unsigned() ^ (1 << 31)).to_be_bytes()
}

fn signed64(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn unsigned32(bytes: [u8; 4]) -> i32 {
    (u32::from_be_bytes(bytes) ^ (1 << 31)).cast_signed()
}

fn unsigned64(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

impl TaskRef {
    pub(crate) const LEN: usize = 12;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.kind.to_be_bytes()).put(self.seq.to_be_bytes()).bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { kind: u32::from_be_bytes(part(bytes, 0)), seq: u64::from_be_bytes(part(bytes, 4)) }
    }
}

/// The number under which batches stand where a kind's number is expected: kinds begin with 1.
const BATCHES: u32 = 0;

impl TaskRef {
    /// A batch in the place of a task.
    pub(crate) fn of_batch(batch: u64) -> Self {
        Self { kind: BATCHES, seq: batch }
    }

    /// The batch that stands in the place of a task.
    pub(crate) fn batch(self) -> Option<u64> {
        (self.kind == BATCHES).then_some(self.seq)
    }
}

impl DependencyKey {
    pub(crate) const LEN: usize = 24;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.from.pack()).put(self.to.pack()).bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { from: TaskRef::unpack(&part(bytes, 0)), to: TaskRef::unpack(&part(bytes, 12)) }
    }

    /// Behind all that have the same beginning.
    pub(crate) fn last(self) -> Self {
        Self { to: TaskRef { kind: u32::MAX, seq: u64::MAX }, ..self }
    }

    /// The other direction.
    pub(crate) fn turned(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

impl MemberKey {
    pub(crate) const LEN: usize = 20;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.batch.to_be_bytes()).put(self.task.pack()).bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { batch: u64::from_be_bytes(part(bytes, 0)), task: TaskRef::unpack(&part(bytes, 8)) }
    }
}

impl AttemptKey {
    pub(crate) const LEN: usize = 20;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.task.pack()).put(self.fence.to_be_bytes()).bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { task: TaskRef::unpack(&part(bytes, 0)), fence: u64::from_be_bytes(part(bytes, 12)) }
    }

    /// Where the attempts of a task stand.
    pub(crate) fn all(task: TaskRef) -> RangeInclusive<[u8; Self::LEN]> {
        Self { task, fence: 0 }.pack()..=Self { task, fence: u64::MAX }.pack()
    }
}

impl ClaimKey {
    pub(crate) const LEN: usize = 25;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new()
            .put(self.kind.to_be_bytes())
            .put(signed32(self.code))
            .put([self.rank])
            .put(signed64(self.at))
            .put(self.seq.to_be_bytes())
            .bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            kind: u32::from_be_bytes(part(bytes, 0)),
            code: unsigned32(part(bytes, 4)),
            rank: bytes[8],
            at: unsigned64(part(bytes, 9)),
            seq: u64::from_be_bytes(part(bytes, 17)),
        }
    }

    pub(crate) fn first(kind: u32, code: i32, rank: u8) -> Self {
        Self { kind, code, rank, at: Micros::MIN, seq: 0 }
    }

    pub(crate) fn last(kind: u32, code: i32, rank: u8) -> Self {
        Self { kind, code, rank, at: Micros::MAX, seq: u64::MAX }
    }

    pub(crate) fn task(self) -> TaskRef {
        TaskRef { kind: self.kind, seq: self.seq }
    }
}

impl UpdatedKey {
    pub(crate) const LEN: usize = 24;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new()
            .put(self.kind.to_be_bytes())
            .put(signed32(self.code))
            .put(signed64(self.at))
            .put(self.seq.to_be_bytes())
            .bytes
    }

    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            kind: u32::from_be_bytes(part(bytes, 0)),
            code: unsigned32(part(bytes, 4)),
            at: unsigned64(part(bytes, 8)),
            seq: u64::from_be_bytes(part(bytes, 16)),
        }
    }
}

impl CountKey {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.kind.to_be_bytes()).put(signed32(self.code)).bytes
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "all keys are unpacked from what the table lends")]
    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { kind: u32::from_be_bytes(part(bytes, 0)), code: unsigned32(part(bytes, 4)) }
    }
}

impl StartKey {
    pub(crate) const LEN: usize = 8;

    pub(crate) fn pack(self) -> [u8; Self::LEN] {
        Packer::new().put(self.kind.to_be_bytes()).put(self.number.to_be_bytes()).bytes
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "all keys are unpacked from what the table lends")]
    pub(crate) fn unpack(bytes: &[u8; Self::LEN]) -> Self {
        Self { kind: u32::from_be_bytes(part(bytes, 0)), number: u32::from_be_bytes(part(bytes, 4)) }
    }
}

/// The key of an id: the kind, then the id's bytes.
pub(crate) fn id_key(kind: u32, id: &TaskKey) -> Vec<u8> {
    [&kind.to_be_bytes(), id.as_bytes()].concat()
}

/// The key of a unique value: the kind, the key's number, then the value.
pub(crate) fn unique_key(kind: u32, number: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &number.to_be_bytes(), value].concat()
}

/// The key of an indexed value: the kind, the field's number, the value behind its length, the sequence number.
pub(crate) fn index_key(kind: u32, number: u16, value: &[u8], seq: u64) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&kind.to_be_bytes()[..], &number.to_be_bytes(), &length, value, &seq.to_be_bytes()].concat()
}

/// The sequence number at the end of an indexed value's key.
pub(crate) fn index_seq(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|seq| u64::from_be_bytes(*seq))
}

/// The start of all keys of a limit key: the kind, then the value behind its length.
pub(crate) fn limit_prefix(kind: u32, value: &[u8]) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&kind.to_be_bytes()[..], &length, value].concat()
}

/// A key in the queue of a limit key: its prefix, then the place in the claim order without its kind.
pub(crate) fn limit_queue_key(prefix: &[u8], place: ClaimKey) -> Vec<u8> {
    let [_, _, _, _, place @ ..] = place.pack();
    [prefix, &place].concat()
}

/// The place in the claim order that a key in the queue of a limit key names.
pub(crate) fn limit_queue_place(kind: u32, key: &[u8]) -> Option<ClaimKey> {
    let place: &[u8; ClaimKey::LEN - 4] = key.last_chunk()?;
    Some(ClaimKey::unpack(&Packer::new().put(kind.to_be_bytes()).put(*place).bytes))
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
                        for seq in [0, 1, u64::MAX] {
                            lines.push(ClaimKey { kind, code, rank, at, seq });
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
            assert_eq!(limit_queue_place(key.kind, &limit_queue_key(&limit_prefix(key.kind, b"a"), key)), Some(key));
            let count = CountKey { kind: key.kind, code: key.code };
            assert_eq!(CountKey::unpack(&count.pack()), count);
            let need = DependencyKey { from: key.task(), to: TaskRef { kind: key.kind / 2, seq: key.seq / 3 } };
            assert_eq!(DependencyKey::unpack(&need.pack()), need);
            let member = MemberKey { batch: key.seq, task: need.to };
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
