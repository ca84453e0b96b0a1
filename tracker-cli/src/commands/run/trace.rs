//! The trace context in the environment of a run, which its new lines store and their commands get. Called by `run/mod` and `runner`; reads the
//! environment.

use std::env;

use tracker_core::submit::TraceContext;

use crate::output::escape_line;

/// The variables of a trace context: the `traceparent` and the `tracestate`.
pub const VARIABLES: [&str; 2] = ["TRACEPARENT", "TRACESTATE"];

/// Returns the trace context of the environment. An invalid one causes a warning: it is often inherited.
pub fn of_environment() -> Option<TraceContext> {
    let [traceparent, tracestate] = VARIABLES.map(|name| env::var(name).unwrap_or_default());
    if traceparent.is_empty() {
        return None;
    }
    let context = traceparent.parse().and_then(|context: TraceContext| context.with_state(tracestate));
    let warn = |error: &tracker_core::Error| {
        let error = error.to_string();
        eprintln!("tracker: the trace context of the environment is ignored: {}", escape_line(&error));
    };
    context.inspect_err(warn).ok()
}
