//! `Fingerprint` hashes the fields that decide whether a task counts as changed. Called by the code that the derive generates; pure, except
//! for the user's `Serialize`.

use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::model::codec::encoder;

/// Hashes the fields marked `#[task(fingerprint)]` of a submitted task.
///
/// Equal values have equal fingerprints, in every process. To that end the entries of a map are sorted by the bytes of
/// their keys, and those of a set by their own bytes, wherever they are in the value:
///
/// - of every map: `HashMap`, `BTreeMap`, `IndexMap`, a JSON object, a struct with `#[serde(flatten)]`;
/// - of every set whose type is called `HashSet` or `IndexSet` and that is written by serde's own impl, or by that of the crate that defines it.
///   serde hands a set over as a list, so that it is recognised by the name of its type.
///
/// The order of every other sequence counts: of a `Vec`, of a `BinaryHeap`, and of a set of another name, such as a
/// `DashSet`. Give such a field a canonical form with `#[task(fingerprint_with = path)]`; the function gets the field by
/// reference and returns any value that serde can write.
///
/// ```
/// use std::collections::{BTreeSet, BinaryHeap};
///
/// use serde::{Deserialize, Serialize};
/// use tracker_core::{TaskStatus, TrackedTask};
/// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
///
/// #[derive(TrackedTask, Serialize, Deserialize)]
/// #[task(name = "job", status = Status)]
/// struct Job {
///     #[task(id)]
///     name: String,
///     #[task(fingerprint_with = sorted)]
///     sizes: BinaryHeap<u32>,
/// }
///
/// fn sorted(sizes: &BinaryHeap<u32>) -> BTreeSet<u32> {
///     sizes.iter().copied().collect()
/// }
///
/// let job = |sizes: [u32; 3]| Job { name: "a".into(), sizes: sizes.into_iter().collect() };
/// assert_eq!(job([3, 1, 2]).fingerprint(), job([1, 2, 3]).fingerprint());
/// assert_ne!(job([3, 1, 2]).fingerprint(), job([1, 2, 4]).fingerprint());
/// ```
#[derive(Default)]
pub struct Fingerprint {
    hasher: Xxh3,
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

impl Fingerprint {
    /// Starts with no field.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. A value that serde cannot write counts as empty. If it is a part of the payload, the submit of the task fails on it.
    #[must_use]
    pub fn field<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let bytes = encoder::canonical(value).unwrap_or_default();
        for part in [name.as_bytes(), &bytes] {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        self
    }

    /// Returns the fingerprint.
    #[must_use]
    pub fn finish(self) -> u64 {
        self.hasher.digest()
    }
}
