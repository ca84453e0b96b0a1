//! Counters, histograms and gauges as a recorder of the crate `metrics` receives them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tracker_core::{Tracker, inspect::Metrics};

use crate::support::kinds::{Job, MINUTE, Page, SECOND, Status, job, jobs, tracker};

const DOCUMENT: &str = include_str!("../../../docs/operations.md");

/// Name and labels as in the OpenMetrics text, and the value.
type Recorded = BTreeMap<String, DebugValue>;

fn recorded(snapshotter: &Snapshotter) -> Recorded {
    let values = snapshotter.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        (format!("{}{labels}", key.key().name()), value)
    });
    values.collect()
}

/// Six tasks: two succeed, one fails, one crashes, one is parked, one waits. A transaction that submits another is rolled back.
fn busy() -> Metrics {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    tasks.submit_all(["c", "d", "e", "f"].map(job)).unwrap();
    tasks.submit(&job("a")).unwrap();
    let rolled_back = tracker.transaction(|tx| {
        tx.submit(&tasks, &job("g"))?;
        Err::<(), _>(anyhow::anyhow!("no"))
    });
    rolled_back.unwrap_err();
    clock.advance(3 * SECOND);
    for (id, milliseconds) in [("a", 200), ("b", 400)] {
        let mut held = tasks.start(id).unwrap();
        clock.advance(Duration::from_millis(milliseconds));
        held.succeed().unwrap();
    }
    tasks.start("c").unwrap().fail("timed out").unwrap();
    tasks.start("d").unwrap().park(Status::OnHold).unwrap();
    // The lease of a forgotten execution runs out.
    drop(tasks.start("e").unwrap().detach().unwrap());
    clock.advance(2 * MINUTE);
    tasks.rescue().unwrap();
    tracker.metrics(3_600 * SECOND, 1_000).unwrap()
}

#[test]
fn recorder_gets_counters_and_histograms_of_the_process() {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, busy);
    let recorded = recorded(&recorder.snapshotter());
    let counter = |name: &str| match recorded.get(name) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(
        counter("tracker_submitted_tasks_total{kind=\"job\"}"),
        6,
        "without the existing and the rolled back one"
    );
    assert_eq!(counter("tracker_started_attempts_total{kind=\"job\"}"), 5);
    for (outcome, count) in [("succeeded", 2), ("failed", 1), ("parked", 1), ("crashed", 1), ("gave_up", 0)] {
        let name = format!("tracker_attempts_total{{kind=\"job\",outcome=\"{outcome}\"}}");
        assert_eq!(counter(&name), count, "{outcome}");
    }
    let histogram = |name: &str| match recorded.get(name) {
        Some(DebugValue::Histogram(values)) => values.iter().map(|value| value.into_inner()).collect::<Vec<_>>(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(histogram("tracker_attempt_duration_seconds{kind=\"job\"}"), [0.2, 0.4]);
    assert_eq!(histogram("tracker_wait_duration_seconds{kind=\"job\"}"), [3.0, 3.2, 3.6, 3.6, 3.6]);
    // The kind, three submits, five starts, four ends, a detach and a rescue. The submit of an existing task changes nothing.
    assert_eq!(counter("tracker_commits_total"), 14);
}

#[test]
fn recorded_gauges_are_those_of_the_text() {
    let recorder = DebuggingRecorder::new();
    let metrics = metrics::with_local_recorder(&recorder, || {
        let metrics = busy();
        metrics.record();
        metrics
    });
    let recorded = recorded(&recorder.snapshotter());
    let gauges: BTreeSet<_> = recorded
        .iter()
        .filter_map(|(name, value)| match value {
            DebugValue::Gauge(value) => Some((name.as_str(), value.to_bits())),
            _ => None,
        })
        .collect();
    let text = metrics.open_metrics();
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.contains("_duration_"));
    let printed: BTreeSet<_> = samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse::<f64>().unwrap().to_bits()))
        .collect();
    assert!(printed.len() > 20, "{text}");
    assert_eq!(gauges, printed);
}

#[test]
fn documented_process_metrics_are_those_of_the_recorder() {
    let section = DOCUMENT.split("\n## Metrics of a process\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `tracker_"));
    let documented: BTreeSet<[String; 3]> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
            [cells[1].clone(), cells[2].clone(), cells[3].clone()]
        })
        .collect();
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, busy);
    let recorded = recorder.snapshotter().snapshot().into_vec().into_iter().map(|(key, unit, help, value)| {
        assert!(help.is_some(), "{key:?}");
        let kind = match value {
            DebugValue::Counter(_) => "counter",
            DebugValue::Gauge(_) => "gauge",
            DebugValue::Histogram(_) => "histogram",
        };
        [key.key().name().to_owned(), kind.to_owned(), unit.map_or_else(String::new, |unit| unit.as_str().to_owned())]
    });
    assert_eq!(documented, recorded.collect());
}

/// A recorder that calls the tracker when a metric is registered, and at each value.
#[derive(Clone, Default)]
struct CallingRecorder {
    tracker: Arc<OnceLock<Tracker>>,
    is_called: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl CallingRecorder {
    fn call(&self) {
        let Some(tracker) = self.tracker.get() else { return };
        // Its own calls are counted too.
        if self.is_called.swap(true, SeqCst) {
            return;
        }
        let counted = tracker.tasks::<Job>().and_then(|jobs| jobs.counts());
        // While the thread commits, it cannot open a new kind.
        drop(tracker.tasks::<Page>());
        self.calls.fetch_add(usize::from(counted.is_ok()), SeqCst);
        self.is_called.store(false, SeqCst);
    }
}

impl CounterFn for CallingRecorder {
    fn increment(&self, _: u64) {
        self.call();
    }

    fn absolute(&self, _: u64) {}
}

impl HistogramFn for CallingRecorder {
    fn record(&self, _: f64) {
        self.call();
    }
}

impl Recorder for CallingRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        self.call();
        Counter::from_arc(Arc::new(self.clone()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        self.call();
        Histogram::from_arc(Arc::new(self.clone()))
    }
}

#[test]
fn recorder_may_call_the_tracker() {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        let recorder = CallingRecorder::default();
        metrics::with_local_recorder(&recorder, || {
            let (_, tracker) = tracker();
            assert!(recorder.tracker.set(tracker.clone()).is_ok());
            let tasks = jobs(&tracker, &["a", "b"]);
            tasks.start("a").unwrap().succeed().unwrap();
        });
        sender.send(recorder.calls.load(SeqCst))
    });
    let calls = ended.recv_timeout(Duration::from_secs(60)).expect("the recorder waits for a lock of the tracker");
    assert!(calls >= 5, "{calls} calls");
}
