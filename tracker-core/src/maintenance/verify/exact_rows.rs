//! `ExactRows` compares the rows of some buckets one by one. Filled in further passes of `verify/mod.rs`, for buckets whose fingerprints differ;
//! `dependencies` uses its `Target`. Keeps the rows of these buckets in memory.

use std::{collections::BTreeMap, fmt, iter};

use super::{
    Difference, Found,
    comparison::{Comparison, RowContent, RowSink},
    fingerprints::BucketGroup,
};
use crate::{
    model::{
        task::TaskRef,
        transition::{DependencyEnd, Roles},
    },
    storage::keys::{AttemptKey, DependencyKey},
};

/// A stored or expected value.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    Key,
    Number(u64),
    Bytes(Vec<u8>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("()"),
            Self::Number(number) => number.fmt(f),
            Self::Bytes(bytes) => bytes.fmt(f),
        }
    }
}

impl Value {
    fn of(row: RowContent<'_>) -> Self {
        match row {
            RowContent::Key => Self::Key,
            RowContent::Number(number) | RowContent::Part(number) | RowContent::Rows(_, number) => Self::Number(number),
            RowContent::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }

    fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }
}

#[derive(Default)]
struct Sides {
    expected: Option<Value>,
    stored: Option<Value>,
    /// Further values that are expected under the key, such as that of a second task with one id. Only one value can be stored.
    rivals: Vec<Value>,
}

type Rows = BTreeMap<Vec<u8>, Sides>;

/// The rows of one group of buckets.
pub(super) struct ExactRows {
    group: BucketGroup,
    rows: BTreeMap<Comparison, Rows>,
    /// Number of keys.
    pub(super) held: usize,
}

impl ExactRows {
    pub(super) fn new(group: BucketGroup) -> Self {
        Self { group, rows: BTreeMap::new(), held: 0 }
    }

    fn sides(&mut self, comparison: Comparison, key: &[u8]) -> Option<&mut Sides> {
        if !self.group.has(comparison, key) {
            return None;
        }
        let rows = self.rows.entry(comparison).or_default();
        if !rows.contains_key(key) {
            self.held += 1;
            rows.insert(key.to_vec(), Sides::default());
        }
        rows.get_mut(key)
    }

    /// Adds the differences.
    pub(super) fn report(&self, found: &mut Found) {
        for (comparison, rows) in &self.rows {
            match comparison {
                Comparison::BatchCounts => report_batches(rows, found),
                Comparison::History => report_history(rows, found),
                Comparison::Targets => report_targets(rows, found),
                _ => rows.iter().for_each(|(key, sides)| report_row(*comparison, key, sides, found)),
            }
        }
    }
}

impl RowSink for ExactRows {
    fn takes(&self, comparison: Comparison) -> bool {
        self.group.takes(comparison)
    }

    fn expect(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>) {
        let Some(sides) = self.sides(comparison, key) else { return };
        match (row, &mut sides.expected) {
            (RowContent::Part(number), Some(before)) => *before = Value::Number(before.number() + number),
            (RowContent::Rows(..), expected) | (_, expected @ None) => *expected = Some(Value::of(row)),
            (_, Some(_)) => sides.rivals.push(Value::of(row)),
        }
    }

    fn store(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>) {
        if let Some(sides) = self.sides(comparison, key) {
            sides.stored = Some(Value::of(row));
        }
    }
}

/// Reports each expected value that is not stored, and a stored value that no row expects.
fn report_row(comparison: Comparison, key: &[u8], sides: &Sides, found: &mut Found) {
    for expected in iter::once(sides.expected.as_ref()).chain(sides.rivals.iter().map(Some)) {
        report_value(comparison, key, (expected, sides.stored.as_ref()), found);
    }
}

fn report_value(
    comparison: Comparison,
    key: &[u8],
    (expected, stored): (Option<&Value>, Option<&Value>),
    found: &mut Found,
) {
    let text = || comparison.key_text(key);
    let what = match (comparison, expected, stored) {
        (_, None, None) | (Comparison::Progress | Comparison::FollowUps, Some(_), _) => return,
        (Comparison::Progress, None, Some(_)) => format!("{} does not run", task_of(key)),
        (Comparison::FollowUps, None, Some(_)) => format!("batch {} is over or gone, and has one", batch_of(key)),
        (_, Some(expected), stored) if stored == Some(expected) => return,
        (_, Some(Value::Key), _) => format!("{} is missing", text()),
        (_, None, Some(Value::Key)) => format!("{} belongs to no task", text()),
        (_, Some(expected), stored) => format!("{} is {stored:?} and should be {expected:?}", text()),
        (_, None, Some(stored)) => format!("{} is {stored:?} and should not be", text()),
    };
    found.add_difference(comparison, Difference { is_extra: expected.is_none(), key: key.to_vec(), step: 0, what });
}

