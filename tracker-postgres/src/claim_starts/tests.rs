//! Tests of `ClaimStarts` with units at chosen times.

use super::*;

/// First key, and first key behind.
type KeyRange = (Vec<u8>, Vec<u8>);

const KIND: u32 = 7;
const WAITING: i32 = 0;
const RUNNING: i32 = 1;
const SECOND: i64 = 1_000_000;
/// The time of the first unit.
const NOW: i64 = 100 * SECOND;

fn key(priority: u8, at: i64) -> Vec<u8> {
    ClaimPosition::first_key(KIND, WAITING, priority, at)
}

/// The range of all waiting tasks.
fn waiting() -> KeyRange {
    let mut to = ClaimPosition::first_key(KIND, WAITING, 0, i64::MAX);
    to.push(0);
    (key(255, i64::MIN), to)
}

/// The range of the leases that have expired.
fn expired(now: i64) -> KeyRange {
    let at = |at| ClaimPosition::first_key(KIND, RUNNING, 255, at);
    (at(i64::MIN), at(now))
}

struct Test {
    starts: ClaimStarts,
    began: Instant,
}

impl Test {
    fn new() -> Self {
        Self { starts: ClaimStarts::default(), began: Instant::now() }
    }

    fn unit(&self, rewinds: u64, seconds: i64) -> UnitTime {
        self.unit_after_millis(rewinds, seconds * 1_000)
    }

    fn unit_after_millis(&self, rewinds: u64, millis: i64) -> UnitTime {
        let began = self.began + Duration::from_millis(millis.unsigned_abs());
        UnitTime { rewinds, now: NOW + millis * 1_000, began }
    }

    /// A unit reads the waiting tasks, and finds as many as it wants, from `first` to `last`. Returns what it has read, and whether it has to read the whole range.
    fn claim(&mut self, unit: UnitTime, first: &[u8], last: &[u8]) -> (Vec<KeyRange>, bool) {
        self.read(unit, &waiting(), &RangeAnswer { first: Some(first), last: Some(last), is_complete: false })
    }

    fn read(&mut self, unit: UnitTime, (from, to): &KeyRange, answer: &RangeAnswer<'_>) -> (Vec<KeyRange>, bool) {
        let parts = self.starts.parts(from, to, unit.began);
        let needs_whole = parts.need_whole(answer, unit);
        let read = if needs_whole { Parts::whole(from, to) } else { parts.clone() };
        self.starts.learn(&read, answer, unit);
        (parts.keys, needs_whole)
    }
}

#[test]
fn next_claim_begins_at_the_first_task_of_the_last_one() {
    let mut test = Test::new();
    let (from, to) = waiting();
    let (first, second, third) = (key(100, 3), key(100, 5), key(100, 8));
    assert_eq!(test.claim(test.unit(0, 0), &first, &second), (vec![(from.clone(), to.clone())], false));
    let read = test.claim(test.unit(0, 1), &second, &third);
    assert_eq!(read, (vec![(from.clone(), key(100, i64::MIN)), (first, to.clone())], false));
    let read = test.claim(test.unit(0, 2), &third, &third);
    assert_eq!(read, (vec![(from, key(100, i64::MIN)), (second, to)], false));
}

#[test]
fn start_is_learned_at_most_ten_times_per_second() {
    let mut test = Test::new();
    let (from, to) = waiting();
    let keys = [3, 5, 8, 9].map(|at| key(100, at));
    test.claim(test.unit(0, 0), &keys[0], &keys[3]);
    for (millis, start, learns) in [(99, 0, false), (100, 0, true), (199, 2, false), (200, 2, true)] {
        let unit = test.unit_after_millis(0, millis);
        assert_eq!(test.starts.parts(&from, &to, unit.began).learns, learns, "after {millis} ms");
        let task = &keys[if learns { start + 1 } else { 3 }.max(2)];
        assert_eq!(test.claim(unit, task, &keys[3]).0[1].0, keys[start], "after {millis} ms");
    }
}

