//! Defines the public modules: each re-exports the types of one subject. Only `lib.rs` uses this file.
//!
//! `worker`, `maintenance` and `portable` are public modules too; their `mod.rs` lists what is public.

/// The calls of tasks, executions, batches and workers for async programs (feature `tokio`).
///
/// Each type is named after its blocking twin: [`AsyncTasks`](asynchronous::AsyncTasks) has the calls of [`Tasks`](crate::Tasks).
#[cfg(feature = "tokio")]
pub mod asynchronous {
    pub use crate::{
        api::asynchronous::{AsyncBatch, AsyncExecution, AsyncTaskGroup, AsyncTasks, AsyncTracker},
        worker::AsyncWorker,
    };
}

/// Sets of tasks that end together: opening, sealing, progress, and what follows a batch.
pub mod batch {
    pub use crate::api::batch::{Batch, BatchInfo, BatchOptions};
}

/// Calls that return at once and report later, for threads that must not wait for the disk.
pub mod deferred {
    pub use crate::api::deferred::{DeferredTasks, Pending};
}

/// Tasks that wait for other tasks or batches, and groups of tasks that are submitted together.
pub mod dependency {
    pub use crate::{
        api::group::TaskGroup,
        model::{
            dependency::{Dependency, DependencyTarget, TaskName},
            transition::OnDependencyFailure,
        },
    };
}

/// Why a call was refused, as values. [`Error`](crate::Error) and [`ErrorKind`](crate::ErrorKind) are at the root.
pub mod error {
    pub use crate::model::error::{Reason, Refusal};
}

/// Observing tasks while they change: subscriptions and their events, waits for an end, and the log of runs.
pub mod events {
    #[cfg(feature = "run-log")]
    pub use crate::api::run_log::RunLog;
    #[cfg(feature = "tokio")]
    pub use crate::engine::SubscriptionStream;
    pub use crate::{
        api::{subscribe::SubscriptionBuilder, tasks::Waited},
        engine::{Event, EventKind, Notification, Subscription, SubscriptionHandle},
    };
}

/// Starting a task in other ways than the next one, and work that ends in another place than it started.
pub mod execution {
    pub use crate::api::{tasks::StartOptions, ticket::Ticket};
}

/// The interface of a store in place of the file, such as a server. Not stable: it may change in any version.
pub mod store {
    pub use crate::api::store::{OptionsExt, TrackerExt, Uncommitted};
    pub use crate::storage::store::{
        Access, Changes, ClaimPosition, Committed, Loaded, MemoryStore, NumberSeries, RowChange, RowKey, RowValue,
        Store, StoreListener, StoreState, StoreTable, StoreUnit, StoredKind, StoredStatus, TaskTimes, Want,
        store_conflict, store_error, task_of_key,
    };
}

/// How processes share a file, when a submit counts as stored, and transactions over tasks and other tables.
pub mod file {
    pub use crate::{
        api::transaction::Transaction,
        model::{codec::PayloadCodec, durability::Durability},
        storage::file::Sharing,
    };
}

/// Listings for operators: what runs, what comes next, why a task waits, errors, throughput, and the kinds of a file.
pub mod inspect {
    pub use crate::{
        api::{
            budget::ResourceBudget,
            inspect::{
                BlockedGroup, BoundedCount, ErrorGroup, ErrorGroups, KindInfo, KindMetrics, LeasedTask, Metrics, Plan,
                PlannedTask, Throughput, ThroughputMinute, WaitingTask,
            },
            tasks::QueuePosition,
        },
        model::transition::Explanation,
    };
}

/// Changes as values, for programs that control a tracker: [`Tracker::perform`](crate::Tracker::perform) runs them in this process, and a
/// [`Client`](live::Client) in the process that has the file open.
pub mod live {
    #[cfg(feature = "schedules")]
    pub use crate::api::live::ScheduleChange;
    pub use crate::api::live::{
        Client, EventSelection, EventStream, EventStreamHandle, KindCount, LiveEvent, RefusedTask, Report, Request,
        SelectedId, Selection, TaskChange, TaskFilter,
    };
}

/// Finding tasks: filters, pages with a cursor, and the counts of each status.
pub mod query {
    pub use crate::api::{
        page::{Cursor, Page, UnreadableTask},
        query::Query,
        tasks::Counts,
    };
}

/// The parts of a [`Record`](crate::Record): its attempts and how they ended, its lease, its progress.
pub mod record {
    pub use crate::{
        api::record::{Attempt, LeaseInfo, ProgressInfo},
        model::transition::{AttemptStatus, Failure},
    };
}

/// Calls that depend on redb, the store of the file, and redb itself in the version that the tracker uses.
pub mod redb_store {
    pub use redb;

    pub use crate::{
        api::redb_store::{LoggedBackend, OptionsExt, TrackerExt, TransactionExt},
        maintenance::move_tasks::MovePlaceExt,
    };
}

/// Recurring tasks: their times, and the treatment of missed and overlapping occurrences (feature `schedules`).
#[cfg(feature = "schedules")]
pub mod schedule {
    pub use crate::{
        api::schedule::{OccurrenceRecord, ScheduleHandle, ScheduleInfo},
        model::schedule::{CatchUp, Overlap, definition::Schedule, occurrence::Occurrence},
    };
}

/// The statuses of a kind: roles, codes, names and the graph of steps. [`TaskStatus`](crate::TaskStatus) is at the root.
pub mod status {
    pub use crate::model::status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo};
}

/// Options of a submit, and what it found.
pub mod submit {
    pub use crate::{
        api::tasks::{Receipt, SubmitOptions, SubmitSummary, SubmittedRecord},
        model::trace_context::TraceContext,
    };
}

/// The definition of a kind: its name, ids, indexes, unique keys, fingerprint and policy.
///
/// [`TrackedTask`](crate::TrackedTask), which holds all of them, is at the root.
pub mod task {
    pub use crate::{
        api::kind_name::KindName,
        model::task::{
            Backoff, Fingerprint, IndexLimit, IndexValue, Need, NeededAmount, OldPayload, Policy, QueueEnd, Rate,
            Retention, SharedLimit, TaskId, TaskKey, UniqueDef, UniqueInfo,
        },
    };
}

/// The clocks that a tracker can use.
pub mod time {
    pub use crate::model::time::{Clock, ClockReading, ManualClock, SystemClock};
}

/// Tasks without their type: the payload as a value, and a file whose types are not at hand.
pub mod untyped {
    pub use crate::{
        api::schema::{Schema, Untyped},
        model::payload::Payload,
    };
}
