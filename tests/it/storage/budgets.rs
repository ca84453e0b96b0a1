//! Tests that budgets and needs are kept in exports, copies and repairs, and that wrong rows are reported.

use serde::{Deserialize, Serialize};
use tracker_core::{
    TrackedTask, Tracker,
    redb_store::redb::{Database, TableDefinition},
};

use crate::support::kinds::{Status, refused, sound};

const BUDGETS: TableDefinition<&str, u64> = TableDefinition::new("tracker.budgets");
const OVERTAKEN: TableDefinition<(u32, u16), (u64, u32)> = TableDefinition::new("tracker.overtaken");

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(mem = "size", gpu = 1))]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

/// A file with two budgets, a running task, one that does not fit, and one that has overtaken it.
fn write(path: &std::path::Path) -> Tracker {
    let tracker = Tracker::open(path).unwrap();
    tracker.set_budget("mem", 8).unwrap();
    tracker.set_budget("gpu", 3).unwrap();
    let renders = tracker.tasks::<Render>().unwrap();
    renders.submit_all([1, 8, 2].map(|size| Render { number: u32::try_from(size).unwrap(), size })).unwrap();
    let _running = renders.claim().unwrap().unwrap().detach().unwrap();
    assert_eq!(renders.claim().unwrap().unwrap().number, 2);
    tracker.flush().unwrap();
    tracker
}

#[test]
fn budgets_are_kept_in_exports_backups_and_recoveries() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let tracker = write(&path("file"));
    sound(&tracker);
    let written = tracker.budgets().unwrap();
    assert_eq!(written.iter().map(|budget| budget.in_use).collect::<Vec<_>>(), [1, 1]);
    tracker.backup(path("backup")).unwrap();
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    tracker.close().unwrap();
    let other = Tracker::open(path("imported")).unwrap();
    other.set_budget("gpu", 9).unwrap();
    other.import(&lines[..]).unwrap();
    assert_eq!(other.budgets().unwrap()[0].amount, 9, "the budget of the file stays");
    other.set_budget("gpu", 3).unwrap();
    other.close().unwrap();
    let recovered = Tracker::recover(path("file"), path("recovered")).unwrap();
    assert_eq!((recovered.tasks, recovered.budgets_lost), (3, None));
    for copy in ["backup", "imported", "recovered"] {
        let copied = Tracker::open(path(copy)).unwrap();
        sound(&copied);
        let amounts = copied.budgets().unwrap().into_iter().map(|budget| (budget.resource, budget.amount));
        assert!(amounts.eq(written.iter().map(|budget| (budget.resource.clone(), budget.amount))), "{copy}");
        assert!(copied.tasks::<Render>().unwrap().claim().unwrap().is_some(), "{copy}");
        sound(&copied);
    }
}

#[test]
fn line_of_a_budget_is_checked() {
    let tracker = Tracker::in_memory().unwrap();
    for (line, words) in [
        (r#"{"set_budget":"mem","amount":0}"#, "an amount is at least 1"),
        (r#"{"set_budget":"","amount":1}"#, "a name has 1 to 128 bytes"),
        (r#"{"set_budget":"mem","amount":-1}"#, "invalid value"),
        (r#"{"set_budget":"mem"}"#, "missing field `amount`"),
    ] {
        refused(tracker.import(line.as_bytes()), words);
    }
    assert_eq!(tracker.budgets().unwrap(), []);
}

#[test]
fn verify_reports_wrong_rows_of_budgets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path).close().unwrap();
    let db = Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(BUDGETS).unwrap().insert("disk", 0).unwrap();
    txn.open_table(OVERTAKEN).unwrap().insert((77, 0), (1, 2)).unwrap();
    txn.commit().unwrap();
    drop(db);
    let tracker = Tracker::inspect(&path).unwrap();
    let found: Vec<_> = tracker.verify().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["tracker.budgets: the budget of \"disk\" is 0", "tracker.overtaken: kind 77 is missing, and has a task"]
    );
}
