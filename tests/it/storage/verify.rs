//! Tests that `verify` finds every row that does not follow from the tasks.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use tracker_core::{
    TrackedTask, Tracker,
    batch::BatchOptions,
    dependency::OnDependencyFailure,
    file::Sharing,
    maintenance::Inconsistency,
    redb_store::redb::{Database, ReadableTable, TableDefinition, WriteTransaction},
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::kinds::{Mail, Page, Status, fine, job, mail, one_of_each, page, sound};

/// At most two of a host at a time.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "fetch", status = Status)]
struct Fetch {
    #[task(id)]
    number: u32,
    #[task(index, limit = 2)]
    host: String,
}

/// Two limits.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "crawl", status = Status)]
struct Crawl {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: String,
    #[task(index, limit = 1)]
    customer: String,
}

fn options() -> tracker_core::Options {
    Tracker::options().sharing(Sharing::Exclusive).clock(ManualClock::new())
}

/// Writes a file in which every table has rows; gives the numbers of its batches: one is open, the other is over.
fn file(path: &Path) -> [u64; 2] {
    let tracker = options().open(path).unwrap();
    let jobs = one_of_each(&tracker);
    let after = SubmitOptions::new().after(&jobs, "pending", OnDependencyFailure::Wait).after(
        &jobs,
        "leased",
        OnDependencyFailure::Skip,
    );
    jobs.submit_with(&job("waits"), &after).unwrap();
    jobs.submit(&job("target")).unwrap();
    jobs.submit_with(&job("waited"), &SubmitOptions::new().after(&jobs, "target", OnDependencyFailure::Wait)).unwrap();
    jobs.run("target", |_| fine()).unwrap();
    jobs.submit(&job("free")).unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..3).map(mail)).unwrap();
    mails.start(1_u64).unwrap().succeed().unwrap();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("a", 1)).unwrap();
    let mut running = pages.claim().unwrap().unwrap();
    running.progress(1, Some(2), "half");
    pages.submit(&page("a", 2)).unwrap();
    tracker.flush().unwrap();
    running.detach().unwrap();
    let fetches = tracker.tasks::<Fetch>().unwrap();
    let hosts = ["a", "a", "a", "b", "b", "c"];
    fetches.submit_all((0..).zip(hosts).map(|(number, host)| Fetch { number, host: host.to_owned() })).unwrap();
    for _ in 0..3 {
        fetches.claim().unwrap().unwrap().detach().unwrap();
    }
    let crawls = tracker.tasks::<Crawl>().unwrap();
    let all = [("a", "x"), ("a", "y"), ("b", "x"), ("c", "z"), ("d", "z")];
    let crawl = |(number, (host, customer)): (u32, (&str, &str))| Crawl {
        number,
        host: host.into(),
        customer: customer.into(),
    };
    crawls.submit_all((0..).zip(all).map(crawl)).unwrap();
    for _ in 0..2 {
        crawls.claim().unwrap().unwrap().detach().unwrap();
    }
    assert!(crawls.claim().unwrap().is_none());
    let night = tracker.open_batch("night", &BatchOptions::new().then(&jobs, &job("report")).unwrap()).unwrap();
    jobs.submit_all_with(["one", "two"].map(job), &SubmitOptions::new().batch(&night)).unwrap();
    jobs.submit_with(&job("after all"), &SubmitOptions::new().after_batch(&night, OnDependencyFailure::Run)).unwrap();
    let day = tracker.open_batch("day", &BatchOptions::new()).unwrap();
    jobs.submit_with(&job("only"), &SubmitOptions::new().batch(&day)).unwrap();
    day.seal().unwrap();
    jobs.run("only", |_| fine()).unwrap();
    sound(&tracker);
    let batches = [night.number(), day.number()];
    drop((jobs, mails, pages, fetches, crawls, night, day));
    tracker.close().unwrap();
    batches
}

/// Changes the file behind the tracker's back.
fn change<R>(path: &Path, work: impl FnOnce(&WriteTransaction) -> R) -> R {
    let file = Database::open(path).unwrap();
    let txn = file.begin_write().unwrap();
    let result = work(&txn);
    txn.commit().unwrap();
    result
}

fn look(path: &Path) -> Vec<Inconsistency> {
    options().inspect(path).unwrap().verify().unwrap()
}

