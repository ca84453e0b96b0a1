//! Tests several trackers on one file in the writers mode.

use std::{collections::BTreeMap, sync::Mutex, thread};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, TrackedTask, Tracker,
    events::{EventKind, Notification},
    file::Sharing,
    time::ManualClock,
};

use crate::support::kinds::Status;

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, lease = "1m")]
struct Job {
    #[task(id)]
    number: u32,
}

#[test]
fn two_writers_run_each_task_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.redb");
    let open = || Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
    let (one, other) = (open(), open());
    one.tasks::<Job>().unwrap().submit_all((0..150).map(|number| Job { number })).unwrap();
    other.tasks::<Job>().unwrap().submit_all((100..300).map(|number| Job { number })).unwrap();
    let seen = Mutex::new(BTreeMap::new());
    let handler = |job: &mut Execution<Job>| {
        seen.lock().unwrap().entry(job.number).or_insert_with(Vec::new).push(job.fence());
        Ok::<_, std::io::Error>(())
    };
    thread::scope(|scope| {
        for tracker in [&one, &other] {
            scope.spawn(|| tracker.tasks::<Job>().unwrap().worker().threads(3).run(handler).unwrap());
        }
    });
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), 300);
    assert!(seen.values().all(|fences| fences.len() == 1), "{seen:?}");
    let mut fences: Vec<u64> = seen.into_values().flatten().collect();
    fences.sort_unstable();
    fences.dedup();
    assert_eq!(fences.len(), 300, "each claim in the file has a fence of its own");
    assert_eq!(one.tasks::<Job>().unwrap().counts().unwrap().get(Status::Succeeded), 300);
    assert_eq!(other.verify().unwrap(), []);
}

#[test]
fn live_lease_of_another_process_survives_an_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().sharing(Sharing::Writers).clock(clock.clone()).open(&path).unwrap();
    let one = open();
    let jobs = one.tasks::<Job>().unwrap();
    jobs.submit(&Job { number: 1 }).unwrap();
    let mut held = jobs.claim().unwrap().unwrap();
    let other = open();
    let others = other.tasks::<Job>().unwrap();
    assert!(others.claim().unwrap().is_none());
    assert_eq!(others.start(1).unwrap_err().kind(), ErrorKind::Leased);
    clock.advance(std::time::Duration::from_secs(60));
    let mut taken = others.claim().unwrap().expect("its lease ran out");
    assert_eq!(held.succeed().unwrap_err().kind(), ErrorKind::LeaseLost);
    taken.succeed().unwrap();
    assert_eq!(jobs.get(1).unwrap().unwrap().crashes, 0, "a success clears what was held against it");
    assert_eq!(one.verify().unwrap(), []);
}

#[tokio::test]
async fn async_worker_wakes_for_a_submit_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.redb");
    let open = || Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
    let (one, other) = (open(), open());
    let (jobs, others) = (one.tasks::<Job>().unwrap(), other.tasks::<Job>().unwrap());
    let worker = jobs.async_worker().keep_running();
    let stop = worker.stop_handle();
    let others = async {
        for number in 0..5 {
            others.submit(&Job { number }).unwrap();
            while others.get(number).unwrap().unwrap().status != Status::Succeeded {
                tokio::task::yield_now().await;
            }
        }
        stop.stop();
    };
    let (summary, ()) = tokio::join!(worker.run(async |_| Ok::<_, std::io::Error>(())), others);
    assert_eq!(summary.unwrap().succeeded, 5);
    assert_eq!(one.verify().unwrap(), []);
}

#[test]
fn worker_wakes_for_changes_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.redb");
    let open = || Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
    let (one, other) = (open(), open());
    let (jobs, others) = (one.tasks::<Job>().unwrap(), other.tasks::<Job>().unwrap());
    others.submit(&Job { number: 0 }).unwrap();
    let mut held = others.claim().unwrap().unwrap();
    let worker = jobs.worker().threads(3).keep_running();
    let (stop, watch) = (worker.stop_handle(), one.subscribe());
    let ended = || loop {
        match watch.next_within(std::time::Duration::from_secs(60)).expect("it was woken") {
            Notification::Event(event) if matches!(event.what, EventKind::Ended { .. }) => return event.id.to_string(),
            _ => {}
        }
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| worker.run(|_| Ok::<_, std::io::Error>(())).unwrap());
        for number in 1..=20 {
            others.submit(&Job { number }).unwrap();
            if number % 2 == 0 {
                // A commit of this process that sees the other's change wakes the workers too.
                jobs.pause().unwrap();
                jobs.resume().unwrap();
            }
            assert_eq!(ended(), number.to_string());
        }
        held.release().unwrap();
        assert_eq!(ended(), "0");
        stop.stop();
        assert_eq!(running.join().unwrap().succeeded, 21);
    });
    assert_eq!(one.verify().unwrap(), []);
}
