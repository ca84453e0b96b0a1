//! Tests damaged rows: each is reported, readable tasks are read, and other work continues.

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, TaskStatus, TrackedTask, Tracker, batch::BatchOptions, dependency::OnDependencyFailure,
    file::Durability, inspect::Explanation, submit::SubmitOptions, time::ManualClock,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
    #[task(unique)]
    key: u32,
    text: String,
}

fn job(number: u32) -> Job {
    Job { name: format!("job {number}"), key: number, text: format!("<the text of number {number:06}>") }
}

/// Changes every occurrence of `text` in the file by one bit.
pub fn damage(path: &std::path::Path, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_payload_is_named_and_others_are_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let (path, saved) = (folder.path().join("jobs.redb"), folder.path().join("saved.redb"));
    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..300).map(job)).unwrap();
    jobs.run("job 7", |_| Err::<(), _>("no luck")).unwrap_err();
    assert_eq!(jobs.get_by_key("key", &[&9_u32]).unwrap().unwrap().task.name, "job 9");
    drop(jobs);
    tracker.close().unwrap();
    damage(&path, &job(123).text);

    let checked = Tracker::options().check_on_open(true).open(&path).unwrap_err();
    assert_eq!(checked.kind(), ErrorKind::Corrupted);

    let copy = folder.path().join("copy.redb");
    std::fs::copy(&path, &copy).unwrap();
    let recovered = Tracker::recover(&copy, &saved).unwrap();
    assert_eq!((recovered.tasks, recovered.lost.len()), (299, 1));
    assert!(recovered.lost[0].what.contains("checksum"), "{:?}", recovered.lost);
    let rescued = Tracker::open(&saved).unwrap();
    assert_eq!(rescued.verify().unwrap(), []);
    let jobs = rescued.tasks::<Job>().unwrap();
    assert_eq!(jobs.get("job 7").unwrap().unwrap().history.len(), 1);
    assert_eq!(jobs.worker().run(|_| Ok::<_, std::io::Error>(())).unwrap().succeeded, 299);

    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(jobs.get("job 123").unwrap_err().kind(), ErrorKind::Corrupted);
    assert_eq!(
        tracker.verify().unwrap().len(),
        3,
        "its body, and that its id and its key belong to no task that can be read"
    );
    let summary = jobs.worker().run(|_| Ok::<_, std::io::Error>(())).unwrap();
    assert_eq!(summary.succeeded, 299, "the damaged one is out of the line");
    let counts = jobs.counts().unwrap();
    assert_eq!((counts.total(), counts.get(Status::Pending)), (300, 1), "it is still there");
    assert_eq!(jobs.explain("job 123").unwrap(), Explanation::Unreadable);
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "fetch", status = Status)]
struct Fetch {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: String,
    text: String,
}

/// A file with three tasks of each of two hosts; the payload of the first one is damaged.
fn fetches(path: &std::path::Path) {
    let tracker = Tracker::open(path).unwrap();
    let fetches = tracker.tasks::<Fetch>().unwrap();
    let fetch =
        |number: u32| Fetch { number, host: ["a", "b"][number as usize / 3].to_owned(), text: job(number).text };
    fetches.submit_all((0..6).map(fetch)).unwrap();
    drop(fetches);
    tracker.close().unwrap();
    damage(path, &job(0).text);
}

/// Its host is known from its place at the front, where claims look first.
#[test]
fn damaged_task_under_a_limit_blocks_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fetches.redb");
    fetches(&path);
    let tracker = Tracker::open(&path).unwrap();
    let fetches = tracker.tasks::<Fetch>().unwrap();
    let mut held: Vec<_> = std::iter::from_fn(|| fetches.claim().unwrap()).collect();
    assert_eq!(held.iter().map(|held| held.number).collect::<Vec<_>>(), [1, 3], "one of each host");
    for held in &mut held {
        held.succeed().unwrap();
    }
    let summary = fetches.worker().run(|_| Ok::<_, std::io::Error>(())).unwrap();
    assert_eq!(summary.succeeded, 3);
    let wrong: Vec<_> = tracker.verify().unwrap().into_iter().map(|difference| difference.table).collect();
    assert_eq!(
        wrong,
        ["payloads", "indexes", "ids"].map(|table| format!("tracker.{table}")),
        "its own, and no limit row"
    );
}