#[track_caller]
fn told(path: &Path, table: &str, what: &str) {
    let found = look(path);
    assert!(found.iter().any(|difference| difference.table == table), "{table}, {what}: {found:?}");
    assert!(found.iter().all(|difference| difference.to_string().starts_with(&format!("{}: ", difference.table))));
}

#[test]
fn verify_names_the_table_of_each_wrong_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    file(&path);
    assert_eq!(look(&path), []);
    let whole = fs::read(&path).unwrap();
    let fresh = || fs::write(&path, &whole).unwrap();
    // The first row, one in the middle and the last one: without it, with another value, and a second one like it whose
    // key differs in the byte that is named, counted from its end.
    macro_rules! table {
        ($name:literal, $key:ty, $value:ty, $lend:ident, byte $at:literal $(, missing $missing:literal)? $(, wrong $wrong:expr)?) => {
            let definition = TableDefinition::<$key, $value>::new($name);
            fresh();
            let rows: Vec<_> = change(&path, |txn| {
                let rows = txn.open_table(definition).unwrap();
                let rows = rows.iter().unwrap().map(|row| row.unwrap());
                rows.map(|(key, value)| (key.value().to_vec(), value.value().to_owned())).collect()
            });
            assert!(!rows.is_empty(), "{}", $name);
            for (key, value) in [&rows[0], &rows[rows.len() / 2], &rows[rows.len() - 1]] {
                $(
                    fresh();
                    change(&path, |txn| {
                        let key: $key = key.as_slice().try_into().unwrap();
                        txn.open_table(definition).unwrap().remove(key).unwrap().map(drop).unwrap();
                    });
                    told(&path, $name, $missing);
                )?
                $(
                    fresh();
                    change(&path, |txn| {
                        let key: $key = key.as_slice().try_into().unwrap();
                        txn.open_table(definition).unwrap().insert(key, $wrong(value).$lend()).unwrap();
                    });
                    told(&path, $name, "another value");
                )?
                fresh();
                change(&path, |txn| {
                    let mut other = key.clone();
                    let at = other.len() - $at;
                    other[at] ^= 0x55;
                    let key: $key = other.as_slice().try_into().unwrap();
                    txn.open_table(definition).unwrap().insert(key, value.$lend()).unwrap();
                });
                // An extra payload is a missing header.
                let table = if $name == "tracker.payloads" { "tracker.headers" } else { $name };
                told(&path, table, "one too many");
            }
        };
    }
    let number = |value: &u64| value + 1;
    let bytes = |value: &Vec<u8>| [value, &b"x"[..]].concat();
    table!("tracker.claim_order", &[u8; 33], (), clone, byte 1, missing "a place");
    table!("tracker.updated", &[u8; 24], (), clone, byte 1, missing "a change");
    table!("tracker.indexes", &[u8], (), clone, byte 1, missing "a value");
    table!("tracker.ids", &[u8], u64, clone, byte 1, missing "an id", wrong number);
    table!("tracker.unique_keys", &[u8], u64, clone, byte 1, missing "a key", wrong number);
    table!("tracker.counts", &[u8; 8], u64, clone, byte 1, missing "a counter", wrong number);
    table!("tracker.limit_queues", &[u8], (), clone, byte 1, missing "a place");
    table!("tracker.limit_in_use", &[u8], u64, clone, byte 1, missing "a slot", wrong number);
    table!("tracker.limit_heads", &[u8; 33], &[u8], as_slice, byte 1, missing "a front", wrong bytes);
    table!("tracker.head_lists", &[u8], u32, clone, byte 1, missing "a head");
    table!("tracker.headers", &[u8; 12], &[u8], as_slice, byte 1, missing "a header", wrong bytes);
    table!("tracker.payloads", &[u8; 12], &[u8], as_slice, byte 1, missing "a body", wrong bytes);
    table!("tracker.successors", &[u8; 12], &[u8], as_slice, byte 1, missing "a body that waits", wrong bytes);
    table!("tracker.batch_members", &[u8; 20], (), clone, byte 1, missing "a member");
    let otherwise = |value: &u8| if *value == 1 { 2 } else { 1 };
    table!("tracker.dependencies", &[u8; 24], u8, clone, byte 1);
    table!("tracker.dependents", &[u8; 24], u8, clone, byte 1, missing "one who waits", wrong otherwise);
    // No other row implies these rows, so a missing one is not found.
    table!("tracker.progress", &[u8; 12], &[u8], as_slice, byte 1, wrong bytes);
    table!("tracker.history", &[u8; 20], &[u8], as_slice, byte 9, wrong bytes);
}

