//! Pools of several kinds that prefetch.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tracker_core::worker::{StopHandle, WorkerPool};

use crate::support::kinds::{Mail, Page, Status, fine, jobs, mail, page, sound, tracker};

#[test]
fn pool_of_one_thread_alternates_kinds_within_its_bound() {
    for ahead in [0, 30] {
        let (_, tracker) = tracker();
        let tasks = jobs(&tracker, &["a", "b", "c"]);
        let (mails, pages) = (tracker.tasks::<Mail>().unwrap(), tracker.tasks::<Page>().unwrap());
        mails.submit_all((0..400).map(mail)).unwrap();
        pages.submit_all((0..400).map(|number| page(&number.to_string(), 1))).unwrap();
        let (left, most) = (AtomicUsize::new(800), AtomicUsize::new(0));
        let held = || {
            let counts = [tasks.counts(), mails.counts(), pages.counts()];
            let held: u64 = counts.map(|counts| counts.unwrap().get(Status::InProgress)).iter().sum();
            most.fetch_max(usize::try_from(held).unwrap(), SeqCst);
            left.fetch_sub(1, SeqCst);
            fine()
        };
        let crew = WorkerPool::new().prefetch(ahead).serve(&mails, |_| held()).serve(&pages, |_| held()).serve(
            &tasks,
            |job| {
                job.result = u32::try_from(left.load(SeqCst)).ok();
                fine()
            },
        );
        assert_eq!(crew.run().unwrap().succeeded, 803);
        let records = tasks.query().status(Status::Succeeded).fetch().unwrap();
        assert!(records.iter().all(|record| record.task.result > Some(600)), "a full kind keeps no other waiting");
        let most = most.into_inner();
        assert!(most <= 1 + ahead && most > ahead / 3, "{most} are held: what runs, and {ahead} of all kinds together");
        sound(&tracker);
    }
}

#[test]
fn stopped_pool_releases_prefetched_tasks_of_every_kind() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..400).map(mail)).unwrap();
    let (none, pages) = (jobs(&tracker, &[]), tracker.tasks::<Page>().unwrap());
    pages.submit_all((0..40).map(|number| page(&number.to_string(), 1))).unwrap();
    let (stop, ran) = (StopHandle::new(), AtomicUsize::new(0));
    let ends = |stops: bool| {
        ran.fetch_add(1, SeqCst);
        if stops {
            stop.stop();
        }
        fine()
    };
    let crew = WorkerPool::new().prefetch(60).stopped_by(&stop);
    // The first has nothing to do, the second is in the middle of it when the third stops them.
    let crew = crew.serve(&none, |_| fine()).serve(&mails, |_| ends(false)).serve(&pages, |_| ends(true));
    let summary = crew.run().unwrap();
    assert_eq!(summary.succeeded, ran.into_inner() as u64);
    let (mails, pages) = (mails.counts().unwrap(), pages.counts().unwrap());
    assert_eq!((mails.get(Status::InProgress), pages.get(Status::InProgress)), (0, 0));
    assert_eq!(
        (mails.get(Status::Succeeded) + pages.get(Status::Succeeded), pages.get(Status::Succeeded)),
        (summary.succeeded, 1)
    );
    sound(&tracker);
}

#[test]
fn prefetching_pool_starves_no_kind() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..400).map(mail)).unwrap();
    let left = AtomicUsize::new(400);
    let summary = WorkerPool::new()
        .threads(3)
        .prefetch(10)
        .serve(&mails, |_| {
            left.fetch_sub(1, SeqCst);
            fine()
        })
        .serve(&tasks, |job| {
            job.result = u32::try_from(left.load(SeqCst)).ok();
            fine()
        })
        .run()
        .unwrap();
    assert_eq!(summary.succeeded, 403);
    let records = tasks.query().status(Status::Succeeded).fetch().unwrap();
    assert!(records.iter().all(|record| record.task.result > Some(0)), "a full kind does not keep another waiting");
    sound(&tracker);
}