/// Its limit key cannot be read, so that it stays at the head. Claims do not return it for ever.
#[test]
fn damaged_head_of_the_claim_order_is_reported() {
    use tracker_core::redb_store::redb::{Database, ReadableTable, TableDefinition};

    const FRONTS: TableDefinition<&[u8; 33], &[u8]> = TableDefinition::new("tracker.limit_heads");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fetches.redb");
    fetches(&path);
    let file = Database::open(&path).unwrap();
    let txn = file.begin_write().unwrap();
    {
        let mut fronts = txn.open_table(FRONTS).unwrap();
        let first = *fronts.first().unwrap().unwrap().0.value();
        fronts.insert(&first, &b"elsewhere"[..]).unwrap();
    }
    txn.commit().unwrap();
    drop(file);
    let tracker = Tracker::open(&path).unwrap();
    let fetches = tracker.tasks::<Fetch>().unwrap();
    for _ in 0..2 {
        let error = fetches.claim().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    }
    fetches.start(3).unwrap().succeed().unwrap();
}

#[test]
fn damaged_id_row_never_returns_another_task() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..60).map(job)).unwrap();
    drop(jobs);
    tracker.close().unwrap();
    mislead(&path, "job 45", "job 13");

    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    for error in [
        jobs.get("job 45").unwrap_err(),
        jobs.start("job 45").unwrap_err(),
        jobs.remove("job 45").unwrap_err(),
        jobs.submit(&job(45)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Corrupted);
        assert!(error.to_string().contains("tracker.ids at job 45"), "{error}");
    }
    assert_eq!(jobs.get("job 13").unwrap().unwrap().task.name, "job 13");
    assert_eq!(jobs.counts().unwrap().total(), 60);
}

/// Under the keys of two tasks stand the records of two others: each is sound in itself, and belongs elsewhere.
#[test]
fn row_under_the_key_of_another_task_is_reported() {
    for table in ["tracker.headers", "tracker.payloads"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let tracker = Tracker::open(&path).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit_all((0..60).map(job)).unwrap();
        jobs.run("job 4", |_| Ok::<_, std::io::Error>(())).unwrap();
        drop(jobs);
        tracker.close().unwrap();
        swap(&path, table, 5, 6);

        let tracker = Tracker::open(&path).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        assert_eq!(jobs.query().fetch().unwrap_err().kind(), ErrorKind::Corrupted, "{table}");
        for name in ["job 4", "job 5"] {
            let error = jobs.get(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted, "{table}: {error}");
        }
        assert_eq!(jobs.get("job 7").unwrap().unwrap().task.name, "job 7");
        assert!(!tracker.verify().unwrap().is_empty());
    }
}

/// Exchanges the rows of two tasks in a table.
fn swap(path: &std::path::Path, table: &str, one: u64, other: u64) {
    use tracker_core::redb_store::redb::{Database, TableDefinition};

    let table = TableDefinition::<&[u8; 12], &[u8]>::new(table);
    let keys = [one, other].map(|seq| {
        let mut key = [0; 12];
        key[3] = 1;
        key[4..].copy_from_slice(&seq.to_be_bytes());
        key
    });
    let file = Database::open(path).unwrap();
    let txn = file.begin_write().unwrap();
    {
        let mut rows = txn.open_table(table).unwrap();
        let [a, b] = keys.map(|key| rows.remove(&key).unwrap().unwrap().value().to_vec());
        rows.insert(&keys[0], b.as_slice()).unwrap();
        rows.insert(&keys[1], a.as_slice()).unwrap();
    }
    txn.commit().unwrap();
}

/// Lets the row of one id name the task of another.
fn mislead(path: &std::path::Path, id: &str, other: &str) {
    use tracker_core::redb_store::redb::{Database, ReadableTable, TableDefinition};

    const IDS: TableDefinition<&[u8], u64> = TableDefinition::new("tracker.ids");
    let file = Database::open(path).unwrap();
    let txn = file.begin_write().unwrap();
    {
        let mut ids = txn.open_table(IDS).unwrap();
        let rows: Vec<(Vec<u8>, u64)> =
            ids.iter().unwrap().map(|row| row.unwrap()).map(|(key, seq)| (key.value().to_vec(), seq.value())).collect();
        let row = |id: &str| rows.iter().find(|(key, _)| key.ends_with(id.as_bytes())).unwrap();
        ids.insert(row(id).0.as_slice(), row(other).1).unwrap();
    }
    txn.commit().unwrap();
}

/// A file with a task and its dependent, whose payload is damaged, so that it cannot be updated.
fn one_waits_for_another() -> (tempfile::TempDir, Tracker) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0)).unwrap();
    jobs.submit_with(&job(1), &SubmitOptions::new().after(&jobs, "job 0", OnDependencyFailure::Wait)).unwrap();
    drop(jobs);
    tracker.close().unwrap();
    damage(&path, &job(1).text);

    (folder, Tracker::open(&path).unwrap())
}

