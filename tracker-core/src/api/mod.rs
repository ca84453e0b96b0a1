//! Defines the public calls: `Tracker`, `Tasks`, `Execution`, `Query`, `Batch` and their options, blocking and async. Called by users,
//! `worker`, `portable` and `maintenance`; acts through `Engine`.

#[cfg(feature = "tokio")]
pub(crate) mod asynchronous;
pub(crate) mod batch;
pub(crate) mod budget;
pub(crate) mod bulk;
pub(crate) mod deferred;
pub(crate) mod dependencies;
pub(crate) mod execution;
pub(crate) mod group;
pub(crate) mod handler;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod kind_name;
pub(crate) mod live;
pub(crate) mod open_kinds;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod port;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod redb_store;
#[cfg(feature = "run-log")]
pub(crate) mod run_log;
#[cfg(feature = "schedules")]
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod shared;
pub(crate) mod shutdown;
pub(crate) mod single_call;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod tasks;
pub(crate) mod ticket;
pub(crate) mod tracker;
pub(crate) mod transaction;
