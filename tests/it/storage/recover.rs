//! Tests what `recover` copies out of a damaged file.

use std::{fs, path::Path};

use tracker_core::{
    ErrorKind, Submission, Tracker,
    batch::BatchOptions,
    dependency::OnDependencyFailure,
    redb_store::redb::{Database, ReadableTable, TableDefinition},
    submit::SubmitOptions,
};

use crate::{
    api::batches::{add, followed, is_there, open},
    storage::damage::damage,
    support::kinds::{Job, Page, Status, fine, job, jobs, page, sound, status},
};

const DEPENDENCIES: TableDefinition<'_, &[u8; 24], u8> = TableDefinition::new("tracker.dependencies");

/// Its lease ends with the program; then it starts with what was submitted last. Where that cannot be read, this is told,
/// and the next submit of it does not take it for known.
#[test]
fn recover_saves_staged_payloads_or_reports_them() {
    for damaged in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (path, saved) = (folder.path().join("pages.redb"), folder.path().join("saved.redb"));
        let tracker = Tracker::open(&path).unwrap();
        let pages = tracker.tasks::<Page>().unwrap();
        pages.submit(&page("first", 1)).unwrap();
        let held = pages.start("first").unwrap();
        let waits = Page { bytes: Some(0x1234_5678_9abc), ..page("first", 2) };
        pages.submit(&waits).unwrap();
        std::mem::forget(held);
        drop(pages);
        tracker.close().unwrap();
        if damaged {
            damage(&path, "\x12\x34\x56");
        }
        let report = Tracker::recover(&path, &saved).unwrap();
        assert_eq!((report.tasks, report.lost.len()), (1, usize::from(damaged)), "{report:?}");
        let rescued = Tracker::open(&saved).unwrap();
        assert_eq!(rescued.verify().unwrap(), []);
        let pages = rescued.tasks::<Page>().unwrap();
        if damaged {
            assert!(report.lost[0].what.contains("submit it again"), "{report:?}");
            assert_eq!(pages.submit(&waits).unwrap().submission, Submission::Requeued);
        }
        assert_eq!(pages.claim().unwrap().unwrap().task(), &waits);
    }
}

#[test]
fn recover_saves_tasks_of_an_unreadable_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (path, saved) = (folder.path().join("jobs.redb"), folder.path().join("saved.redb"));
    let tracker = Tracker::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_batch("the one that is lost", ["a", "b", "c"].map(job), &BatchOptions::new()).unwrap();
    jobs.submit_batch("the other", ["d", "e", "f"].map(job), &BatchOptions::new()).unwrap();
    drop(jobs);
    tracker.close().unwrap();
    damage(&path, "the one that is lost");
    let report = Tracker::recover(&path, &saved).unwrap();
    assert_eq!((report.tasks, report.lost.len(), report.batches_lost.len()), (6, 0, 1), "{report:?}");
    let rescued = Tracker::open(&saved).unwrap();
    assert_eq!(rescued.verify().unwrap(), []);
    let jobs = rescued.tasks::<Job>().unwrap();
    let other = rescued.batch("the other").unwrap().unwrap().number();
    let batches: Vec<_> = jobs.query().by_creation().fetch().unwrap().into_iter().map(|record| record.batch).collect();
    assert_eq!(batches, [None, None, None, Some(other), Some(other), Some(other)]);
}

