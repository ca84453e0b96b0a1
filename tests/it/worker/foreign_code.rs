//! Tests foreign code that the tracker calls: log subscribers, clocks, `redact`. It may panic or call the tracker, and
//! other calls work on.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tracing::{Event, Metadata, Subscriber, span};
use tracker_core::{
    ErrorKind, TrackedTask, Tracker,
    time::{Clock, ClockReading, SystemClock},
    worker::PoolSize,
};

use crate::support::{
    kinds::{Job, Page, Status, fine, job, page, refused, sound},
    place::{self, OpenInPlace as _},
    subscriber::with_subscriber,
};

/// Calls a function at every event, and counts them.
#[derive(Clone)]
struct Calls {
    events: Arc<AtomicUsize>,
    at_event: Arc<dyn Fn() + Send + Sync>,
}

impl Calls {
    fn new(at_event: impl Fn() + Send + Sync + 'static) -> Self {
        Self { events: Arc::default(), at_event: Arc::new(at_event) }
    }
}

impl Subscriber for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tracker_core")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Event<'_>) {
        self.events.fetch_add(1, SeqCst);
        (self.at_event)();
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Submits, claims, succeeds, fails and gives up over two kinds.
fn use_both_kinds(tracker: &Tracker, from: usize) {
    let (jobs, pages) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Page>().unwrap());
    for number in from..from + 10 {
        jobs.submit(&job(&format!("job {number}"))).unwrap();
        pages.submit(&page(&format!("page {number}"), 1)).unwrap();
    }
    for number in 0..10 {
        let mut claimed = jobs.claim().unwrap().unwrap();
        match number % 3 {
            0 => claimed.succeed().unwrap(),
            1 => claimed.fail("no luck").unwrap(),
            _ => claimed.give_up("no use").unwrap(),
        }
        pages.claim().unwrap().unwrap().succeed().unwrap();
    }
    assert_eq!(pages.counts().unwrap().get(Status::Succeeded), u64::try_from(from).unwrap() + 10);
}

#[test]
fn panicking_log_subscriber_disturbs_no_call() {
    let tracker = place::in_memory().unwrap();
    let calls = Calls::new(|| panic!("the log's disk is full"));
    let events = calls.events.clone();
    // With one subscriber alone, tracing caches what the first thread says.
    with_subscriber(calls, || use_both_kinds(&tracker, 0));
    assert!(events.load(SeqCst) >= 40, "{} events", events.load(SeqCst));
    use_both_kinds(&tracker, 10);
    sound(&tracker);
}

#[test]
fn log_subscriber_may_call_the_tracker() {
    let tracker = place::in_memory().unwrap();
    let shared: Arc<OnceLock<Tracker>> = Arc::default();
    assert!(shared.set(tracker.clone()).is_ok());
    let (answered, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let busy = AtomicBool::new(false);
    let (called, counters) = (shared.clone(), (answered.clone(), refused.clone()));
    let calls = Calls::new(move || {
        // Its own calls are logged too.
        if busy.swap(true, SeqCst) {
            return;
        }
        let jobs = called.get().unwrap().tasks::<Job>().unwrap();
        jobs.counts().unwrap();
        match jobs.submit(&job("from the log")) {
            Ok(_) => counters.0.fetch_add(1, SeqCst),
            Err(error) => {
                assert!(error.to_string().starts_with("this thread is committing"), "{error}");
                counters.1.fetch_add(1, SeqCst)
            }
        };
        busy.store(false, SeqCst);
    });
    with_subscriber(calls, || {
        let jobs = tracker.tasks::<Job>().unwrap();
        for number in 0..20 {
            jobs.submit(&job(&format!("job {number}"))).unwrap();
            jobs.claim().unwrap().unwrap().succeed().unwrap();
        }
    });
    let (answered, refused) = (answered.load(SeqCst), refused.load(SeqCst));
    assert!(answered >= 20, "{answered} answered, {refused} refused");
    assert!(tracker.tasks::<Job>().unwrap().get("from the log").unwrap().is_some());
    sound(&tracker);
}

/// Shows the system's time until a test changes its behaviour.
#[derive(Clone, Default)]
struct OddClock {
    panics: Arc<AtomicBool>,
    tracker: Arc<OnceLock<Tracker>>,
    calls: Arc<AtomicBool>,
}

impl Clock for OddClock {
    fn now(&self) -> ClockReading {
        assert!(!self.panics.load(SeqCst), "the clock is broken");
        if self.calls.load(SeqCst)
            && let Some(tracker) = self.tracker.get()
        {
            let _ = tracker.now();
            drop(tracker.tasks::<Job>().and_then(|jobs| jobs.counts()));
        }
        SystemClock.now()
    }
}

#[test]
fn clock_that_panics_or_calls_the_tracker_disturbs_no_call() {
    let clock = OddClock::default();
    let tracker = Tracker::options().clock(clock.clone()).open_memory().unwrap();
    assert!(clock.tracker.set(tracker.clone()).is_ok());
    use_both_kinds(&tracker, 0);
    let before = tracker.now();
    clock.panics.store(true, SeqCst);
    use_both_kinds(&tracker, 10);
    assert!(tracker.now() >= before, "the last known time holds");
    clock.panics.store(false, SeqCst);
    clock.calls.store(true, SeqCst);
    use_both_kinds(&tracker, 20);
    clock.calls.store(false, SeqCst);
    use_both_kinds(&tracker, 30);
    sound(&tracker);
}

#[test]
fn clock_that_panics_at_once_leaves_no_wrong_time_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = OddClock::default();
    clock.panics.store(true, SeqCst);
    let tracker = Tracker::options().clock(clock).open_at(&path).unwrap();
    tracker.tasks::<Job>().unwrap().submit(&job("one")).unwrap();
    let created = tracker.tasks::<Job>().unwrap().get("one").unwrap().unwrap().created_at;
    assert!((chrono::Utc::now() - created).num_minutes().abs() < 10, "{created}");
    tracker.close().unwrap();
}