#[test]
fn claim_key_of_a_unit_under_way_is_not_skipped() {
    let mut test = Test::new();
    let (from, to) = waiting();
    let (just_now, end) = (key(100, NOW - 1), key(100, NOW - MARGIN));
    test.claim(test.unit(0, 0), &just_now, &just_now);
    let (read, _) = test.claim(test.unit(0, 1), &just_now, &just_now);
    assert_eq!(read, [(from, key(100, i64::MIN)), (end, to)]);
}

#[test]
fn each_priority_has_a_start() {
    let mut test = Test::new();
    let (from, to) = waiting();
    let (low, high) = (key(10, 50), key(200, NOW));
    test.claim(test.unit(0, 0), &low, &low);
    // Tasks of a high priority come and go.
    test.claim(test.unit(0, 1), &high, &low);
    let later = key(10, 60);
    test.claim(test.unit(0, 2), &later, &later);
    let (read, needs_whole) = test.claim(test.unit(0, 3), &later, &later);
    let in_high = (key(200, NOW + 2 * SECOND - MARGIN), key(10, i64::MIN));
    assert_eq!((read, needs_whole), (vec![(from, key(200, i64::MIN)), in_high, (later, to)], false));
}

#[test]
fn rewind_makes_claims_read_the_whole_range() {
    let mut test = Test::new();
    let task = key(100, 5);
    test.claim(test.unit(3, 0), &task, &task);
    assert!(!test.claim(test.unit(3, 1), &task, &task).1);
    let moved = key(100, 1);
    assert!(test.claim(test.unit(4, 2), &moved, &task).1);
    let (read, needs_whole) = test.claim(test.unit(4, 3), &moved, &task);
    assert_eq!((read[1].0.clone(), needs_whole), (moved, false), "the new start is the claim key of the moved task");
}

#[test]
fn unit_from_before_a_rewind_teaches_nothing() {
    let mut test = Test::new();
    let (task, moved) = (key(100, 5), key(100, 1));
    let (from, to) = waiting();
    test.claim(test.unit(3, 0), &task, &task);
    let old = (test.starts.parts(&from, &to, test.began), test.unit(3, 0));
    test.claim(test.unit(4, 1), &moved, &task);
    let answer = RangeAnswer { first: Some(&task), last: Some(&task), is_complete: false };
    test.starts.learn(&old.0, &answer, old.1);
    test.starts.learn(&Parts::whole(&from, &to), &answer, old.1);
    assert_eq!(test.claim(test.unit(4, 2), &moved, &task).0[1].0, moved);
}

#[test]
fn unit_from_before_a_whole_read_teaches_nothing() {
    let mut test = Test::new();
    let (task, later, late) = (key(100, 5), key(100, 8), key(100, 2));
    let (from, to) = waiting();
    test.claim(test.unit(0, 0), &task, &task);
    let old = (test.starts.parts(&from, &to, test.unit(0, 4).began), test.unit(0, 4));
    // It finds a task that a commit has entered late.
    test.claim(test.unit(0, 5), &late, &task);
    test.starts.learn(&old.0, &RangeAnswer { first: Some(&later), last: Some(&later), is_complete: false }, old.1);
    assert_eq!(test.claim(test.unit(0, 6), &late, &task).0[1].0, late);
}

#[test]
fn earlier_answer_of_a_unit_at_the_same_time_changes_nothing() {
    let mut test = Test::new();
    let (first, second, third) = (key(100, 3), key(100, 5), key(100, 8));
    let (from, to) = waiting();
    test.claim(test.unit(0, 0), &first, &third);
    let old = (test.starts.parts(&from, &to, test.unit(0, 1).began), test.unit(0, 1));
    test.claim(test.unit(0, 1), &third, &third);
    test.starts.learn(&old.0, &RangeAnswer { first: Some(&second), last: Some(&third), is_complete: false }, old.1);
    assert_eq!(test.claim(test.unit(0, 2), &third, &third).0[1].0, third);
}

#[test]
fn whole_range_is_read_when_due_tasks_run_out() {
    let mut test = Test::new();
    let (task, future) = (key(100, 5), key(100, NOW + 60 * SECOND));
    test.claim(test.unit(0, 0), &task, &task);
    assert!(test.claim(test.unit(0, 1), &task, &future).1, "the last one is not due");
    assert!(!test.claim(test.unit(0, 2), &task, &task).1);
    let one = RangeAnswer { first: Some(&task), last: Some(&task), is_complete: true };
    assert!(test.read(test.unit(0, 3), &waiting(), &one).1, "there is no further task");
    assert!(test.read(test.unit(0, 4), &waiting(), &RangeAnswer { is_complete: true, ..Default::default() }).1);
    assert_eq!(test.claim(test.unit(0, 4), &task, &task).0.len(), 1, "an empty range is read whole");
}

