//! Sequence numbers of tasks and fences, assigned from blocks that are taken from the server along with a load. Called by `unit`.
//!
//! A number must be greater than all that were assigned to a row before that row was locked: a fence must exceed the fences of earlier
//! owners, and the end of a task reaches exactly those dependents that were submitted before it. So a block is taken in the same round
//! trip as a load, after its locks, and what is left of it is given up with the next load. How many numbers are taken along is learned
//! from earlier units that loaded the same sorts of rows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tracker_core::store::{NumberSeries, StoreTable, Want};

use crate::sql::Sequence;

/// The most numbers that are taken along.
const TAKEN_MAX: u64 = 4096;
const SHAPES: usize = 16;
/// With each unit that uses fewer numbers, this part of them is no longer taken along.
const DECAY: u64 = 8;

pub(crate) const ALL: [Sequence; 2] = [Sequence::Task, Sequence::Fence];

pub(crate) fn sequence(series: NumberSeries) -> Sequence {
    match series {
        NumberSeries::Sequence => Sequence::Task,
        NumberSeries::Fence => Sequence::Fence,
    }
}

/// The sorts of rows that a load asks for. The default is that of a unit that has loaded nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape(usize);

impl Shape {
    pub(crate) fn of(wants: &[Want]) -> Self {
        wants.iter().fold(Self(8), |Self(bits), want| {
            let (Want::Row { table, .. } | Want::Rows { table, .. }) = want;
            Self(
                bits | match table {
                    StoreTable::ClaimOrder | StoreTable::LimitHeads => 1,
                    StoreTable::Ids => 2,
                    StoreTable::Headers => 4,
                    _ => 0,
                },
            )
        })
    }
}

/// How many numbers units took lately, by the shape of their last load.
#[derive(Debug, Default)]
pub(crate) struct Learned([[AtomicU64; 2]; SHAPES]);

impl Learned {
    /// How many numbers to take along.
    pub(crate) fn expected(&self, shape: Shape, sequence: Sequence) -> u64 {
        self.0.get(shape.0).map_or(0, |counts| counts[sequence as usize].load(Relaxed))
    }

    fn note(&self, shape: Shape, used: [u64; 2]) {
        let Some(counts) = self.0.get(shape.0) else { return };
        for (count, used) in counts.iter().zip(used) {
            // Units vary in size. A number that is not used costs nothing, and one that is missing costs a round trip.
            let before = count.load(Relaxed);
            count.store(used.min(TAKEN_MAX).max(before - before.div_ceil(DECAY)), Relaxed);
        }
    }
}

/// The numbers that a unit has taken along.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    shape: Shape,
    /// The first number, and the first after the last.
    left: [(i64, i64); 2],
    used: [u64; 2],
}

impl Blocks {
    /// Begins the blocks of a load. Notes how many numbers were used since the one before.
    pub(crate) fn begin(&mut self, shape: Shape, learned: &Learned) {
        learned.note(self.shape, self.used);
        *self = Self { shape, ..Self::default() };
    }

    /// Ends the last blocks.
    pub(crate) fn end(&self, learned: &Learned) {
        learned.note(self.shape, self.used);
    }

    /// The number that [`Self::take`] would return next.
    pub(crate) fn peek(&mut self, sequence: Sequence) -> Option<i64> {
        let (first, end) = self.left[sequence as usize];
        let used = &mut self.used[sequence as usize];
        *used = (*used).max(1);
        (first < end).then_some(first)
    }

    /// Gives up what is left.
    pub(crate) fn clear(&mut self) {
        self.left = Default::default();
    }

    /// Adds `count` numbers up to `last`.
    pub(crate) fn fill(&mut self, sequence: Sequence, last: i64, count: u64) {
        let count = i64::try_from(count).unwrap_or(0);
        self.left[sequence as usize] = (last + 1 - count, last + 1);
    }

    /// How many numbers to ask the server for when `count` are missing. A unit that has taken many takes more.
    pub(crate) fn missing(&self, sequence: Sequence, count: u64) -> u64 {
        count.max(self.used[sequence as usize].min(TAKEN_MAX))
    }

    /// Adds `filled` numbers up to `last`, and returns the first of `count` numbers that are taken from them.
    pub(crate) fn refill(&mut self, sequence: Sequence, last: i64, filled: u64, count: u64) -> i64 {
        self.fill(sequence, last, filled);
        let (first, _) = &mut self.left[sequence as usize];
        let taken = *first;
        *first += i64::try_from(count).unwrap_or(0);
        taken
    }

    /// Notes that `count` numbers are asked for, and returns the first of them if they are there.
    pub(crate) fn take(&mut self, sequence: Sequence, count: u64) -> Option<i64> {
        self.used[sequence as usize] += count;
        let (first, end) = &mut self.left[sequence as usize];
        let count = i64::try_from(count).ok()?;
        if *end - *first < count {
            return None;
        }
        let taken = *first;
        *first += count;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_unit_takes_along_what_the_last_one_used() {
        let learned = Learned::default();
        let claim = Shape::of(&[Want::Rows {
            table: StoreTable::ClaimOrder,
            from: Vec::new(),
            to: None,
            newest_first: false,
            skips_locked: true,
            most: 1,
        }]);
        let mut blocks = Blocks::default();
        blocks.begin(claim, &learned);
        assert_eq!(blocks.take(Sequence::Fence, 3), None);
        blocks.end(&learned);
        assert_eq!(learned.expected(claim, Sequence::Fence), 3);
        assert_eq!(learned.expected(claim, Sequence::Task), 0);

        blocks.begin(claim, &learned);
        blocks.fill(Sequence::Fence, 12, 3);
        assert_eq!(blocks.take(Sequence::Fence, 2), Some(10));
        assert_eq!(blocks.take(Sequence::Fence, 2), None);
        blocks.begin(Shape::default(), &learned);
        assert_eq!(blocks.take(Sequence::Fence, 1), None);
        assert_eq!(learned.expected(claim, Sequence::Fence), 4);
    }

    #[test]
    fn expected_numbers_fall_slowly_after_smaller_units() {
        let (learned, shape) = (Learned::default(), Shape(9));
        learned.note(shape, [0, 64]);
        let expected: Vec<_> = (0..30)
            .map(|_| {
                learned.note(shape, [0, 1]);
                learned.expected(shape, Sequence::Fence)
            })
            .collect();
        assert_eq!(expected[..3], [56, 49, 42]);
        assert_eq!(expected.last(), Some(&1));
        learned.note(shape, [0, 10 * TAKEN_MAX]);
        assert_eq!(learned.expected(shape, Sequence::Fence), TAKEN_MAX);
    }

    #[test]
    fn unit_that_takes_many_numbers_asks_for_more_at_once() {
        let mut blocks = Blocks::default();
        let mut asked = 0;
        let mut last = 0;
        let taken: Vec<_> = (0..100)
            .map(|_| {
                blocks.take(Sequence::Fence, 1).unwrap_or_else(|| {
                    asked += 1;
                    let count = blocks.missing(Sequence::Fence, 1);
                    last += count.cast_signed();
                    blocks.refill(Sequence::Fence, last, count, 1)
                })
            })
            .collect();
        assert_eq!(taken, (1..=100).collect::<Vec<_>>());
        assert_eq!(asked, 7);
        assert_eq!(blocks.missing(Sequence::Task, 5000), 5000, "those of one call follow each other");
    }
}