#[test]
fn clock_that_panics_is_an_error_where_its_time_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = OddClock::default();
    let tracker = Tracker::options().clock(clock.clone()).open(&path).unwrap();
    clock.panics.store(true, SeqCst);
    let error = refused(tracker.file_time(), ErrorKind::Invalid);
    assert!(error.to_string().contains("the clock is broken"), "{error}");
    tracker.close().unwrap();
    refused(Tracker::options().clock(clock).repair_time(&path), ErrorKind::Invalid);
}

/// Resizes a pool at each call.
#[derive(Clone, Default)]
struct ResizingClock(Arc<OnceLock<PoolSize>>);

impl Clock for ResizingClock {
    fn now(&self) -> ClockReading {
        if let Some(size) = self.0.get() {
            let _ = size.resize(5 - size.get());
        }
        SystemClock.now()
    }
}

#[test]
fn clock_that_resizes_the_pool_does_not_wait_for_it() {
    for prefetch in [0, 8] {
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || {
            let clock = ResizingClock::default();
            let tracker = Tracker::options().clock(clock.clone()).open_memory().unwrap();
            let jobs = tracker.tasks::<Job>().unwrap();
            jobs.submit_all((0..100).map(|number| job(&number.to_string()))).unwrap();
            let worker = jobs.worker().threads(2).prefetch(prefetch);
            assert!(clock.0.set(worker.pool_size()).is_ok());
            sender.send(worker.run(|_| fine()).unwrap().succeeded)
        });
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(100), "prefetch {prefetch}");
    }
}

/// Cannot be read back once it is told so.
#[derive(TrackedTask, Serialize, Deserialize, Debug)]
#[task(name = "trap", status = Status)]
struct Trap {
    #[task(id)]
    number: u32,
    #[serde(deserialize_with = "spring")]
    text: String,
}

static SPRUNG: AtomicBool = AtomicBool::new(false);

fn spring<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    assert!(!(SPRUNG.load(SeqCst) && text == "trap"), "ouch");
    Ok(text)
}

#[test]
fn claim_of_a_task_whose_deserialize_panics_makes_it_unreadable() {
    for redact in [false, true] {
        SPRUNG.store(false, SeqCst);
        let mut options = Tracker::options();
        if redact {
            options = options.redact(|text: &mut String| assert!(!text.contains("ouch"), "redact is broken, too"));
        }
        let tracker = options.open_memory().unwrap();
        let traps = tracker.tasks::<Trap>().unwrap();
        traps.submit(&Trap { number: 0, text: "trap".to_owned() }).unwrap();
        traps.submit_all((1..6).map(|number| Trap { number, text: "fine".to_owned() })).unwrap();
        SPRUNG.store(true, SeqCst);
        let error = traps.claim().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreadable, "{error}");
        assert_eq!(traps.counts().unwrap().get(Status::InProgress), 0, "it is not left leased");
        for _ in 1..6 {
            traps.claim().unwrap().unwrap().succeed().unwrap();
        }
        assert!(traps.claim().unwrap().is_none());
        SPRUNG.store(false, SeqCst);
        assert!(traps.get(0u32).unwrap().unwrap().unreadable);
        sound(&tracker);
    }
}

/// A clock whose `on_set` panics.
struct Stubborn;

impl Clock for Stubborn {
    fn now(&self) -> ClockReading {
        SystemClock.now()
    }

    fn on_set(&self, _: Arc<dyn Fn() + Send + Sync>) {
        panic!("the clock takes no callbacks");
    }
}

#[test]
fn clock_whose_on_set_panics_opens_a_file() {
    let tracker = Tracker::options().clock(Stubborn).open_memory().unwrap();
    use_both_kinds(&tracker, 0);
    sound(&tracker);
}

#[test]
fn panicking_log_subscriber_disturbs_no_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let calls = Calls::new(|| panic!("the log's disk is full"));
    let events = calls.events.clone();
    with_subscriber(calls, || {
        let tracker = place::open(&path).unwrap();
        use_both_kinds(&tracker, 0);
        tracker.close().unwrap();
        assert!(events.load(SeqCst) > 0);
        place::open(&path).unwrap().close().unwrap();
    });
    sound(&place::open(&path).unwrap());
}
