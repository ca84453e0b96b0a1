//! Tests of `Options::start_paused`.

use tracker_core::{Tracker, file::Sharing};

use crate::support::{
    kinds::{Job, Page, Status, fine, job, page, sound},
    place::{self, OpenInPlace as _},
};

#[test]
fn work_of_the_last_session_waits_until_it_is_resumed() {
    for sharing in [Sharing::Readers, Sharing::Exclusive, Sharing::Writers] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let options = || Tracker::options().sharing(sharing).start_paused(true);
        let tracker = options().open_at(&path).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit_all([job("a"), job("b")]).unwrap();
        let mut first = jobs.claim().unwrap().expect("a kind that is new is not paused");
        first.release().unwrap();
        drop((first, jobs));
        tracker.close().unwrap();

        let tracker = options().open_at(&path).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        let pages = tracker.tasks::<Page>().unwrap();
        pages.submit(&page("one", 1)).unwrap();
        jobs.submit(&job("c")).unwrap();
        assert!(jobs.claim().unwrap().is_none(), "nothing of the kind starts");
        assert!(pages.claim().unwrap().is_some());
        jobs.resume().unwrap();
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 3);
        assert_eq!(jobs.worker().run(|_| fine()).unwrap().succeeded, 3);
        sound(&tracker);
        drop((jobs, pages));
        tracker.close().unwrap();

        let plain = Tracker::options().sharing(sharing).open_at(&path).unwrap();
        assert!(plain.untyped("job").unwrap().info().is_ok_and(|info| !info.paused));
        drop(plain);
        let paused = options().open_at(&path).unwrap();
        assert!(paused.untyped("job").unwrap().info().is_ok_and(|info| info.paused));
    }
}

#[test]
fn inspected_file_is_not_paused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    drop(Tracker::options().start_paused(true).inspect_at(&path).unwrap());
    assert!(!jobs.info().unwrap().paused);
}
