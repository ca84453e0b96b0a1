//! `LimitClass` holds the limited values and the needs of a task in a kind with several limits. Tasks of a class have equal values and are blocked
//! together, so claims read only the first task of each class. Used by `storage/rows_of`, `storage/read`, `storage/write` and
//! `maintenance/verify/head_lists`; pure.

use crate::model::kind::Kind;

/// The stored bytes of an index value that is `None`.
pub(super) const NONE: &[u8] = &[0];

/// The limited values and needs of a task, which decide together with the claim order whether it may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitClass {
    /// One value for each limit of the kind; empty if that limit does not limit the task.
    values: Vec<Vec<u8>>,
    /// The amounts of its needs: 8 bytes each, big-endian, in the order of the kind's needs.
    pub amounts: Vec<u8>,
}

/// A value that a limit counts, with the number of the limit in its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitedValue<'v> {
    pub limit: u16,
    pub value: &'v [u8],
}

impl LimitClass {
    pub(crate) fn of(kind: &Kind, indexes: &[Vec<u8>]) -> Self {
        let values = kind.policy.limits.iter().map(|limit| {
            let number = kind.indexes.iter().position(|index| *index == limit.index);
            let value = number.and_then(|number| indexes.get(number)).filter(|value| *value != NONE);
            value.cloned().unwrap_or_default()
        });
        Self { values: values.collect(), amounts: kind.amounts(indexes).flat_map(u64::to_be_bytes).collect() }
    }

    /// The limit key of the class: each value after its length in 4 bytes, then the amounts.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in &self.values {
            bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(value);
        }
        bytes.extend(&self.amounts);
        bytes
    }

    /// The class of a limit key. Missing bytes mean no limit and no needs.
    pub(crate) fn unpack(kind: &Kind, bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let values = kind.policy.limits.iter().map(|_| {
            let value = rest.split_first_chunk().and_then(|(length, after)| {
                let (value, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
                rest = after;
                Some(value.to_vec())
            });
            value.unwrap_or_default()
        });
        let values = values.collect();
        let mut amounts = rest.to_vec();
        amounts.resize(8 * kind.policy.needs.len(), 0);
        Self { values, amounts }
    }

    /// The values that limits count.
    pub(crate) fn limited(&self) -> impl Iterator<Item = LimitedValue<'_>> {
        let all = (0..).zip(&self.values).map(|(limit, value)| LimitedValue { limit, value });
        all.filter(|limited| !limited.value.is_empty())
    }

    /// The keys of the counters that count a task of this class while it is in progress, without the number of the kind that comes first.
    pub(crate) fn in_use_keys(&self) -> Vec<Vec<u8>> {
        let amounts = (!self.amounts.is_empty()).then(|| [&AMOUNTS[..], &self.amounts].concat());
        self.limited().map(LimitedValue::in_use_key).chain(amounts).collect()
    }
}

/// The prefix of amounts in the key of a counter. The prefix of a value is the number of its limit, plus 1.
const AMOUNTS: [u8; 2] = [0, 0];

/// The amounts in the key of a counter without the number of the kind. `None` if it counts a value.
pub(crate) fn counted_amounts<'k>(kind: &Kind, key: &'k [u8]) -> Option<&'k [u8]> {
    if kind.has_limit_lists() { key.strip_prefix(&AMOUNTS) } else { Some(key) }
}

impl LimitedValue<'_> {
    /// The key of the counter of tasks in progress with this value, without the number of the kind.
    pub(crate) fn in_use_key(self) -> Vec<u8> {
        [&self.limit.saturating_add(1).to_be_bytes()[..], self.value].concat()
    }

    /// How many tasks with this value may be in progress.
    pub(crate) fn most(self, kind: &Kind) -> u64 {
        kind.policy.limits.get(usize::from(self.limit)).map_or(u64::MAX, |limit| u64::from(limit.most))
    }
}
