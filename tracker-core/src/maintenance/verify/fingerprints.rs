//! `Fingerprints` tells whether two sides have the same rows, in memory that does not depend on the number of rows. Filled by the first pass of
//! `verify/mod.rs`; `exact_rows` compares the buckets of a `BucketGroup`. Pure.

use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use super::comparison::{Comparison, RowContent, RowSink};

/// Number of buckets of a comparison. A hash of the key chooses the bucket of a row, so that a wrong row leads to an exact comparison of few rows.
const BUCKETS: usize = 1_024;

/// The rows of one bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The sum of the hashes of the expected rows, less that of the stored ones.
    difference: u128,
    /// Number of rows of both sides.
    rows: u64,
}

/// Sums of row hashes. Sums do not depend on the order of the rows.
pub(super) struct Fingerprints(Vec<Bucket>);

/// Buckets whose rows are compared exactly in one pass, in ascending order.
#[derive(Clone, Debug, Default)]
pub(super) struct BucketGroup(Vec<usize>);

impl BucketGroup {
    /// Whether the rows of a key are compared in this pass.
    pub(super) fn has(&self, comparison: Comparison, key: &[u8]) -> bool {
        self.0.binary_search(&bucket_of(comparison, key)).is_ok()
    }

    /// Whether rows of a comparison are compared in this pass.
    pub(super) fn takes(&self, comparison: Comparison) -> bool {
        let first = comparison as usize * BUCKETS;
        let next = self.0.partition_point(|bucket| *bucket < first);
        self.0.get(next).is_some_and(|bucket| *bucket < first + BUCKETS)
    }
}

/// The seed of the hashes of a comparison.
fn seed(comparison: Comparison) -> u64 {
    comparison as u64 + 1
}

fn bucket_of(comparison: Comparison, key: &[u8]) -> usize {
    let hash = xxh3_64_with_seed(comparison.subject(key), seed(comparison));
    #[expect(clippy::cast_possible_truncation, reason = "a number below `BUCKETS`")]
    let bucket = (hash % BUCKETS as u64) as usize;
    comparison as usize * BUCKETS + bucket
}

fn hash_of(comparison: Comparison, key: &[u8], row: RowContent<'_>) -> u128 {
    let hash = xxh3_128_with_seed(comparison.counted(key), seed(comparison));
    #[expect(clippy::cast_possible_truncation, reason = "half of the hash is the seed")]
    let with = |value: &[u8]| hash.wrapping_add(xxh3_128_with_seed(value, hash as u64));
    match row {
        RowContent::Key => hash,
        RowContent::Number(number) => with(&number.to_le_bytes()),
        RowContent::Bytes(bytes) => with(bytes),
        RowContent::Part(rows) | RowContent::Rows(rows, _) => hash.wrapping_mul(rows.into()),
    }
}

impl Fingerprints {
    pub(super) fn new() -> Self {
        Self(vec![Bucket::default(); Comparison::ALL.len() * BUCKETS])
    }

    fn bucket(&mut self, comparison: Comparison, key: &[u8]) -> Option<&mut Bucket> {
        let bucket = self.0.get_mut(bucket_of(comparison, key))?;
        bucket.rows += 1;
        Some(bucket)
    }

    /// Whether both sides of a comparison have the same rows.
    pub(super) fn is_equal(&self, comparison: Comparison) -> bool {
        self.0.iter().skip(comparison as usize * BUCKETS).take(BUCKETS).all(|bucket| bucket.difference == 0)
    }

    /// The buckets in which the sides differ, or all if `all`, in groups of up to `most` rows. A larger bucket is a group by itself.
    pub(super) fn groups(&self, all: bool, most: usize) -> Vec<BucketGroup> {
        let mut groups = Vec::new();
        let (mut group, mut rows) = (BucketGroup::default(), 0);
        for (at, bucket) in self.0.iter().enumerate() {
            if bucket.rows == 0 || (bucket.difference == 0 && !all) {
                continue;
            }
            if rows > 0 && rows + bucket.rows > most as u64 {
                groups.push(std::mem::take(&mut group));
                rows = 0;
            }
            group.0.push(at);
            rows += bucket.rows;
        }
        if rows > 0 {
            groups.push(group);
        }
        groups
    }
}

impl RowSink for Fingerprints {
    fn takes(&self, _: Comparison) -> bool {
        true
    }

    fn expect(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>) {
        if let Some(bucket) = self.bucket(comparison, key) {
            bucket.difference = bucket.difference.wrapping_add(hash_of(comparison, key, row));
        }
    }

    fn store(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>) {
        if let Some(bucket) = self.bucket(comparison, key) {
            bucket.difference = bucket.difference.wrapping_sub(hash_of(comparison, key, row));
        }
    }
}
