//! Trace contexts of submitters: stored with the task, given to handlers, exported, and named in the span of each attempt.

use tracker_core::{
    Submission,
    submit::{SubmitOptions, TraceContext},
};

use crate::support::kinds::{Page, job, jobs, page, sound, tracker};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn context(parent_id: u64) -> TraceContext {
    TraceContext::new(7, parent_id, true).unwrap()
}

fn traced(context: TraceContext) -> SubmitOptions {
    SubmitOptions::new().trace_context(context)
}

#[test]
fn trace_context_reaches_every_attempt_and_listing() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["plain"]);
    let context = PARENT.parse::<TraceContext>().unwrap().with_state("a=1,b=2").unwrap();
    tasks.submit_with(&job("a"), &traced(context.clone())).unwrap();
    tasks.submit_all_with(["b", "c"].map(job), &traced(context.clone())).unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(tasks.get(name).unwrap().unwrap().trace_context.as_ref(), Some(&context), "{name}");
    }
    assert_eq!(tasks.get("plain").unwrap().unwrap().trace_context, None);
    assert_eq!(tasks.start("plain").unwrap().trace_context(), None);
    for attempt in 1..=2 {
        let mut execution = tasks.start("a").unwrap();
        assert_eq!((execution.attempt(), execution.trace_context()), (attempt, Some(&context)));
        execution.fail("no").unwrap();
        clock.advance(std::time::Duration::from_secs(60));
    }
    // A submit of a task that exists keeps the context.
    tasks.submit_with(&job("a"), &traced(self::context(1))).unwrap();
    assert_eq!(tasks.get("a").unwrap().unwrap().trace_context, Some(context));
    sound(&tracker);
}

#[test]
fn changed_fingerprint_brings_its_own_trace_context() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let stored = || pages.get("p").unwrap().unwrap().trace_context;
    pages.submit_with(&page("p", 1), &traced(context(1))).unwrap();
    let mut running = pages.start("p").unwrap();
    assert_eq!(running.trace_context(), Some(&context(1)));
    pages.submit_with(&page("p", 2), &traced(context(2))).unwrap();
    running.succeed().unwrap();
    let mut again = pages.start("p").unwrap();
    assert_eq!(again.trace_context(), Some(&context(2)), "the second run is the work of the second submitter");
    again.succeed().unwrap();
    assert_eq!(pages.submit(&page("p", 3)).unwrap().submission, Submission::Requeued);
    assert_eq!(stored(), None);
    sound(&tracker);
}

#[test]
fn trace_context_survives_export_and_import() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["plain"]);
    let contexts = [context(1), context(2).with_state("a=1").unwrap()];
    for (name, context) in ["a", "b"].into_iter().zip(&contexts) {
        tasks.submit_with(&job(name), &traced(context.clone())).unwrap();
    }
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    assert_eq!(text.matches("\"traceparent\"").count(), 2, "{text}");
    let (_, other) = crate::support::kinds::tracker();
    other.import(text.as_bytes()).unwrap();
    let imported = jobs(&other, &[]);
    let stored = |name| imported.get(name).unwrap().unwrap().trace_context;
    assert_eq!(["a", "b"].map(stored), contexts.map(Some));
    assert_eq!(stored("plain"), None);
    for (wrong, reason) in [
        (r#""traceparent":"00-0""#, "invalid traceparent"),
        (r#""tracestate":"a=1""#, "no traceparent"),
        (r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","tracestate":"a""#, "key=value"),
    ] {
        let line = format!(r#"{{"kind":"job","id":"z",{wrong},"payload":{{"name":"z","host":"h","result":null}}}}"#);
        let error = other.import(line.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("line 1"), "{error}");
    }
    sound(&other);
}

#[test]
fn follow_up_task_continues_the_trace_context() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["plain"]);
    tasks.submit_with(&job("a"), &traced(context(1))).unwrap();
    for (id, next) in [("a", "after-a"), ("plain", "after-plain")] {
        let mut execution = tasks.start(id).unwrap();
        execution.submit_next(&tasks, &job(next)).unwrap();
        execution.succeed().unwrap();
    }
    let stored = |id| tasks.get(id).unwrap().unwrap().trace_context;
    assert_eq!((stored("after-a"), stored("after-plain")), (Some(context(1)), None));
    sound(&tracker);
}
