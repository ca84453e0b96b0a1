//! The calls of the public interface.

pub(crate) mod async_calls;
pub(crate) mod batches;
pub(crate) mod changes;
pub(crate) mod commits;
pub(crate) mod concurrency_limits;
pub(crate) mod concurrent_calls;
pub(crate) mod debug_output;
pub(crate) mod dependencies;
pub(crate) mod dependency_fan_out;
pub(crate) mod fingerprints;
pub(crate) mod inspection;
pub(crate) mod outcomes;
pub(crate) mod payloads;
pub(crate) mod queries;
pub(crate) mod rates;
pub(crate) mod redaction;
pub(crate) mod retention;
pub(crate) mod run_log;
pub(crate) mod schema;
pub(crate) mod size_limits;
pub(crate) mod starts;
pub(crate) mod submits;
pub(crate) mod subscriptions;
pub(crate) mod task_lifecycle;
pub(crate) mod unreadable;
pub(crate) mod untyped;