#[test]
fn verify_checks_batches_and_dependencies() {
    const BATCHES: TableDefinition<u64, &[u8]> = TableDefinition::new("tracker.batches");
    const LABELS: TableDefinition<&str, u64> = TableDefinition::new("tracker.batch_labels");
    const FOLLOW_UPS: TableDefinition<u64, &[u8]> = TableDefinition::new("tracker.follow_ups");
    const NEEDS: TableDefinition<&[u8; 24], u8> = TableDefinition::new("tracker.dependencies");
    const DEPENDENTS: TableDefinition<&[u8; 24], u8> = TableDefinition::new("tracker.dependents");
    const IDS: TableDefinition<&[u8], u64> = TableDefinition::new("tracker.ids");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let [night, day] = file(&path);
    let whole = fs::read(&path).unwrap();
    let found = |work: &dyn Fn(&WriteTransaction), expected: &str| {
        fs::write(&path, &whole).unwrap();
        change(&path, work);
        let found: Vec<_> = look(&path).iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|difference| difference.contains(expected)), "{expected}: {found:?}");
        found.len()
    };
    for batch in [night, day] {
        let gone = |txn: &WriteTransaction| drop(txn.open_table(BATCHES).unwrap().remove(batch).unwrap().unwrap());
        found(&gone, &format!("tracker.batches: batch {batch} is missing, and has tasks"));
    }
    let junk = |txn: &WriteTransaction| drop(txn.open_table(BATCHES).unwrap().insert(day, &b"junk"[..]).unwrap());
    found(&junk, "tracker.batches");
    let unlabelled = |txn: &WriteTransaction| drop(txn.open_table(LABELS).unwrap().remove("night").unwrap().unwrap());
    assert_eq!(found(&unlabelled, &format!("tracker.batch_labels: \"night\" is None and should be {night}")), 1);
    let relabelled = |txn: &WriteTransaction| drop(txn.open_table(LABELS).unwrap().insert("night", day).unwrap());
    assert_eq!(found(&relabelled, &format!("tracker.batch_labels: \"night\" is Some({day}) and should be {night}")), 1);
    let labelled = |txn: &WriteTransaction| drop(txn.open_table(LABELS).unwrap().insert("noon", 7).unwrap());
    assert_eq!(found(&labelled, "tracker.batch_labels: \"noon\" is 7 and should not be"), 1);
    for batch in [day, 99] {
        let followed = |txn: &WriteTransaction| {
            let mut rows = txn.open_table(FOLLOW_UPS).unwrap();
            let row = rows.get(night).unwrap().unwrap().value().to_vec();
            rows.insert(batch, row.as_slice()).unwrap();
        };
        let expected = format!("tracker.follow_ups: batch {batch} is over or gone, and has one");
        assert_eq!(found(&followed, &expected), 1);
    }
    // One more that "waits" waits for, in both directions; its header knows of two.
    for (to, expected) in [("free", "not marked as having dependents"), ("target", "the dependency has succeeded")] {
        let waits = |txn: &WriteTransaction| {
            let of = |id: &str| {
                let ids = txn.open_table(IDS).unwrap();
                let mut rows = ids.iter().unwrap().map(|row| row.unwrap());
                let (_, seq) = rows.find(|(key, _)| key.value().ends_with(id.as_bytes())).unwrap();
                [&[0, 0, 0, 1][..], &seq.value().to_be_bytes()].concat()
            };
            let (from, to) = (of("waits"), of(to));
            let key = |parts: [&[u8]; 2]| <[u8; 24]>::try_from(parts.concat()).unwrap();
            txn.open_table(NEEDS).unwrap().insert(&key([&from, &to]), 1).unwrap();
            txn.open_table(DEPENDENTS).unwrap().insert(&key([&to, &from]), 1).unwrap();
        };
        assert_eq!(found(&waits, expected), 2, "and that its header knows of two");
    }
}
