//! The span of an attempt: its fields, named as OpenTelemetry names them, and the end that it records.

use std::{
    collections::BTreeMap,
    fmt,
    io::Error as IoError,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use tracing::{
    Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};
use tracker_core::{Execution, Outcome, submit::SubmitOptions};

use crate::support::{
    kinds::{Job, job, jobs, tracker},
    subscriber::with_subscriber,
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

type Span = BTreeMap<String, String>;

/// Keeps the fields of the spans named `attempt`: open ones by their ids, and closed ones in the order of their ends.
#[derive(Clone, Default)]
struct AttemptSpans {
    open: Arc<Mutex<BTreeMap<u64, Span>>>,
    closed: Arc<Mutex<Vec<Span>>>,
}

struct Fields<'f>(&'f mut Span);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for AttemptSpans {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, _: Context<'_, S>) {
        if attributes.metadata().name() == "attempt" {
            let mut fields = Span::new();
            attributes.record(&mut Fields(&mut fields));
            self.open.lock().unwrap().insert(id.into_u64(), fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, _: Context<'_, S>) {
        if let Some(fields) = self.open.lock().unwrap().get_mut(&id.into_u64()) {
            values.record(&mut Fields(fields));
        }
    }

    fn on_close(&self, id: span::Id, _: Context<'_, S>) {
        let closed = self.open.lock().unwrap().remove(&id.into_u64());
        self.closed.lock().unwrap().extend(closed);
    }
}

/// Runs a closure on this thread and returns the spans of the attempts that it closed.
fn spans(run: impl FnOnce()) -> Vec<Span> {
    let spans = AttemptSpans::default();
    with_subscriber(tracing_subscriber::registry().with(spans.clone()), run);
    assert_eq!(*spans.open.lock().unwrap(), BTreeMap::new(), "each span is closed with its attempt");
    std::mem::take(&mut *spans.closed.lock().unwrap())
}

/// The fields that record the end of an attempt.
fn end(span: &Span) -> [Option<&str>; 3] {
    ["error.type", "otel.status_code", "otel.status_description"].map(|field| span.get(field).map(String::as_str))
}

#[test]
fn span_of_an_attempt_has_the_names_of_opentelemetry() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["plain"]);
    tasks.submit_with(&job("a"), &SubmitOptions::new().trace_context(PARENT.parse().unwrap())).unwrap();
    let spans = spans(|| {
        for id in ["a", "plain"] {
            tasks.run(id, |_| Ok::<_, IoError>(())).unwrap();
        }
    });
    let expected = |id: &str| {
        [
            ("attempt", "1"),
            ("id", id),
            ("kind", "job"),
            ("messaging.destination.name", "job"),
            ("messaging.message.id", id),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.system", "tracker"),
            ("otel.kind", "consumer"),
            ("otel.name", "process job"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut with_parent = Span::from(expected("a"));
    with_parent.insert("traceparent".to_owned(), PARENT.to_owned());
    assert_eq!(spans, [with_parent, expected("plain").into()]);
}

/// How a handler ends its attempt.
type Handler = fn(&mut Execution<Job>) -> Result<Outcome, IoError>;

#[test]
fn span_of_an_attempt_records_its_end() {
    let cases: [(&str, Handler, [Option<&str>; 3]); 7] = [
        ("succeeds", |_| Ok(Outcome::Succeed), [None; 3]),
        ("releases", |_| Ok(Outcome::Release), [None; 3]),
        ("fails", |_| Err(IoError::other("no host")), [Some("failed"), Some("error"), Some("no host")]),
        ("panics", |_| panic!("no way"), [Some("panic"), Some("error"), Some("no way")]),
        (
            "stores_its_failure",
            |execution| {
                execution.give_up("no use").unwrap();
                Ok(Outcome::Succeed)
            },
            [Some("gave_up"), Some("error"), Some("no use")],
        ),
        (
            "stores_its_success",
            |execution| {
                execution.succeed().unwrap();
                Err(IoError::other("too late"))
            },
            [None; 3],
        ),
        (
            "ignores",
            |execution| {
                execution.ignore("not today").unwrap();
                Ok(Outcome::Succeed)
            },
            [None; 3],
        ),
    ];
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &cases.map(|(id, ..)| id));
    let spans = spans(|| {
        for (id, handler, _) in cases {
            drop(catch_unwind(AssertUnwindSafe(|| drop(tasks.run(id, handler)))));
        }
    });
    assert_eq!(spans.len(), cases.len());
    for (span, (id, _, expected)) in spans.iter().zip(cases) {
        assert_eq!((span["id"].as_str(), end(span)), (id, expected));
    }
}

#[test]
fn span_of_an_async_worker_records_the_end() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let spans = spans(|| {
        let run = tasks.async_worker().concurrency(1).run(async |_| Ok::<_, IoError>(Outcome::GiveUp));
        runtime.block_on(run).unwrap();
    });
    assert_eq!(spans.iter().map(end).collect::<Vec<_>>(), [[Some("gave_up"), Some("error"), None]]);
}
