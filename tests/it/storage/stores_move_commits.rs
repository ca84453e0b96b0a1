//! Moves from and to a faulty store: loads that conflict, commits that fail, rows that are lost or altered, and trackers that are opened meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use chrono::TimeDelta;
use tracker_core::{
    ErrorKind, Result,
    maintenance::{MovePlace, Moved},
    store::{Changes, MemoryStore, OptionsExt as _, Store, StoreTable},
    time::ManualClock,
};

use super::{
    stores_move::{at, lines, moved, on, open_disk},
    stores_move_faults::{copy, result, source},
    stores_move_tables::filled,
};
use crate::support::{
    faulty_store::{Fate, FaultyStore},
    kinds::{Job, MINUTE, SECOND, jobs, refused, sound},
    test_disk::Disk,
};

/// A move between a store and a disk, in one of the directions.
struct Between<'d> {
    disk: &'d Disk,
    from_store: bool,
}

impl Between<'_> {
    fn attempt(&self, clock: &ManualClock, store: impl Store) -> Result<Moved> {
        let (store, disk) = (MovePlace::store(store), on(self.disk));
        let (from, to) = if self.from_store { (store, disk) } else { (disk, store) };
        at(clock).busy_timeout(SECOND / 100).move_tasks(from, to, |_| ())
    }
}

/// Such as one whose connection broke.
#[test]
fn load_that_conflicts_runs_again_in_opens_and_moves() {
    let clock = ManualClock::new();
    let first = source(&clock, 20);
    let target = Disk::default();
    let expected = result(moved(&clock, on(&copy(&first)), on(&target)));
    let expected_lines = lines(open_disk(&target, &clock));
    let mut loads = 0;
    for nth in 1.. {
        let faulty = || FaultyStore::new(&MemoryStore::new(), |_, _| Fate::Done);
        let (conflicting, back) = (faulty().conflicting_at(nth), Disk::default());
        let (store, from) = (conflicting.clone(), copy(&first));
        assert_eq!(result(moved(&clock, on(&from), MovePlace::store(store.clone()))), expected, "load {nth}");
        let tracker = at(&clock).open_store(store.clone()).unwrap_or_else(|error| panic!("load {nth}: {error}"));
        assert_eq!(lines(tracker), expected_lines, "load {nth}");
        assert_eq!(result(moved(&clock, MovePlace::store(store), on(&back))), expected, "load {nth}");
        loads = conflicting.loads();
        if loads < nth {
            break;
        }
    }
    assert!(loads > 50, "{loads} loads");
}

#[test]
fn move_continues_after_any_commit_that_fails() {
    let clock = ManualClock::new();
    let first = source(&clock, 20);
    let expected = result(moved(&clock, on(&copy(&first)), on(&Disk::default())));
    for (fate, from_store) in
        [(Fate::Fails, true), (Fate::Fails, false), (Fate::IsStoredAndFails, true), (Fate::IsStoredAndFails, false)]
    {
        let mut failed = 0;
        for nth in 1.. {
            let (store, disk) = (MemoryStore::new(), if from_store { Disk::default() } else { copy(&first) });
            if from_store {
                moved(&clock, on(&copy(&first)), MovePlace::store(store.clone()));
            }
            let between = Between { disk: &disk, from_store };
            let failing = FaultyStore::new(&store, move |number, _| if number == nth { fate } else { Fate::Done });
            let Err(error) = between.attempt(&clock, failing) else { break };
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            failed = nth;
            match between.attempt(&clock, store.clone()) {
                Ok(moved) => assert_eq!(result(moved), expected, "commit {nth}"),
                // The last commit was stored.
                Err(error) => assert!(error.kind() == ErrorKind::Moved && fate == Fate::IsStoredAndFails, "{error}"),
            }
            let open_store = || at(&clock).open_store(store.clone());
            if from_store {
                refused(open_store(), ErrorKind::Moved);
                sound(&open_disk(&disk, &clock));
            } else {
                sound(&open_store().unwrap());
                let place = on(&disk);
                refused(at(&clock).move_tasks(place, MovePlace::store(MemoryStore::new()), |_| ()), ErrorKind::Moved);
            }
        }
        // At a source: the two marks. At a target: the tables, too.
        assert!(failed >= if from_store { 2 } else { 12 }, "{failed} commits failed");
    }
}

