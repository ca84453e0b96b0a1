//! Returns values that the submit of an execution's task has stored: the scheduled time of an occurrence, and the trace context. Called by
//! handlers, also those of `tracker-cli`; reads only the execution in memory.

use chrono::{DateTime, Utc};

use crate::{
    api::execution::Execution,
    model::{task::TrackedTask, time::utc, trace_context::TraceContext},
};

impl<T: TrackedTask> Execution<T> {
    /// Returns the nominal time of the task, if it is an occurrence of a schedule: when it should run, however late it does.
    #[must_use]
    pub fn scheduled_at(&self) -> Option<DateTime<Utc>> {
        self.scheduled_at.map(utc)
    }

    /// Returns the trace context of the code that submitted the task: see
    /// [`SubmitOptions::trace_context`](crate::submit::SubmitOptions::trace_context).
    #[must_use]
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.trace.as_deref()
    }
}
