//! Tests start conditions of async workers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use super::{Io, Status, jobs};

#[tokio::test]
async fn async_worker_waits_for_its_condition_and_delay() {
    let (tracker, clock, tasks) = jobs(4);
    let (open, checks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_open, checked) = (open.clone(), checks.clone());
    let condition = move || {
        checked.fetch_add(1, SeqCst);
        is_open.load(SeqCst)
    };
    let delay = Duration::from_secs(10);
    let worker = tasks.async_worker().concurrency(3).start_when(condition).delay_between_starts(delay);
    let pass_time = async {
        loop {
            clock.advance(Duration::from_millis(500));
            tokio::task::yield_now().await;
            if checks.load(SeqCst) == 3 && !open.swap(true, SeqCst) {
                assert_eq!(tasks.counts().unwrap().get(Status::Pending), 4);
            }
        }
    };
    let summary = tokio::select! {
        summary = worker.run(async |_| Io::Ok(())) => summary.unwrap(),
        () = pass_time => unreachable!(),
    };
    assert_eq!(summary.succeeded, 4);
    let mut starts: Vec<_> = tasks.query().fetch().unwrap().iter().map(|record| record.history[0].started_at).collect();
    starts.sort_unstable();
    assert!(starts.windows(2).all(|two| (two[1] - two[0]).to_std().unwrap() >= delay), "{starts:?}");
    assert_eq!(tracker.verify().unwrap(), []);
}