#[test]
fn dependency_that_cannot_be_read_is_reported_with_its_task() {
    let folder = tempfile::tempdir().unwrap();
    let (path, saved) = (folder.path().join("jobs.redb"), folder.path().join("saved.redb"));
    let tracker = Tracker::open(&path).unwrap();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    for (name, on) in [("waits for two", &["a", "b"][..]), ("waits for one", &["c"])] {
        let after = |options: SubmitOptions, on: &&str| options.after(&tasks, *on, OnDependencyFailure::Wait);
        tasks.submit_with(&job(name), &on.iter().fold(SubmitOptions::new(), after)).unwrap();
    }
    drop(tasks);
    tracker.close().unwrap();
    // The second dependency of the first task gets a value that stands for nothing.
    let file = Database::open(&path).unwrap();
    let txn = file.begin_write().unwrap();
    {
        let mut table = txn.open_table(DEPENDENCIES).unwrap();
        let keys: Vec<[u8; 24]> = table.iter().unwrap().map(|row| *row.unwrap().0.value()).collect();
        assert_eq!(keys.len(), 3);
        table.insert(&keys[1], 99).unwrap();
    }
    txn.commit().unwrap();
    drop(file);
    let report = Tracker::recover(&path, &saved).unwrap();
    assert_eq!((report.tasks, report.lost.len()), (5, 1), "{report:?}");
    let lost = &report.lost[0];
    assert_eq!(lost.id.as_ref().map(ToString::to_string).as_deref(), Some("waits for two"));
    assert!(lost.what.contains("1 of its 2 dependencies cannot be read"), "{report:?}");
    let rescued = Tracker::open(&saved).unwrap();
    sound(&rescued);
    assert_eq!(rescued.tasks::<Job>().unwrap().get("waits for one").unwrap().unwrap().waits_for, 1);
}

#[test]
fn recover_restores_batches_and_dependencies() {
    let folder = tempfile::tempdir().unwrap();
    let (from, into_path) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let tracker = Tracker::open(&from).unwrap();
    let tasks = jobs(&tracker, &["a"]);
    let batch = followed(&tracker, &tasks, "x");
    add(&tasks, &batch, &["b", "c"]);
    batch.seal().unwrap();
    tasks.start("b").unwrap().succeed().unwrap();
    let waits = SubmitOptions::new()
        .after(&tasks, "a", OnDependencyFailure::Skip)
        .after_batch(&batch, OnDependencyFailure::Wait);
    tasks.submit_with(&job("d"), &waits).unwrap();
    let done = followed(&tracker, &tasks, "done");
    add(&tasks, &done, &["e"]);
    done.seal().unwrap();
    tasks.start("e").unwrap().give_up("no").unwrap();
    tasks.remove("after done").unwrap();
    // The last number of the file is that of a batch.
    let last = open(&tracker, "last");
    let infos = tracker.batches(9).unwrap();
    drop(tasks);
    tracker.close().unwrap();

    let report = Tracker::recover(&from, &into_path).unwrap();
    assert_eq!((report.tasks, report.lost.len(), report.batches_lost.len()), (5, 0, 0));
    let tracker = Tracker::open(&into_path).unwrap();
    sound(&tracker);
    assert_eq!(tracker.batches(9).unwrap(), infos);
    let tasks = tracker.tasks::<Job>().unwrap();
    assert!(open(&tracker, "next").number() > last.number());
    assert_eq!(tasks.get("d").unwrap().unwrap().waits_for, 2);
    tasks.worker().run(|_| fine()).unwrap();
    assert_eq!((status(&tasks, "d"), status(&tasks, "after x")), (Status::Succeeded, Status::Succeeded));
    assert!(!is_there(&tasks, "after done"));
    sound(&tracker);
}

/// A file with 300 jobs as it is closed, or as a killed program leaves it.
fn file_of_jobs(folder: &Path, closed: bool) -> Vec<u8> {
    let path = folder.join("whole.redb");
    let tracker = Tracker::open(&path).unwrap();
    let names: Vec<_> = (0..300).map(|number| format!("job {number}")).collect();
    drop(jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>()));
    if closed {
        tracker.close().unwrap();
        return fs::read(&path).unwrap();
    }
    let bytes = fs::read(&path).unwrap();
    tracker.close().unwrap();
    bytes
}

