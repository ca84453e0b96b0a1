//! Workers on a store in which other units of work have locked all tasks.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tracker_core::{
    Execution, Result, Tracker,
    store::{
        Access, Changes, Committed, Loaded, MemoryStore, NumberSeries, OptionsExt as _, Store, StoreState, StoreUnit,
        Want,
    },
    time::ManualClock,
    worker::StopHandle,
};

use crate::support::kinds::{Job, fine, jobs, sound};

/// A store that skips all tasks in the first loads of claims, as if other units had locked them, which are then rolled back.
#[derive(Clone)]
struct LockedAtFirst {
    store: MemoryStore,
    loads_left: Arc<AtomicU32>,
}

impl fmt::Debug for LockedAtFirst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedAtFirst").finish_non_exhaustive()
    }
}

impl Store for LockedAtFirst {
    fn name(&self) -> String {
        "locked at first".to_owned()
    }

    fn other_trackers(&self) -> Result<u64> {
        self.store.other_trackers()
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>> {
        Ok(Box::new(Unit { unit: self.store.begin(access)?, loads_left: self.loads_left.clone() }))
    }

    fn change(&self) -> Result<u64> {
        self.store.change()
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

struct Unit {
    unit: Box<dyn StoreUnit>,
    loads_left: Arc<AtomicU32>,
}

impl StoreUnit for Unit {
    fn state(&self) -> StoreState {
        self.unit.state()
    }

    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64> {
        self.unit.take_numbers(series, count)
    }

    fn next_number(&mut self, series: NumberSeries) -> Result<u64> {
        self.unit.next_number(series)
    }

    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<()> {
        self.unit.raise_numbers(series, next)
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>> {
        let mut loaded = self.unit.load(wants)?;
        for (want, loaded) in wants.iter().zip(&mut loaded) {
            let skips = matches!(want, Want::Rows { skips_locked: true, .. }) && !loaded.rows.is_empty();
            let take = |left: u32| left.checked_sub(1);
            if skips && self.loads_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                *loaded = Loaded { is_complete: true, has_skipped: true, ..Loaded::default() };
            }
        }
        Ok(loaded)
    }

    fn commit(self: Box<Self>, changes: Changes) -> Result<Committed> {
        self.unit.commit(changes)
    }
}

#[test]
fn worker_claims_again_after_it_skipped_every_task() {
    let loads_left = Arc::new(AtomicU32::new(0));
    let store = LockedAtFirst { store: MemoryStore::new(), loads_left: loads_left.clone() };
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