/// Otherwise each claim would need two round trips where tasks trickle in, or where each commit is a rewind.
#[test]
fn claims_skip_nothing_for_a_second_after_they_read_twice() {
    let mut test = Test::new();
    let (task, range) = (key(100, 5), waiting());
    let one = RangeAnswer { first: Some(&task), last: Some(&task), is_complete: true };
    assert!(!test.read(test.unit(0, 0), &range, &one).1);
    assert_eq!(test.read(test.unit(0, 0), &range, &one), (vec![range.clone()], false), "few tasks from the start");
    test.claim(test.unit(0, 1), &task, &task);
    assert!(test.read(test.unit(0, 2), &range, &one).1);
    assert_eq!(test.read(test.unit(0, 2), &range, &one), (vec![range.clone()], false));
    test.claim(test.unit(0, 3), &task, &task);
    assert!(test.claim(test.unit(1, 4), &task, &task).1, "a rewind");
    assert_eq!(test.claim(test.unit(1, 4), &task, &task), (vec![range.clone()], false));
    assert_eq!(test.claim(test.unit(1, 5), &task, &task).0.len(), 2);
}

#[test]
fn whole_range_is_read_every_few_seconds() {
    let mut test = Test::new();
    let task = key(100, 5);
    for seconds in 0..5 {
        assert_eq!(test.claim(test.unit(0, seconds), &task, &task).0.len(), if seconds == 0 { 1 } else { 2 });
    }
    let late = key(100, 2);
    assert_eq!(test.claim(test.unit(0, 5), &late, &task).0.len(), 1);
    assert_eq!(test.claim(test.unit(0, 6), &late, &task).0[1].0, late);
}

#[test]
fn expired_leases_are_read_from_the_time_that_was_empty() {
    let mut test = Test::new();
    let none = RangeAnswer { is_complete: true, ..Default::default() };
    let at = |at| ClaimPosition::first_key(KIND, RUNNING, 255, at);
    assert_eq!(test.read(test.unit(0, 0), &expired(NOW), &none), (vec![expired(NOW)], false));
    let (_, to) = expired(NOW + SECOND);
    assert_eq!(test.read(test.unit(0, 1), &expired(NOW + SECOND), &none), (vec![(at(NOW - MARGIN), to)], false));
    // The first lease that has expired stays in the parts.
    let lease = at(NOW + SECOND * 3 / 4);
    let found = RangeAnswer { first: Some(&lease), last: Some(&lease), is_complete: true };
    test.read(test.unit(0, 2), &expired(NOW + 2 * SECOND), &found);
    assert_eq!(test.read(test.unit(0, 3), &expired(NOW + 3 * SECOND), &none).0[0].0, lease);
    assert!(test.read(test.unit(1, 4), &expired(NOW + 4 * SECOND), &none).1, "after a rewind");
}

#[test]
fn range_without_one_kind_and_status_is_read_whole() {
    let starts = ClaimStarts::default();
    let ((from, to), now) = (waiting(), Instant::now());
    let inside = key(100, 5);
    let other = ClaimPosition::first_key(KIND, RUNNING, 0, 0);
    for (from, to) in [(&inside, &to), (&from, &other), (&vec![0, 0], &to), (&from, &vec![1])] {
        let parts = starts.parts(from, to, now);
        assert_eq!((parts.keys, parts.range, parts.skips), (vec![(from.clone(), to.clone())], None, None));
    }
}

#[test]
fn many_priorities_keep_a_bounded_number_of_starts() {
    let mut test = Test::new();
    for priority in 0..100 {
        let task = key(priority, 5);
        test.claim(test.unit(0, 0), &task, &task);
    }
    let (from, to) = waiting();
    assert!(test.starts.parts(&from, &to, test.began).keys.len() <= PRIORITIES_MAX + 1);
}