#[test]
fn recover_reads_a_file_with_bytes_behind_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for closed in [true, false] {
        let whole = file_of_jobs(folder.path(), closed);
        for more in [1, 4095, 4096, 5_000, 3 << 20] {
            let (path, saved) = (folder.path().join("longer.redb"), folder.path().join("saved.redb"));
            let bytes = [whole.as_slice(), &vec![b'x'; more]].concat();
            fs::write(&path, &bytes).unwrap();
            let report = Tracker::recover(&path, &saved).unwrap();
            assert_eq!((report.tasks, report.lost.len()), (300, 0), "closed {closed}, {more} bytes more");
            let rescued = Tracker::open(&saved).unwrap();
            sound(&rescued);
            drop(rescued);
            fs::remove_file(saved).unwrap();
            if more == 1 {
                assert_eq!(fs::read(&path).unwrap(), bytes, "the damaged file is only read");
            }
        }
        fs::remove_file(folder.path().join("whole.redb")).unwrap();
    }
}

#[test]
fn recover_reads_what_is_left_of_a_shorter_file() {
    let folder = tempfile::tempdir().unwrap();
    for closed in [true, false] {
        let whole = file_of_jobs(folder.path(), closed);
        let mut best = 0;
        for length in (400..whole.len()).step_by(4096).chain([whole.len() - 1]) {
            let (path, saved) = (folder.path().join("shorter.redb"), folder.path().join("saved.redb"));
            fs::write(&path, &whole[..length]).unwrap();
            match Tracker::recover(&path, &saved) {
                Ok(report) => {
                    best = best.max(report.tasks);
                    let rescued = Tracker::open(&saved).unwrap();
                    sound(&rescued);
                    assert_eq!(rescued.tasks::<Job>().unwrap().counts().unwrap().total(), report.tasks);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupted, "{length}: {error}");
                    let text = error.to_string();
                    assert!(
                        text.contains("restore a backup") && !text.contains("Tracker::recover"),
                        "{length}: {text}"
                    );
                }
            }
            fs::remove_file(saved).unwrap_or_default();
        }
        assert_eq!(best, 300, "closed {closed}");
        fs::remove_file(folder.path().join("whole.redb")).unwrap();
    }
}

/// The program goes on writing after the cut, so that its latest commit refers to pages that are gone.
#[test]
fn recover_reads_a_file_that_was_cut_while_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut best = 0;
    for part in 1..8 {
        let in_folder = |name: &str| folder.path().join(format!("{name} {part}.redb"));
        let (path, cut, saved) = (in_folder("a"), in_folder("cut"), in_folder("b"));
        let tracker = Tracker::options().cache_bytes(0).open(&path).unwrap();
        let names: Vec<_> = (0..300).map(|number| format!("job {number}")).collect();
        let tasks = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
        tasks.submit(&job("before the cut")).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 8 * part).unwrap();
        // Succeeds or fails: what it read before is in memory.
        let _ = tasks.submit(&job("after the cut"));
        fs::copy(&path, &cut).unwrap();
        match Tracker::recover(&cut, &saved) {
            Ok(report) => {
                let complete = report.tasks >= 301;
                assert!(complete || !report.lost.is_empty() || report.earlier_commit, "{part}/8: {report:?}");
                let rescued = Tracker::open(&saved).unwrap();
                sound(&rescued);
                assert_eq!(rescued.tasks::<Job>().unwrap().counts().unwrap().total(), report.tasks);
                best = best.max(report.tasks);
            }
            Err(error) => assert!(error.to_string().contains("restore a backup"), "{part}/8: {error}"),
        }
        drop(tasks);
        let _ = tracker.close();
    }
    assert!(best >= 300, "{best}");
}

#[test]
fn recovered_file_reuses_no_fence() {
    let folder = tempfile::tempdir().unwrap();
    let (path, saved) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    let tracker = Tracker::open(&path).unwrap();
    let tasks = jobs(&tracker, &["gone", "there"]);
    let mut held = tasks.start("gone").unwrap();
    let fence = held.fence();
    held.succeed().unwrap();
    tasks.remove("gone").unwrap();
    drop((held, tasks));
    tracker.close().unwrap();
    Tracker::recover(&path, &saved).unwrap();
    let tracker = Tracker::open(&saved).unwrap();
    assert!(tracker.tasks::<Job>().unwrap().start("there").unwrap().fence() > fence);
}