/// Its own part is written when it comes upon the damage: all of its commit is given up, and done again for the others.
#[test]
fn damage_fails_only_its_call_of_a_commit_group() {
    let (_folder, tracker) = one_waits_for_another();
    let jobs = tracker.tasks::<Job>().unwrap();
    let mut held = jobs.start("job 0").unwrap();
    let relaxed = SubmitOptions::new().durability(Durability::Relaxed);
    for number in 2..9 {
        jobs.submit_with(&job(number), &relaxed).unwrap();
    }
    let error = held.succeed().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "the one that waits for it cannot be told");
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1 + 7);
    assert_eq!(jobs.get("job 0").unwrap().unwrap().status, Status::InProgress, "nothing of the success stands");
    let differences = tracker.verify().unwrap();
    assert_eq!(differences.len(), 3, "its body, its id and its key, as before: {differences:?}");
    let summary = jobs.worker().run(|_| Ok::<_, std::io::Error>(())).unwrap();
    assert_eq!(summary.succeeded, 7);
}

/// Rows that no longer stand where their keys say are found from one side and not from the other. Every call that goes through
/// them page by page must come to an end.
#[test]
fn listing_of_unordered_rows_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = {
        let path = folder.path().join("whole.redb");
        let tracker = Tracker::open(&path).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit_batch("all", (0..12).map(job), &BatchOptions::new()).unwrap();
        for number in 12..16 {
            let after = SubmitOptions::new().after(&jobs, format!("job {}", number % 2), OnDependencyFailure::Run);
            jobs.submit_with(&job(number), &after).unwrap();
        }
        for number in 0..3 {
            jobs.start(format!("job {number}")).unwrap().fail("no luck").unwrap();
            jobs.start(format!("job {}", 3 + number)).unwrap().detach().unwrap();
        }
        drop(jobs);
        tracker.close().unwrap();
        std::fs::read(path).unwrap()
    };
    // Wherever the number of a task stands, be it in a key.
    let mut damaged = 0;
    for number in 7_u64..=11 {
        let places: Vec<usize> =
            (7..whole.len() - 8).filter(|at| whole[*at..].starts_with(&number.to_be_bytes())).collect();
        for at in places {
            let mut bytes = whole.clone();
            bytes[at + 7] ^= 0x40;
            damaged += 1;
            let path = folder.path().join("damaged.redb");
            std::fs::write(&path, bytes).unwrap();
            go_through(&path);
        }
    }
    assert!(damaged > 20, "only {damaged} places");
}

/// Makes every kind of listing on a file and ignores the results.
fn go_through(path: &std::path::Path) {
    let saved = path.with_extension("saved");
    let _ = std::fs::remove_file(&saved);
    drop(Tracker::recover(path, &saved));
    let clock = ManualClock::new();
    let Ok(tracker) = Tracker::options().clock(clock.clone()).open(path) else { return };
    drop(tracker.verify());
    drop(tracker.export(std::io::sink()));
    let Ok(jobs) = tracker.tasks::<Job>() else { return };
    let queries = [jobs.query(), jobs.query().by_creation(), jobs.query().status(Status::Pending).newest_first()];
    for query in queries {
        let mut query = query.limit(7);
        while let Ok(page) = query.page() {
            let Some(next) = page.next else { break };
            query = query.after(next);
        }
    }
    drop((jobs.plan(9), jobs.errors(9), jobs.counts(), jobs.explain("job 13")));
    for (label, on) in [("all", "job 3"), ("all", "job 13")] {
        drop((tracker.batch(label).map(|batch| batch.map(|batch| batch.cancel())), jobs.dependents(on, 9)));
    }
    clock.advance(std::time::Duration::from_secs(3_600));
    drop((jobs.rescue(), jobs.prune()));
    while let Ok(Some(mut held)) = jobs.claim() {
        drop(held.succeed());
    }
    drop((jobs.query().requeue(), jobs.query().remove(), tracker.verify()));
}

/// A task keeps its outcome if its dependents cannot be told of the end.
#[test]
fn damage_at_an_outcome_halts_the_worker_without_failure() {
    for ahead in [0, 8] {
        let (_folder, tracker) = one_waits_for_another();
        let jobs = tracker.tasks::<Job>().unwrap();
        let error =
            jobs.worker().threads(2).prefetch(ahead).keep_running().run(|_| Ok::<_, std::io::Error>(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupted, "{ahead} ahead");
        let record = jobs.get("job 0").unwrap().unwrap();
        assert_eq!((record.status, record.failures), (Status::InProgress, 0), "{ahead} ahead");
    }
}
