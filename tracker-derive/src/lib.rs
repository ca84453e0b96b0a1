//! The derives of `tracker-core`, which re-exports them: depend on that crate, not on this one.
//!
//! Each derive parses an item, checks it, and generates an impl. All mistakes are reported at once, each at its position. A
//! faulty item gets a placeholder impl, so that one mistake causes one error. Generated code uses absolute paths and needs no
//! imports.
#![warn(missing_docs)]

mod attribute;
mod crate_path;
mod duration;
mod errors;
mod snake_case;
mod status;
mod suggest;
mod task;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `TaskStatus` for an enum whose variants are the statuses of a task.
///
/// The enum is `Copy`, has no parameters, and each variant is a unit with a code: an integer literal that fits an
/// `i32`. The file stores the code, so a variant keeps its code when it is renamed or moved.
///
/// ```text
/// #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// enum JobStatus {
///     Pending = 10,
///     InProgress = 20,
///     Failed = 30,
///     Succeeded = 40,
///     #[status(exhausted)]
///     GivenUp = 50,
///     #[status(parked)]
///     InReview = 60,
/// }
/// ```
///
/// # Roles
/// `pending`, `in_progress`, `failed`, `succeeded`, `exhausted`, `ignored`, `cancelled`, `parked`: what a status means
/// to the tracker. A variant has the role of its name (`Pending`, `InProgress` …) unless `#[status(role)]` sets one. Other
/// names need the option; `parked` is for states of your own.
///
/// Required are pending, in_progress, succeeded, and one of failed, exhausted, ignored. A role other than parked
/// belongs to one status.
///
/// # Steps
/// `#[status(step = "load")]` opens a step of a pipeline, for its variant and all that follow until the next step. Either
/// all variants are in a step or none is, and the variants of a step are adjacent. Names may contain the step:
/// `LoadPending` and `PendingLoad` are the pending status of step `"load"`. Each step needs the roles above. Only the first
/// step needs pending: the others start from the succeeded status of the step before.
///
/// ```text
/// #[derive(TaskStatus, Clone, Copy)]
/// enum ImportStatus {
///     #[status(step = "fetch")]
///     FetchPending = 10,
///     FetchInProgress = 11,
///     FetchFailed = 12,
///     FetchSucceeded = 13,
///     #[status(step = "load")]
///     LoadInProgress = 20,
///     LoadFailed = 21,
///     LoadSucceeded = 22,
/// }
/// ```
///
/// # Above the enum
/// `#[status(crate = ::path)]` is the path of `tracker-core`, if it is renamed or re-exported.
#[proc_macro_derive(TaskStatus, attributes(status))]
pub fn derive_task_status(input: TokenStream) -> TokenStream {
    status::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Derives `TrackedTask` for a struct whose values are tasks.
///
/// The struct has named fields, owns its data, and derives `Serialize` and `Deserialize`.
///
/// ```text
/// #[derive(TrackedTask, Serialize, Deserialize)]
/// #[task(name = "download", status = JobStatus, max_attempts = 3, lease = "5m", backoff = "exponential(1s, 5m)")]
/// #[task(unique(host, path), unique(reference, while = unfinished))]
/// struct Download {
///     #[task(id)]
///     url: String,
///     #[task(index)]
///     host: String,
///     path: String,
///     reference: Option<String>,
///     #[task(index, fingerprint)]
///     etag: Option<String>,
///     #[task(priority)]
///     urgency: u8,
/// }
/// ```
///
/// # Above the struct
/// Absent options keep the values of `Policy::DEFAULT`.
///
/// | option | meaning |
/// |---|---|
/// | `status = JobStatus` | the status type; required |
/// | `name = "download"` | the kind's name, 1 to 128 bytes; otherwise the struct's name in snake case |
/// | `id = uuid` | ids are generated (uuid v7), and no field is the id |
/// | `unique(client, request)` | no two tasks of the kind have these values; may be written several times |
/// | `unique(reference, while = unfinished)` | no two unfinished tasks have this value |
/// | `max_attempts = 3`, `max_attempts = "unlimited"` | failures in a row after which a task is exhausted, from 1 |
/// | `max_crashes = 10` | rescues after which a task is exhausted, from 1 |
/// | `interrupted = "front"`, `interrupted = "back"` | where a task goes whose attempt ended with its process; `back` by default |
/// | `version = 2`, `migrate = from_old` | the version of the struct, 1 (the default) to 65535, and the function that makes it of earlier ones: `fn(OldPayload<'_>) -> Result<Self, E>` |
/// | `lease = "5m"` | how long a lease lasts unless it is renewed, from 1 ms |
/// | `timeout = "1h"` | the longest time for one attempt |
/// | `backoff = "none"` | a failed task is due at once |
/// | `backoff = "fixed(5s)"` | the same delay after every failure |
/// | `backoff = "linear(1s, 1m)"` | 1 s, 2 s, 3 s … up to 1 min |
/// | `backoff = "exponential(1s, 5m)"` | 1 s, 2 s, 4 s … up to 5 min |
/// | `jitter = 0.2` | the share of a delay that is left to chance, 0 to 1 |
/// | `priority = 5` | the priority of the kind's tasks, 0 to 255, higher first |
/// | `history = 10` | how many attempts a task's history keeps, 1 to 65535 |
/// | `startable(Ignored, InReview)` | further statuses from which a task may start, by variant |
/// | `retention(succeeded = "30d")` | how long ended tasks are kept: succeeded, exhausted, ignored, cancelled |
/// | `rate = "10/s"` | how many tasks may start in a period, 1 to 10000: `"100/m"`, `"1/500ms"` |
/// | `max_in_progress = 4` | how many tasks of the kind are in progress at once, from 1 |
/// | `shared_limit(network = 4)` | how many tasks of all kinds that name this limit are in progress at once, from 1; several may be listed |
/// | `needs(gpu = 1, mem = "size")` | how much of each named resource a task needs while it is in progress: a number from 1, or the name of an indexed field that holds it |
/// | `max_waiting = 10_000` | how many tasks of the kind wait before submits are refused with `ErrorKind::Full`, from 1 |
/// | `crate = ::path` | the path of `tracker-core`, if it is renamed or re-exported |
///
/// A duration is a number with a unit of `us`, `ms`, `s`, `m`, `h`, `d` (24 hours), `w`: `"5m"`, `"1.5h"`, `"1h30m"` with
/// the longest unit first. It is longer than zero.
///
/// # Above a field
/// Options may be combined: `#[task(index, fingerprint)]`.
///
/// | option | meaning |
/// |---|---|
/// | `id` | the task's id; exactly one field, unless ids are generated |
/// | `index` | can be queried together with the status |
/// | `index, limit = 2` | at most so many tasks with the same value are in progress at a time; on at most eight fields |
/// | `unique` | a unique key of this field alone; listed after those above the struct |
/// | `fingerprint` | a change of it at a re-submit starts the task anew; equal values are equal, for any order of a map or `HashSet` in them: see `Fingerprint` |
/// | `fingerprint_with = path` | the same for what a function makes of the field: `fn path(field: &Type) -> impl Serialize` |
/// | `priority` | the task's own priority, in place of the kind's; a `u8`, at most one field |
///
/// # Parameters
/// Types and consts may be parameters; lifetimes may not. The impl holds wherever serde's derives make the struct
/// `Serialize` and `Deserialize`, and the types of marked fields can be what they are marked as.
#[proc_macro_derive(TrackedTask, attributes(task))]
pub fn derive_tracked_task(input: TokenStream) -> TokenStream {
    task::derive(&parse_macro_input!(input as DeriveInput)).into()
}
