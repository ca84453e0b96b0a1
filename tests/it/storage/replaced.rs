//! Tests a file that is removed, moved or replaced while it is open.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tracker_core::{ErrorKind, Tasks, Tracker};

use crate::support::kinds::{Job, job, jobs, sound};

fn opened() -> (TempDir, PathBuf, Tracker, Tasks<Job>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    let tasks = jobs(&tracker, &["a"]);
    (folder, path, tracker, tasks)
}

/// The ways in which an open file is lost.
const LOSSES: [fn(&Path); 3] = [
    |path| fs::remove_file(path).unwrap(),
    |path| fs::rename(path, path.with_extension("moved")).unwrap(),
    |path| {
        fs::copy(path, path.with_extension("new")).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    },
];

/// Submits until a submit fails: within a second or two, however often it submits.
fn first_failure(tasks: &Tasks<Job>) -> ErrorKind {
    let deadline = Instant::now() + Duration::from_secs(60);
    for number in 0.. {
        match tasks.submit(&job(&format!("later {number}"))) {
            Ok(_) => assert!(Instant::now() < deadline, "never noticed"),
            Err(error) => return error.kind(),
        }
        thread::yield_now();
    }
    unreachable!()
}

#[test]
fn close_reports_a_lost_file() {
    for lose in LOSSES {
        let (_folder, path, tracker, tasks) = opened();
        drop(tasks);
        lose(&path);
        let error = tracker.close().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileReplaced, "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn writes_to_a_lost_file_fail_and_reads_continue() {
    for lose in LOSSES {
        let (_folder, path, tracker, tasks) = opened();
        lose(&path);
        assert_eq!(first_failure(&tasks), ErrorKind::FileReplaced);
        assert_eq!(tasks.submit(&job("b")).map(drop).unwrap_err().kind(), ErrorKind::FileReplaced);
        assert_eq!(tasks.claim().map(drop).unwrap_err().kind(), ErrorKind::FileReplaced);
        assert_eq!(tracker.transaction(|tx| tx.submit(&tasks, &job("b"))).unwrap_err().kind(), ErrorKind::FileReplaced);
        let copy = path.with_extension("copy");
        assert_eq!(tracker.backup(&copy).unwrap_err().kind(), ErrorKind::FileReplaced);
        assert_eq!(tasks.get("a").unwrap().unwrap().task.name, "a");
        drop(tasks);
        assert_eq!(tracker.close().unwrap_err().kind(), ErrorKind::FileReplaced);
    }
}

#[test]
fn file_that_is_put_back_takes_writes_again() {
    let (_folder, path, tracker, tasks) = opened();
    fs::rename(&path, path.with_extension("moved")).unwrap();
    assert_eq!(first_failure(&tasks), ErrorKind::FileReplaced);
    fs::rename(path.with_extension("moved"), &path).unwrap();
    tasks.submit(&job("back")).unwrap();
    sound(&tracker);
    drop(tasks);
    tracker.close().unwrap();
    assert!(Tracker::open(&path).unwrap().tasks::<Job>().unwrap().get("back").unwrap().is_some());
}

/// Each task submits the next one, so that the run ends by an error only.
#[test]
fn worker_on_a_lost_file_ends_with_the_error() {
    let (_folder, path, tracker, tasks) = opened();
    fs::remove_file(&path).unwrap();
    let number = AtomicU64::new(0);
    let run = tasks.worker().threads(2).run(|_| {
        let next = job(&format!("next {}", number.fetch_add(1, SeqCst)));
        tasks.submit(&next).map(drop)
    });
    assert_eq!(run.map(drop).unwrap_err().kind(), ErrorKind::FileReplaced);
    drop(tasks);
    assert_eq!(tracker.close().unwrap_err().kind(), ErrorKind::FileReplaced);
}