fn task_of(key: &[u8]) -> TaskRef {
    key.first_chunk().map_or(TaskRef { kind: 0, seq: 0 }, TaskRef::unpack)
}

fn batch_of(key: &[u8]) -> u64 {
    key.first_chunk().map_or(0, |number| u64::from_be_bytes(*number))
}

/// Reports attempts of tasks that have had none.
fn report_history(rows: &Rows, found: &mut Found) {
    let comparison = Comparison::History;
    for (key, _) in rows.iter().filter(|(_, sides)| sides.stored.is_some()) {
        let Some(run) = key.as_slice().try_into().ok().map(AttemptKey::unpack) else { continue };
        if !rows.contains_key(comparison.subject(key)) {
            let what = format!("{run:?} belongs to no attempt");
            found.add_difference(comparison, Difference { is_extra: false, key: key.clone(), step: 0, what });
        }
    }
}

/// A task or batch as the dependencies on it see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub has_dependents: bool,
    pub end: Option<DependencyEnd>,
}

impl Target {
    fn has_succeeded(self) -> bool {
        self.end == Some(DependencyEnd::Satisfied)
    }

    /// Whether tasks may wait for it.
    pub(super) fn is_awaited(self) -> bool {
        self.has_dependents && !self.has_succeeded()
    }

    pub(super) fn pack(self) -> u64 {
        u64::from(self.has_dependents) | u64::from(self.has_succeeded()) << 1
    }
}

/// Reports dependencies on tasks that are gone, have no dependents or have succeeded.
fn report_targets(rows: &Rows, found: &mut Found) {
    let comparison = Comparison::Targets;
    for (key, _) in rows.iter().filter(|(_, sides)| sides.stored.is_some()) {
        let Some(dependent) = key.as_slice().try_into().ok().map(DependencyKey::unpack) else { continue };
        let dependency = dependent.reversed();
        let target = rows.get(comparison.subject(key)).and_then(|sides| sides.expected.as_ref()).map(Value::number);
        let mut add = |step, what| {
            let key = dependency.pack().to_vec();
            found.add_difference(comparison, Difference { is_extra: false, key, step, what });
        };
        if target.is_none_or(|target| target & 1 == 0) {
            add(0, format!("{dependency:?}: the dependency is deleted, or not marked as having dependents"));
        }
        if target.is_some_and(|target| target & 2 != 0) {
            add(1, format!("{dependency:?}: the dependency has succeeded"));
        }
    }
}

/// Reports batches whose counts differ from the roles of their tasks, and missing batches. The last byte of a key is a role.
fn report_batches(rows: &Rows, found: &mut Found) {
    let comparison = Comparison::BatchCounts;
    let mut batches: BTreeMap<u64, (Roles<u64>, Option<Roles<u64>>)> = BTreeMap::new();
    for (key, sides) in rows {
        let role = key.last().map_or(0, |role| usize::from(*role));
        let (expected, stored) = batches.entry(batch_of(key)).or_default();
        if let (Some(of_tasks), Some(value)) = (expected.get_mut(role), &sides.expected) {
            *of_tasks = value.number();
        }
        if let Some(value) = &sides.stored
            && let Some(of_batch) = stored.get_or_insert_default().get_mut(role)
        {
            *of_batch = value.number();
        }
    }
    for (batch, (expected, stored)) in batches {
        let (is_extra, what) = match stored {
            Some(stored) if stored == expected => continue,
            Some(stored) => (false, format!("batch {batch} has {expected:?}, but its row counts {stored:?}")),
            None => (true, format!("batch {batch} is missing, and has tasks")),
        };
        let key = batch.to_be_bytes().to_vec();
        found.add_difference(comparison, Difference { is_extra, key, step: 0, what });
    }
}
