//! Opens and closes the `tracing` span of an attempt that runs a handler, named by the semantic conventions of OpenTelemetry for messaging.
//! Called by `api/handler`, `api/tasks/run`, `worker/async_slot` and `outcomes`; `docs/operations.md` lists the fields. Calls log subscribers.

use tracing::{Span, field::Empty};

use crate::{
    api::execution::Execution,
    engine::run_log::TARGET,
    model::{
        panics,
        task::TrackedTask,
        transition::{AttemptStatus, Failure, Outcome},
    },
};

impl<T: TrackedTask> Execution<T> {
    /// Opens the span in which the handler runs. It stays open until [`Self::close_span`], so that it gets the end of the attempt.
    pub(crate) fn open_span(&mut self) -> Span {
        let (kind, id, attempt) = (self.kind.name.as_str(), &self.id, self.attempt);
        let span = tracing::info_span!(
            target: TARGET,
            "attempt",
            kind,
            %id,
            attempt,
            traceparent = self.trace.as_deref().map(tracing::field::display),
            otel.name = %format_args!("process {kind}"),
            otel.kind = "consumer",
            otel.status_code = Empty,
            otel.status_description = Empty,
            messaging.system = "tracker",
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = kind,
            messaging.message.id = %id,
            error.type = Empty,
        );
        self.span = span.clone();
        span
    }

    /// Records how the attempt ends.
    pub(super) fn record_end(&self, outcome: Outcome, failure: Option<&Failure>) {
        let Some(error_type) = error_type(outcome, failure) else { return };
        panics::log_catching_panics(|| {
            self.span.record("otel.status_code", "error");
            self.span.record("error.type", error_type);
            if let Some(failure) = failure {
                self.span.record("otel.status_description", failure.error.as_str());
            }
        });
    }

    /// Records the end of the attempt, unless the handler has stored it itself, and closes the span.
    pub(crate) fn close_span(&mut self, end: Option<(Outcome, Option<&Failure>)>) {
        if let Some((outcome, failure)) = end {
            self.record_end(outcome, failure);
        }
        let span = std::mem::replace(&mut self.span, Span::none());
        panics::log_catching_panics(|| drop(span));
    }
}

/// Returns the class of the error for `error.type`, or `None` if the attempt ends without an error.
fn error_type(outcome: Outcome, failure: Option<&Failure>) -> Option<&'static str> {
    let status = outcome.attempt_status();
    let is_error = matches!(status, AttemptStatus::Failed | AttemptStatus::GaveUp);
    let panicked = failure.is_some_and(|failure| failure.panicked);
    is_error.then_some(if panicked { "panic" } else { status.name() })
}
