//! Computes the place of a task among tasks with the same priority and due time: that of its submission, or one between two neighbours
//! after a move. Used by `engine/action/order`, `storage/order` and `storage/read`; pure.

/// The distance between the places of two consecutive submits.
const GAP: u64 = 1 << 20;

/// The place of a task that was never moved: tasks are ordered by submission.
pub(crate) fn place_of_submission(seq: u64) -> u64 {
    seq.saturating_mul(GAP)
}

/// A place between two others; `None` if no place is free. The place 0 stays free, so that there is always one before the first.
pub(crate) fn between(before: Option<u64>, after: u64) -> Option<u64> {
    let before = before.unwrap_or(0);
    let middle = before + after.checked_sub(before)? / 2;
    (middle > before && middle < after).then_some(middle)
}

/// A range of places in which there is room for one more task, after its tasks are distributed evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub first: u64,
    pub last: u64,
}

impl Window {
    /// The smallest aligned range around a place, of a size that is a power of two, whose number of tasks is below the limit for
    /// its size. The limit for 2^n places is (5/3)^n tasks: smaller windows fill more densely, so that a move rewrites few tasks
    /// on average (M. Bender et al., "Two simplified algorithms for maintaining order in a list", 2002).
    pub(crate) fn around<E>(place: u64, mut count: impl FnMut(Self) -> Result<usize, E>) -> Result<Self, E> {
        let mut limit = 1.0_f64;
        for bits in 1..u64::BITS {
            limit *= 5.0 / 3.0;
            let mask = (1_u64 << bits) - 1;
            let window = Self { first: place & !mask, last: place | mask };
            // One task comes in, and every task needs a free place on both sides of it.
            let tasks = u32::try_from(count(window)?.saturating_add(1)).unwrap_or(u32::MAX);
            if f64::from(tasks) <= limit && u64::from(tasks) <= mask / 4 {
                return Ok(window);
            }
        }
        Ok(Self { first: 0, last: u64::MAX })
    }

    /// `number` places in ascending order, evenly distributed, none of which is 0.
    pub(crate) fn spread(self, number: u64) -> impl Iterator<Item = u64> {
        let step = (self.last - self.first) / number.saturating_add(1);
        (1..=number).map(move |nth| self.first + step * nth)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Tasks of one due time in their order, each by its number and place, as the file has them.
    struct Tasks {
        places: Vec<(u64, u64)>,
        rewritten: usize,
    }

    impl Tasks {
        fn submitted(number: u64) -> Self {
            let places = (1..=number).map(|seq| (seq, place_of_submission(seq))).collect();
            Self { places, rewritten: 0 }
        }

        fn at(&self, position: usize) -> Option<u64> {
            self.places.get(position).map(|(_, place)| *place)
        }

        /// Moves the task at one position before the one at another.
        fn move_before(&mut self, from: usize, to: usize) {
            let moved = self.places.remove(from);
            let to = if from < to { to - 1 } else { to };
            let before = to.checked_sub(1).and_then(|previous| self.at(previous));
            let next = self.at(to).unwrap();
            if let Some(place) = between(before, next) {
                self.places.insert(to, (moved.0, place));
                return;
            }
            let inside = |window: Window, place: u64| (window.first..=window.last).contains(&place);
            let count = |window| self.places.iter().filter(|(_, place)| inside(window, *place)).count();
            let window = Window::around(next, |window| Ok::<_, Infallible>(count(window))).unwrap();
            self.places.insert(to, (moved.0, next));
            let tasks = self.places.iter_mut().filter(|(_, place)| inside(window, *place));
            let tasks: Vec<_> = tasks.collect();
            self.rewritten += tasks.len();
            for (place, (_, old)) in window.spread(tasks.len() as u64).zip(tasks) {
                *old = place;
            }
        }

        fn assert_ordered(&self) {
            let places: Vec<_> = self.places.iter().map(|(_, place)| *place).collect();
            assert!(places.is_sorted_by(|one, other| one < other), "{places:?}");
            assert!(!places.contains(&0));
        }
    }

    #[test]
    fn ten_thousand_moves_between_two_neighbours_rewrite_few_tasks() {
        for into_front in [true, false] {
            let mut tasks = Tasks::submitted(10_002);
            for moved in 0..10_000 {
                // Each next one goes before the one that was moved last, or after it.
                let to = if into_front { 1 } else { moved + 1 };
                tasks.move_before(10_001, to);
            }
            tasks.assert_ordered();
            let order: Vec<_> = tasks.places.iter().map(|(seq, _)| *seq).collect();
            let expected: Vec<_> = if into_front {
                std::iter::once(1).chain(3..=10_002).chain([2]).collect()
            } else {
                std::iter::once(1).chain((3..=10_002).rev()).chain([2]).collect()
            };
            assert_eq!(order, expected);
            assert!(tasks.rewritten < 100 * 10_000, "{} tasks were rewritten", tasks.rewritten);
        }
    }

    proptest! {
        #[test]
        fn moves_give_the_order_of_a_list(number in 2_u64..40, moves in prop::collection::vec((any::<u16>(), any::<u16>()), 0..400)) {
            let mut tasks = Tasks::submitted(number);
            let mut list: Vec<_> = (1..=number).collect();
            for (from, to) in moves {
                // Most moves go between the same two neighbours.
                let from = usize::from(from) % list.len();
                let to = if to % 4 == 0 { usize::from(to) % list.len() } else { list.len() / 2 };
                if from == to {
                    continue;
                }
                tasks.move_before(from, to);
                let moved = list.remove(from);
                list.insert(if from < to { to - 1 } else { to }, moved);
            }
            tasks.assert_ordered();
            prop_assert_eq!(tasks.places.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), list);
        }
    }

    #[test]
    fn place_between_neighbours_is_strictly_between() {
        assert_eq!(between(None, 2), Some(1));
        assert_eq!(between(None, 1), None);
        assert_eq!(between(Some(4), 5), None);
        assert_eq!(between(Some(4), 6), Some(5));
        assert_eq!(between(Some(7), 7), None);
        assert_eq!(between(Some(0), u64::MAX), Some(u64::MAX / 2));
    }

    #[test]
    fn places_of_submissions_ascend_up_to_the_largest_number() {
        assert!([0, 1, 2, 1 << 43, (1 << 44) - 1].map(place_of_submission).is_sorted_by(|one, other| one < other));
        assert_eq!(place_of_submission(u64::MAX), u64::MAX);
    }
}
