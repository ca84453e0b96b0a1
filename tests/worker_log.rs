//! The log of a worker: levels, fields and spans. A process of its own, since the subscriber is that of all threads.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use serde::{Deserialize, Serialize};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use tracker_core::{Execution, TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "job", status = Status, max_attempts = 2, backoff = "fixed(1ms)")]
struct Job {
    #[task(id)]
    number: u32,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "render", status = Status, needs(mem = "size"))]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

/// Field names with their values as text.
#[derive(Clone, Default, Debug, PartialEq)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Keeps every span and event of the library at `INFO` and above.
#[derive(Clone, Default)]
struct Recorder(Arc<Recorded>);

#[derive(Default)]
struct Recorded {
    last_span: AtomicU64,
    spans: Mutex<BTreeMap<u64, (&'static str, Fields)>>,
    /// The spans that each thread has entered, by the name of the thread's id.
    entered: Mutex<BTreeMap<String, Vec<u64>>>,
    events: Mutex<Vec<(Level, Fields)>>,
}

fn this_thread() -> String {
    format!("{:?}", thread::current().id())
}

impl Recorder {
    /// Returns the fields of the span in which this thread is.
    fn current(&self) -> Option<(&'static str, Fields)> {
        let entered = self.0.entered.lock().unwrap().get(&this_thread())?.last().copied()?;
        self.0.spans.lock().unwrap().get(&entered).cloned()
    }

    fn take(&self) -> Vec<(Level, Fields)> {
        std::mem::take(&mut *self.0.events.lock().unwrap())
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("tracker_core") && *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let id = self.0.last_span.fetch_add(1, SeqCst) + 1;
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.0.spans.lock().unwrap().insert(id, (span.metadata().name(), fields));
        span::Id::from_u64(id)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.events.lock().unwrap().push((*event.metadata().level(), fields));
    }

    fn enter(&self, span: &span::Id) {
        self.0.entered.lock().unwrap().entry(this_thread()).or_default().push(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        self.0.entered.lock().unwrap().entry(this_thread()).or_default().retain(|entered| *entered != span.into_u64());
    }
}

/// Fails every attempt of task 3. Each handler runs in the span of its own attempt.
fn handler(recorder: &Recorder, job: &Execution<Job>) -> Result<(), &'static str> {
    let (name, fields) = recorder.current().expect("a handler runs in a span");
    assert_eq!((name, fields.get("kind")), ("attempt", "job"));
    assert_eq!((fields.get("id"), fields.get("attempt")), (&*job.number.to_string(), &*job.attempt().to_string()));
    if job.number == 3 { Err("no luck") } else { Ok(()) }
}

/// Checks what was logged of ten tasks, of which task 3 has failed twice.
fn check(recorder: &Recorder, way: &str) {
    let events = recorder.take();
    let ended: Vec<_> = events.iter().filter(|(_, fields)| fields.get("message") == "ended").collect();
    let levels: Vec<_> = ended.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::INFO, Level::WARN], "{way}: one failed attempt, then the task is given up");
    for (_, fields) in &ended {
        let told = ["kind", "id", "error"].map(|name| fields.get(name));
        assert_eq!(told, ["job", "3", "no luck"], "{way}");
    }
    assert_eq!(ended.iter().map(|(_, fields)| fields.get("failures")).collect::<Vec<_>>(), ["1", "2"], "{way}");
    assert_eq!(ended.iter().map(|(_, fields)| fields.get("status_name")).collect::<Vec<_>>(), ["Failed", "Exhausted"]);
    assert!(recorder.current().is_none(), "{way}: the span is left");
}

/// Tasks above a budget are logged once, however often the threads claim.
fn check_budget(recorder: &Recorder, tracker: &Tracker) {
    let renders = tracker.tasks::<Render>().unwrap();
    renders.submit_all((0..).zip([12, 1, 12, 2, 20]).map(|(number, size)| Render { number, size })).unwrap();
    recorder.take();
    let worker = renders.worker().threads(2).budget("mem", 4);
    assert_eq!(worker.run(|_| Ok::<_, std::io::Error>(())).unwrap().succeeded, 2);
    let text = "a task needs 12 of \"mem\", and the budget is 4: it does not start, and neither do others like it";
    let told: Vec<_> = recorder.take().into_iter().filter(|(level, _)| *level == Level::WARN).collect();
    let told: Vec<_> = told.iter().map(|(_, fields)| [fields.get("kind"), fields.get("message")]).collect();
    assert_eq!(told, [["render", text]]);
}

#[test]
fn worker_logs_failures_pauses_and_a_span_for_each_attempt() {
    let recorder = Recorder::default();
    tracing::subscriber::set_global_default(recorder.clone()).unwrap();
    for prefetch in [0, 16] {
        let tracker = Tracker::in_memory().unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit_all((0..10).map(|number| Job { number })).unwrap();
        let summary = jobs.worker().threads(2).prefetch(prefetch).run(|job| handler(&recorder, job)).unwrap();
        assert_eq!((summary.succeeded, summary.failed, summary.panicked), (9, 2, 0), "{:?}", summary.errors);
        check(&recorder, "threads");

        jobs.query().remove().unwrap();
        jobs.submit_all((0..10).map(|number| Job { number })).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let worker = jobs.async_worker().concurrency(3).prefetch(prefetch);
        let run = worker.run(async |job| {
            handler(&recorder, job).map_err(|_| ()).ok();
            tokio::task::yield_now().await;
            handler(&recorder, job)
        });
        let summary = runtime.block_on(run).unwrap();
        assert_eq!((summary.succeeded, summary.failed, summary.panicked), (9, 2, 0), "{:?}", summary.errors);
        check(&recorder, "futures");

        // A pause is logged once, however often the threads look.
        jobs.pause().unwrap();
        jobs.submit(&Job { number: 20 }).unwrap();
        recorder.take();
        let worker = jobs.worker().threads(2).prefetch(prefetch);
        let run = thread::spawn(move || worker.run(|_| Ok::<_, std::io::Error>(())).unwrap());
        let paused = |(_, fields): &(Level, Fields)| fields.get("message").starts_with("the kind is paused");
        while !recorder.0.events.lock().unwrap().iter().any(paused) {
            thread::yield_now();
        }
        jobs.submit(&Job { number: 21 }).unwrap();
        jobs.resume().unwrap();
        assert_eq!(run.join().unwrap().succeeded, 2);
        let told: Vec<_> = recorder.take().into_iter().filter(paused).collect();
        let told: Vec<_> = told.iter().map(|(level, fields)| (*level, fields.get("kind"))).collect();
        assert_eq!(told, [(Level::INFO, "job")]);
        check_budget(&recorder, &tracker);
    }
}
