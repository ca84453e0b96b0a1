//! Moves that are interrupted: after each commit, and by a disk that fails. The next call ends the move.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tracker_core::{
    ErrorKind,
    maintenance::{MovePlace, MoveProgress, MoveStep, Moved},
    store::{MemoryStore, OptionsExt as _},
    time::ManualClock,
};

use super::{
    json_lines_move::{export, import, nights},
    stores_move::{at, moved, on, open_disk},
};
use crate::support::{
    kinds::{Job, MINUTE, job, one_of_each, refused, sound},
    place::TestStore,
    test_disk::{Disk, Fault, Operation},
};

/// Tasks in every state, and more than one commit copies.
pub(super) fn source(clock: &ManualClock, tasks: usize) -> Disk {
    let (_, nights) = nights();
    let disk = Disk::default();
    let tracker = open_disk(&disk, clock);
    one_of_each(&tracker);
    import(&tracker, &export(&nights));
    tracker.tasks::<Job>().unwrap().submit_all((0..tasks).map(|number| job(&format!("n{number}")))).unwrap();
    // Expired, so that no lease changes between two opens.
    clock.advance(MINUTE * 60);
    tracker.close().unwrap();
    drop(open_disk(&disk, clock));
    disk
}

/// A copy of a disk.
pub(super) fn copy(disk: &Disk) -> Disk {
    Disk::with_bytes(disk.bytes())
}

/// The part of a result that is equal in all moves of the same tasks. Fences differ, since a server leaves gaps.
pub(super) fn result(mut moved: Moved) -> Moved {
    (moved.was_continued, moved.next_fence) = (false, 0);
    moved
}

/// Moves until the `nth` report, and is interrupted then. Returns the result if there are fewer.
fn interrupted(clock: &ManualClock, from: MovePlace, to: MovePlace, nth: usize) -> Option<Moved> {
    let mut reports = 0;
    let run = || {
        at(clock).move_tasks(from, to, |_| {
            reports += 1;
            if reports == nth {
                // As a panic, but without a message.
                resume_unwind(Box::new("interrupted"));
            }
        })
    };
    catch_unwind(AssertUnwindSafe(run)).ok().map(Result::unwrap)
}

#[test]
fn move_that_is_interrupted_after_any_commit_is_continued() {
    let clock = ManualClock::new();
    let from = source(&clock, 1_500);
    let (undisturbed, target) = (copy(&from), Disk::default());
    let expected = moved(&clock, on(&undisturbed), on(&target));
    let expected_lines = export(&open_disk(&target, &clock));
    let mut ends = 0;
    for nth in (1..).step_by(2) {
        let (from, store, disk) = (copy(&from), TestStore::new(), Disk::default());
        let first = interrupted(&clock, on(&from), store.place(), nth);
        let is_whole = first.is_some();
        if !is_whole {
            refused(store.open(at(&clock)), ErrorKind::Moved);
            refused(store.inspect(at(&clock)), ErrorKind::Moved);
            let place = on(&from);
            refused(at(&clock).move_tasks(place, on(&target), |_| ()), ErrorKind::Invalid);
            // Interrupted again, soon after.
            drop(interrupted(&clock, on(&from), store.place(), 2));
        }
        let moved_there = first.unwrap_or_else(|| moved(&clock, on(&from), store.place()));
        assert_eq!(moved_there.was_continued, !is_whole);
        assert!(moved_there.next_fence >= expected.next_fence);
        assert_eq!(result(moved_there), result(expected.clone()), "interrupted at {nth}");
        let back = interrupted(&clock, store.place(), on(&disk), nth)
            .unwrap_or_else(|| moved(&clock, store.place(), on(&disk)));
        assert_eq!(back.kinds, expected.kinds);
        let tracker = open_disk(&disk, &clock);
        sound(&tracker);
        assert_eq!(export(&tracker), expected_lines);
        if is_whole {
            break;
        }
        ends = nth;
    }
    assert!(ends > 12, "{ends} reports are too few to be interrupted");
}

#[test]
fn continued_move_copies_only_what_is_left() {
    let clock = ManualClock::new();
    let from = source(&clock, 2_500);
    let commits = |from: &Disk, to: &TestStore| {
        let mut commits = 0;
        let report = |progress: &MoveProgress| commits += u32::from(progress.step == MoveStep::CopyRows);
        at(&clock).move_tasks(on(from), to.place(), report).unwrap();
        commits
    };
    let all = commits(&copy(&from), &TestStore::new());
    assert!(all > 15, "{all} commits");
    // In the first table, within the tasks, and at the end.
    for done in [1, 2, 3, all / 2, all] {
        let (from, store) = (copy(&from), TestStore::new());
        assert_eq!(interrupted(&clock, on(&from), store.place(), done as usize), None);
        assert_eq!(commits(&from, &store), all - done, "{done} commits were done");
        sound(&store.open(at(&clock)).unwrap());
    }
}

