//! `tracker budget`, on a closed file and beside an application.

use serde_json::json;
use tracker_core::Tracker;

use crate::Fixture;

#[test]
fn budgets_are_set_listed_and_removed() {
    let fixture = Fixture::new();
    Tracker::open(fixture.path("jobs.redb")).unwrap().close().unwrap();
    let ran = fixture.run(&["budget", "list", "jobs.redb"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "the file has no budgets\n"));
    assert_eq!(fixture.fine(&["budget", "set", "jobs.redb", "mem", "8000"])["changed"], 1);
    fixture.fine(&["budget", "set", "jobs.redb", "gpu", "2"]);
    fixture.fine(&["budget", "set", "jobs.redb", "mem", "9000"]);
    let list = fixture.fine(&["budget", "list", "jobs.redb"]);
    let gpu = json!({ "resource": "gpu", "amount": 2, "in_use": 0 });
    assert_eq!(list["budgets"], json!([gpu, { "resource": "mem", "amount": 9000, "in_use": 0 }]));
    let ran = fixture.run(&["budget", "list", "jobs.redb"]);
    assert_eq!(ran.out, "resource  budget  in use\ngpu            2       0\nmem         9000       0\n");
    assert_eq!(fixture.fine(&["budget", "remove", "jobs.redb", "mem"])["changed"], 1);
    let ran = fixture.run(&["budget", "remove", "jobs.redb", "mem"]);
    assert!(ran.code == Some(1) && ran.err.contains("there is no budget of \"mem\""), "{ran:?}");
    let ran = fixture.run(&["budget", "set", "jobs.redb", "mem", "0"]);
    assert!(ran.code == Some(2) && ran.err.contains("0 is not in 1.."), "{ran:?}");
}

#[test]
fn budget_is_set_beside_an_application() {
    let fixture = Fixture::new();
    let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
    fixture.fine(&["budget", "set", "jobs.redb", "mem", "7"]);
    assert_eq!(tracker.budgets().unwrap()[0].amount, 7);
}
