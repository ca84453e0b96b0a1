//! How many other stores have a schema open, which a move of tasks asks.

use std::time::{Duration, Instant};

use tracker_core::store::Store;

use crate::support::{connect, server_or_skip};

/// The server notices a moment later that a connection has ended.
fn becomes(store: &dyn Store, expected: u64) {
    let until = Instant::now() + Duration::from_secs(10);
    while store.other_trackers().unwrap() != expected {
        assert!(Instant::now() < until, "{} others", store.other_trackers().unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn open_stores_of_the_same_schema_are_counted() {
    let server = server_or_skip!();
    let options = server.options();
    let first = connect(&options);
    assert_eq!(first.other_trackers().unwrap(), 0);
    let second = connect(&options);
    // Several connections of one store count once.
    let units: Vec<_> = (0..3).map(|_| second.begin(tracker_core::store::Access::Read).unwrap()).collect();
    let elsewhere = connect(&server.options());
    let third = connect(&options.clone().prepared_statements(false));
    assert_eq!(
        (first.other_trackers().unwrap(), second.other_trackers().unwrap(), elsewhere.other_trackers().unwrap()),
        (1, 1, 0)
    );
    assert_eq!(third.other_trackers().unwrap(), 2, "it sees the others, which do not see it");
    drop(units);
    second.close().unwrap();
    becomes(&first, 0);
    drop(first);
    becomes(&third, 0);
}