#[test]
fn failing_disk_leaves_a_move_that_continues() {
    let clock = ManualClock::new();
    let source = source(&clock, 50);
    let expected = moved(&clock, on(&copy(&source)), on(&Disk::default()));
    // A disk that fails while redb creates its file is no database later; a file is created under another name first.
    let empty = Disk::default();
    open_disk(&empty, &clock).close().unwrap();
    let mut struck = 0;
    for at_source in [false, true] {
        for operation in Operation::ALL {
            for nth in (1..130).step_by(9) {
                // Failed, or no space left.
                let error = if nth % 2 == 0 { 5 } else { 28 };
                let (from, to) = (copy(&source), copy(&empty));
                let failing = if at_source { &from } else { &to };
                failing.fail(Fault { operation, nth, error, done: false, lasting: false });
                let first = at(&clock).move_tasks(on(&from), on(&to), |_| ());
                if failing.heal() {
                    struck += 1;
                }
                if let Err(error) = &first {
                    let expected = [ErrorKind::Io, ErrorKind::NoSpace];
                    assert!(expected.contains(&error.kind()), "{operation:?} {nth}: {error}");
                }
                let moved_there = first.unwrap_or_else(|_| moved(&clock, on(&from), on(&to)));
                assert_eq!(
                    result(moved_there),
                    result(expected.clone()),
                    "{operation:?} {nth} at the source: {at_source}"
                );
                sound(&open_disk(&to, &clock));
            }
        }
    }
    assert!(struck > 20, "{struck} faults");
}

#[test]
fn conflicts_of_a_store_do_not_end_a_move() {
    let (clock, store) = (ManualClock::new(), MemoryStore::new());
    let from = source(&clock, 50);
    let expected = moved(&clock, on(&copy(&from)), on(&Disk::default()));
    store.conflict_every(2);
    assert_eq!(moved(&clock, on(&from), MovePlace::store(store.clone())), expected);
    assert_eq!(moved(&clock, MovePlace::store(store.clone()), on(&Disk::default())).kinds, expected.kinds);
}

#[test]
fn unfinished_target_accepts_no_other_source() {
    let (clock, store) = (ManualClock::new(), TestStore::new());
    let (one, other) = (source(&clock, 5), source(&clock, 6));
    assert_eq!(interrupted(&clock, on(&one), store.place(), 3), None);
    let error = refused(at(&clock).move_tasks(on(&other), store.place(), |_| ()), ErrorKind::Moved);
    assert!(error.to_string().contains("has not ended"), "{error}");
    sound(&open_disk(&other, &clock));

    // Undone and changed, the source is another one too.
    refused(at(&clock).undo_move(store.place()), ErrorKind::Invalid);
    at(&clock).undo_move(on(&one)).unwrap();
    let tracker = open_disk(&one, &clock);
    tracker.tasks::<Job>().unwrap().submit(&job("later")).unwrap();
    tracker.close().unwrap();
    refused(at(&clock).move_tasks(on(&one), store.place(), |_| ()), ErrorKind::Moved);
    let fresh = TestStore::new();
    moved(&clock, on(&one), fresh.place());
    let tracker = fresh.open(at(&clock)).unwrap();
    assert!(tracker.tasks::<Job>().unwrap().get("later").unwrap().is_some());
    sound(&tracker);
}

#[test]
fn unfinished_move_can_go_to_another_target() {
    let (clock, first) = (ManualClock::new(), MemoryStore::new());
    let from = source(&clock, 5);
    assert_eq!(interrupted(&clock, on(&from), MovePlace::store(first.clone()), 3), None);
    let second = MemoryStore::new();
    moved(&clock, on(&from), MovePlace::store(second.clone()));
    sound(&at(&clock).open_store(second).unwrap());
    refused(at(&clock).open_store(first.clone()), ErrorKind::Moved);
    refused(at(&clock).move_tasks(on(&from), MovePlace::store(first), |_| ()), ErrorKind::Moved);
}

#[test]
fn each_step_of_a_move_reports_all_tasks() {
    let clock = ManualClock::new();
    let (from, mut last) = (source(&clock, 1_500), Vec::<MoveProgress>::new());
    let moved = at(&clock).move_tasks(on(&from), MovePlace::store(MemoryStore::new()), |progress| {
        last.retain(|earlier| earlier.step != progress.step);
        last.push(*progress);
    });
    let all = moved.unwrap().kinds.iter().map(|kind| kind.tasks).sum();
    let last: Vec<_> = last.iter().map(|progress| (progress.step, progress.tasks, progress.all_tasks)).collect();
    let steps = [MoveStep::CopyRows, MoveStep::ReadSource, MoveStep::ReadTarget];
    assert_eq!(last, steps.map(|step| (step, all, all)));
}
