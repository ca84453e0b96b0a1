//! Values that the submit of an execution's task has stored: the nominal time of an occurrence of a schedule, and the trace context. Called by
//! handlers.

use chrono::{DateTime, Utc};

use crate::{
    api::execution::Execution,
    engine::run_log::TARGET,
    model::{task::TrackedTask, time::utc, trace_context::TraceContext},
};

impl<T: TrackedTask> Execution<T> {
    /// The nominal time of the task, if it is an occurrence of a schedule: when it should run, however late it does.
    #[must_use]
    pub fn scheduled_at(&self) -> Option<DateTime<Utc>> {
        self.scheduled_at.map(utc)
    }

    /// The trace context of the code that submitted the task: see
    /// [`SubmitOptions::trace_context`](crate::submit::SubmitOptions::trace_context).
    #[must_use]
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.trace.as_deref()
    }

    /// The span of the attempt: its fields are named here, and by the semantic conventions of OpenTelemetry for messaging.
    pub(crate) fn span(&self) -> tracing::Span {
        let (kind, id, attempt) = (self.kind.name.as_str(), &self.id, self.attempt);
        tracing::info_span!(
            target: TARGET,
            "attempt",
            kind,
            %id,
            attempt,
            traceparent = self.trace.as_deref().map(tracing::field::display),
            otel.name = %format_args!("process {kind}"),
            otel.kind = "consumer",
            messaging.system = "tracker",
            messaging.operation.name = "process",
            messaging.operation.type = "process",
            messaging.destination.name = kind,
            messaging.message.id = %id,
        )
    }
}