/// Drops the first row of a table from a commit, or alters its value. Returns whether there was one.
fn alter(changes: &mut Changes, table: StoreTable, drops: bool) -> bool {
    let Some(at) = changes.rows.iter().position(|row| row.table == table && row.value.is_some()) else { return false };
    if drops {
        changes.rows.remove(at);
        return true;
    }
    match changes.rows[at].value.as_mut().and_then(|value| value.last_mut()) {
        Some(byte) => *byte ^= 1,
        None => return false,
    }
    true
}

#[test]
fn row_that_is_lost_or_altered_on_the_way_is_found() {
    let clock = ManualClock::new();
    let disk = Disk::default();
    moved(&clock, MovePlace::store(filled(&clock)), on(&disk));
    for &table in StoreTable::ALL.iter().filter(|table| **table != StoreTable::Meta) {
        for drops in [true, false] {
            let altered = Arc::new(AtomicBool::new(false));
            let noted = altered.clone();
            let altering = FaultyStore::new(&MemoryStore::new(), move |_, changes| {
                noted.fetch_or(alter(changes, table, drops), Ordering::Relaxed);
                Fate::Done
            });
            let disk = copy(&disk);
            let result = Between { disk: &disk, from_store: false }.attempt(&clock, altering);
            if altered.load(Ordering::Relaxed) {
                refused(result, ErrorKind::Corrupted);
                at(&clock).undo_move(on(&disk)).unwrap();
                sound(&open_disk(&disk, &clock));
            } else {
                assert!(!drops, "{table:?} has no rows");
                result.unwrap();
            }
        }
    }
}

#[test]
fn tracker_that_is_opened_during_a_move_stops_it() {
    let clock = ManualClock::new();
    let first = source(&clock, 5);
    for from_store in [true, false] {
        let mut stopped = 0;
        for opened_at in 1.. {
            let (store, disk) = (MemoryStore::new(), if from_store { Disk::default() } else { copy(&first) });
            if from_store {
                moved(&clock, on(&copy(&first)), MovePlace::store(store.clone()));
            }
            let between = Between { disk: &disk, from_store };
            let watched = FaultyStore::new(&store, |_, _| Fate::Done).opened_at(opened_at);
            let result = between.attempt(&clock, watched);
            if result.is_ok() {
                break;
            }
            refused(result, ErrorKind::Busy);
            stopped += 1;
            // Both ends can be used, and the source is moved later.
            sound(&at(&clock).open_store(store.clone()).unwrap());
            sound(&open_disk(&disk, &clock));
            assert!(!between.attempt(&clock, store).unwrap().was_continued);
        }
        // The last look is behind the marks.
        assert_eq!(stopped, if from_store { 3 } else { 2 });
    }
}

#[test]
fn source_stays_usable_if_its_target_cannot_be_written() {
    let clock = ManualClock::new();
    let disk = source(&clock, 5);
    let full = FaultyStore::new(&MemoryStore::new(), |_, _| Fate::Fails);
    refused(Between { disk: &disk, from_store: false }.attempt(&clock, full), ErrorKind::Io);
    sound(&open_disk(&disk, &clock));
}

#[test]
fn time_of_a_file_goes_on_behind_that_of_the_source() {
    let (clock, store, disk) = (ManualClock::new(), MemoryStore::new(), Disk::default());
    let tracker = at(&clock).open_store(store.clone()).unwrap();
    jobs(&tracker, &["a"]);
    tracker.close().unwrap();
    clock.advance(MINUTE);
    moved(&clock, MovePlace::store(store), on(&disk));
    let then = at(&clock).in_memory().unwrap().now();
    clock.jump(TimeDelta::hours(-1));
    let second = Disk::default();
    assert_eq!(open_disk(&disk, &clock).now(), then);
    moved(&clock, on(&disk), on(&second));
    let tracker = open_disk(&second, &clock);
    assert_eq!(tracker.now(), then);
    assert!(tracker.tasks::<Job>().unwrap().get("a").unwrap().unwrap().updated_at < then);
}
