//! Workers on a store in which other units of work have locked all tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracker_core::{
    Execution, Tracker,
    store::{Loaded, MemoryStore, OptionsExt as _, Want},
    time::ManualClock,
    worker::StopHandle,
};

use crate::support::{
    faulty_store::{Fate, FaultyStore},
    kinds::{Job, fine, jobs, sound},
};

/// A store that skips all tasks in the first loads of claims, as if other units had locked them, which are then rolled back.
fn locked_at_first(loads_left: Arc<AtomicU32>) -> FaultyStore {
    FaultyStore::new(&MemoryStore::new(), |_, _| Fate::Done).on_load(move |want, loaded| {
        let skips = matches!(want, Want::Rows { skips_locked: true, .. }) && !loaded.rows.is_empty();
        let take = |left: u32| left.checked_sub(1);
        if skips && loads_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            *loaded = Loaded { is_complete: true, has_skipped: true, ..Loaded::default() };
        }
    })
}

#[test]
fn worker_claims_again_after_it_skipped_every_task() {
    let loads_left = Arc::new(AtomicU32::new(0));
    let store = locked_at_first(loads_left.clone());
    let tracker = Tracker::options().clock(ManualClock::new()).open_store(store).unwrap();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    loads_left.store(3, Ordering::SeqCst);
    let (stop, (started, starts)) = (StopHandle::new(), mpsc::channel());
    thread::scope(|scope| {
        let worker = tasks.worker().stopped_by(&stop);
        let run = scope.spawn(move || {
            let handler = |job: &mut Execution<Job>| {
                started.send(job.name.clone()).unwrap();
                fine()
            };
            worker.run(handler).unwrap()
        });
        let names: Vec<_> = (0..3).map_while(|_| starts.recv_timeout(Duration::from_secs(20)).ok()).collect();
        stop.stop();
        assert_eq!(run.join().unwrap().succeeded, 3, "started: {names:?}");
    });
    assert_eq!(loads_left.load(Ordering::SeqCst), 0, "claims have skipped tasks");
    sound(&tracker);
}
