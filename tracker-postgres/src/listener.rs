//! `PostgresListener`: a connection on which the server notifies of commits of other processes (`LISTEN`), opened by `store`. `notify` sends
//! the notification (`NOTIFY`) after a commit, for `commit` and `caller`. The channel has the name of the schema.
//!
//! A notification inside of a transaction would take a lock of the whole server until the commit is flushed. So it is sent after the commit, and only
//! if a process listens: listeners share a lock, which a commit tries to take alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tracker_core::{
    Error, ErrorKind,
    store::{StoreListener, store_error},
};
use uuid::Uuid;

use crate::{
    error,
    shared::Shared,
    sql::{Sql, listeners_lock},
    wire::{connection::Connection, error::WireError},
};

/// How long a notification of this process itself may take.
const PROBE: Duration = Duration::from_secs(2);

/// A connection that listens.
pub(crate) struct PostgresListener {
    shared: Arc<Shared>,
    connection: Connection<Sql>,
}

/// The statement that notifies the listeners of a schema.
pub(crate) fn notify(schema: &str, process: Uuid) -> String {
    format!("NOTIFY {schema}, '{process}'")
}

impl PostgresListener {
    /// Opens a connection of its own. `None` if the options or the server do not know notifications.
    pub(crate) fn open(shared: &Arc<Shared>) -> Result<Option<Self>, Error> {
        if !shared.options.listens() {
            return Ok(None);
        }
        let failed = |error| error::describe(&shared.name, error);
        let mut connection = shared.open().map_err(failed)?;
        let lock = listeners_lock(&shared.schema);
        let script = format!("LISTEN {}; SELECT pg_catalog.pg_advisory_lock_shared({lock})", shared.schema);
        match connection.script(&script) {
            Err(WireError::Server(error)) if !error.is_fatal && error.code != "55P03" => return Ok(None),
            result => result.map_err(failed)?,
        }
        let mut listener = Self { shared: Arc::clone(shared), connection };
        listener.probe()?;
        Ok(Some(listener))
    }

    /// Checks that notifications of another connection arrive: a pool between may hand out its connections for one transaction each.
    fn probe(&mut self) -> Result<(), Error> {
        let probe = Uuid::new_v4();
        let deadline = self.shared.deadline();
        let mut slot = self.shared.slot(deadline)?;
        let script = notify(&self.shared.schema, probe);
        let sent = self.shared.with_connection(&mut slot, deadline, |connection| connection.script(&script));
        self.shared.pool.give_back(slot);
        sent.map_err(|error| error::describe(&self.shared.name, error))?;
        if self.hears(Instant::now() + PROBE, |payload| payload == probe.to_string())? {
            return Ok(());
        }
        let message = format!(
            "{}: notifications do not arrive: set PostgresOptions::notifications(false) behind a pool such as PgBouncer in transaction mode",
            self.shared.name
        );
        Err(store_error(ErrorKind::Io, message, "LISTEN is without effect"))
    }

    /// Whether such a notification arrives until the deadline.
    fn hears(&mut self, deadline: Instant, mut is_meant: impl FnMut(&str) -> bool) -> Result<bool, Error> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let heard = self.connection.notification(left, self.shared.silence());
            match heard.map_err(|error| error::describe(&self.shared.name, error))? {
                None => return Ok(false),
                Some(payload) if is_meant(&payload) => return Ok(true),
                Some(_) => {}
            }
        }
    }
}

impl StoreListener for PostgresListener {
    fn wait(&mut self, timeout: Duration) -> Result<bool, Error> {
        let own = self.shared.process.to_string();
        self.hears(Instant::now() + timeout, |payload| payload != own)
    }
}
