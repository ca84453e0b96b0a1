//! `transaction_in`: runs work of a tracker in a transaction of the caller's own database client, so that one commit stores it with rows of the
//! caller. Called by users; never commits.

#[cfg(feature = "postgres")]
mod client;
mod service;
mod sql_transaction;
mod unit;

pub use sql_transaction::{SqlError, SqlRow, SqlTransaction};

use std::{any::Any, panic, sync::Arc, thread};

use tracker_core::{
    Error, ErrorKind, Tracker,
    file::Transaction,
    store::{TrackerExt as _, Uncommitted, store_error},
};

use crate::{shared::Shared, store::PostgresStore};
use service::Service;
use unit::CallerUnit;

/// Runs `work` in a transaction that is open in the caller's own database client, so that tasks and rows of the caller are stored together
/// or not at all. The caller commits, and then calls [`Uncommitted::committed`].
///
/// The work runs under a savepoint. After an error, a conflict or a panic it is taken back, and the caller's transaction continues without
/// it: roll back, or repeat the call in it.
///
/// The transaction is of the database of the tracker, in any schema, and its isolation is READ COMMITTED. From this call to its end it
/// keeps the locks of the tasks that it has changed, and other changes of these tasks wait: call late, then commit. Do not call the
/// tracker for the same tasks on this thread before.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use serde::{Deserialize, Serialize};
/// use tracker_core::{TaskStatus, TrackedTask};
///
/// #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// enum MailStatus { Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40, Exhausted = 50 }
///
/// #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
/// #[task(name = "mail", status = MailStatus)]
/// struct Mail {
///     #[task(id)]
///     order: i64,
/// }
///
/// let url = "postgres://app@db.example/shop?sslmode=disable";
/// let tracker = tracker_postgres::connect(url)?;
/// let mails = tracker.tasks::<Mail>()?;
///
/// let mut client = postgres::Client::connect(url, postgres::NoTls)?;
/// let mut transaction = client.transaction()?;
/// transaction.execute("INSERT INTO orders (id) VALUES ($1)", &[&7_i64])?;
/// let submitted = tracker_postgres::transaction_in(&tracker, &mut transaction, |tx| tx.submit(&mails, &Mail { order: 7 }))?;
/// transaction.commit()?;
/// submitted.committed();
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "postgres"))]
/// # fn main() {}
/// ```
///
/// # Errors
/// The error of `work`, and:
/// - [`ErrorKind::Busy`] if another process changes the same tasks, or a lock was not free within the caller's `lock_timeout`. Nothing of the
///   work is stored. Repeat the call, in this transaction or in a new one.
/// - [`ErrorKind::Invalid`] if the transaction is of another database, has failed, reads only, or has another isolation.
/// - [`ErrorKind::Unsupported`] if the tracker is not in a server, or has [`Isolation::Serializable`](crate::Isolation::Serializable).
/// - [`ErrorKind::Io`] if the caller's connection, or one of the tracker, breaks.
///
/// # Panics
/// With the panic of `work`, or of the implementation of [`SqlTransaction`].
pub fn transaction_in<R, E: From<Error>>(
    tracker: &Tracker,
    transaction: &mut (impl SqlTransaction + Send + ?Sized),
    work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
) -> Result<Uncommitted<R>, E> {
    let shared = shared_of(tracker)?;
    // A unit of work borrows nothing, so the transaction stays on a thread of its own, and the unit sends it statements.
    thread::scope(|scope| {
        let (service, calls) = Service::new();
        let name = "tracker-caller".to_owned();
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, move || calls.serve(transaction));
        let thread =
            thread.map_err(|error| store_error(ErrorKind::Io, format!("cannot start a thread: {error}"), error))?;
        let result = CallerUnit::begin(&shared, service)
            .map_err(E::from)
            .and_then(|unit| tracker.transaction_in(Box::new(unit), work));
        if let Err(payload) = thread.join() {
            panic::resume_unwind(payload);
        }
        result
    })
}

/// The store of a tracker in a server.
fn shared_of(tracker: &Tracker) -> Result<Arc<Shared>, Error> {
    let store = tracker.store()?;
    let store = store.as_deref().and_then(|store| (store as &dyn Any).downcast_ref::<PostgresStore>());
    store.map(|store| Arc::clone(&store.shared)).ok_or_else(|| {
        let message = "the tracker is not in a PostgreSQL server, so that a transaction of a server cannot change it: use Tracker::transaction";
        store_error(ErrorKind::Unsupported, message, "the tracker has another store")
    })
}
