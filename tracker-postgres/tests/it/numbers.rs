//! Numbers that units assign.

use std::{collections::BTreeSet, thread};

use tracker_core::store::{Access, NumberSeries, Store, StoreTable};

use crate::support::{connect, first_rows, server_or_skip};

#[test]
fn numbers_follow_each_other_and_are_assigned_once() {
    let server = server_or_skip!();
    let options = server.options();
    let (one, two) = (connect(&options), connect(&options));
    let taken: Vec<(u64, u64)> = thread::scope(|scope| {
        let threads: Vec<_> = [&one, &two, &one, &two]
            .map(|store| {
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    for count in [1, 5, 100, 1, 1000, 2] {
                        let mut unit = store.begin(Access::Write).unwrap();
                        for load in [false, true, false] {
                            if load {
                                unit.load(&[first_rows(StoreTable::ClaimOrder, &[], None, 1)]).unwrap();
                            }
                            taken.push((unit.take_numbers(NumberSeries::Sequence, count).unwrap(), count));
                        }
                    }
                    assert!(taken.is_sorted(), "{taken:?}");
                    taken
                })
            })
            .into();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let numbers: Vec<u64> = taken.iter().flat_map(|(first, count)| *first..first + count).collect();
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
    assert!(numbers.iter().all(|number| *number > 0));
}

#[test]
fn number_after_a_load_exceeds_all_before_it() {
    let server = server_or_skip!();
    let options = server.options();
    let (one, two) = (connect(&options), connect(&options));
    let claims = || first_rows(StoreTable::ClaimOrder, &[], None, 1);
    // Each store has learned to take a fence along with such a load.
    for store in [&one, &two] {
        for _ in 0..2 {
            let mut unit = store.begin(Access::Write).unwrap();
            unit.load(&[claims()]).unwrap();
            unit.take_numbers(NumberSeries::Fence, 3).unwrap();
        }
    }
    let mut unit = one.begin(Access::Write).unwrap();
    unit.load(&[claims()]).unwrap();
    let mut rival = two.begin(Access::Write).unwrap();
    rival.load(&[claims()]).unwrap();
    let fence = rival.take_numbers(NumberSeries::Fence, 1).unwrap();
    unit.load(&[claims()]).unwrap();
    assert!(unit.take_numbers(NumberSeries::Fence, 1).unwrap() > fence);
}

#[test]
fn raised_numbers_begin_behind_the_bound() {
    let server = server_or_skip!();
    let store = connect(&server.options());
    let mut unit = store.begin(Access::Write).unwrap();
    assert_eq!(unit.next_number(NumberSeries::Sequence).unwrap(), 1);
    assert_eq!(unit.next_number(NumberSeries::Sequence).unwrap(), 1);
    assert_eq!(unit.take_numbers(NumberSeries::Sequence, 1).unwrap(), 1);
    unit.raise_numbers(NumberSeries::Sequence, 1000).unwrap();
    assert_eq!(unit.next_number(NumberSeries::Sequence).unwrap(), 1000);
    unit.raise_numbers(NumberSeries::Sequence, 5).unwrap();
    let next = unit.next_number(NumberSeries::Sequence).unwrap();
    assert!(next >= 1000);
    assert_eq!(unit.take_numbers(NumberSeries::Sequence, 3).unwrap(), next);
    assert_eq!(unit.next_number(NumberSeries::Sequence).unwrap(), next + 3);
    assert_eq!(unit.next_number(NumberSeries::Fence).unwrap(), 1);
    drop(unit);
    let mut unit = store.begin(Access::Read).unwrap();
    assert!(unit.next_number(NumberSeries::Sequence).unwrap() >= next + 3, "some may have been taken along");
}
