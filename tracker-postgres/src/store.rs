//! `PostgresStore`: implements the store of tracker-core: begins units of work, listens for commits, opens and closes the connections. Made by
//! users through `connect` and `PostgresOptions`; called by the engine.

use std::{fmt, sync::Arc, time::Duration};

use tracker_core::{
    Error, Options, Tracker,
    store::{Access, Loaded, OptionsExt as _, Store, StoreListener, StoreUnit, Want},
};

use crate::{
    error,
    listener::PostgresListener,
    options::PostgresOptions,
    schema,
    shared::{Pauses, Shared, change_number},
    sql::Sql,
    unit::PostgresUnit,
    views,
    wire::{connection::Step, error::WireError, params::Params},
};

/// A tracker's tables in a PostgreSQL server.
pub struct PostgresStore {
    pub(crate) shared: Arc<Shared>,
}

impl PostgresStore {
    /// Connects, and makes the tables if the schema has none, unless [`PostgresOptions::create_tables`] says otherwise.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](tracker_core::ErrorKind::Invalid) if the login is refused, the database is missing, or the role lacks a right.
    /// - [`ErrorKind::Io`](tracker_core::ErrorKind::Io) if no server answers.
    /// - [`ErrorKind::Busy`](tracker_core::ErrorKind::Busy) if the server has no connection free within [`PostgresOptions::busy_timeout`].
    /// - [`ErrorKind::ReadOnly`](tracker_core::ErrorKind::ReadOnly) if the server is a standby.
    /// - [`ErrorKind::Foreign`](tracker_core::ErrorKind::Foreign) if the schema holds tables of another program.
    /// - [`ErrorKind::Unsupported`](tracker_core::ErrorKind::Unsupported) if a newer version has changed the tables, or they lack a migration
    ///   that this open may not run.
    /// - [`ErrorKind::NotFound`](tracker_core::ErrorKind::NotFound) if there are no tables and this open may not make them.
    pub fn connect(options: &PostgresOptions) -> Result<Self, Error> {
        let shared = Shared::new(options)?;
        let deadline = shared.deadline();
        let mut slot = shared.slot(deadline)?;
        let mut pauses = Pauses::default();
        let result = loop {
            match shared.open() {
                Ok(mut connection) => {
                    let mut result = schema::prepare(&mut connection, &shared.name, options);
                    // An open that may not make tables makes no views either.
                    if result.is_ok() && options.creates {
                        let refreshed = views::refresh(&mut connection, &shared.schema);
                        result = refreshed.map_err(|error| error::describe(&shared.name, error));
                    }
                    slot.connection = Some(connection);
                    break result;
                }
                // A server that does not listen at the first attempt is a wrong URL more often than an outage.
                Err(error) if matches!(error, WireError::Server(_)) && error::may_come_back(&error) => {
                    if !pauses.wait(deadline) {
                        break Err(error::describe(&shared.name, error));
                    }
                }
                Err(error) => break Err(error::describe(&shared.name, error)),
            }
        };
        shared.pool.give_back(slot);
        result.map(|()| Self { shared: Arc::new(shared) })
    }
}

impl PostgresStore {
    /// Runs a statement that returns a number, outside of a unit of work, and again if the server refuses it with a conflict.
    fn number(&self, statement: Sql, params: impl Fn() -> Params) -> Result<u64, Error> {
        let deadline = self.shared.deadline();
        let mut slot = self.shared.slot(deadline)?;
        let mut pauses = Pauses::default();
        let result = loop {
            let result = self.shared.with_connection(&mut slot, deadline, |connection| {
                let answers =
                    connection.run(&[Step::Run(statement, params()), Step::Sync]).map_err(|failed| failed.error)?;
                change_number(answers.into_iter().next())
            });
            match result {
                Err(error) if error::is_conflict(&error) && pauses.wait(deadline) => {}
                result => break result,
            }
        };
        self.shared.pool.give_back(slot);
        result.map_err(|error| error::describe(&self.shared.name, error))
    }
}

impl PostgresOptions {
    /// Opens the tracker. The tables are made if they are missing.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub fn connect(&self) -> Result<Tracker, Error> {
        self.open(Tracker::options())
    }

    /// Opens the tracker with options of its own, such as a clock. The options of files have no effect.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub fn open(&self, options: Options) -> Result<Tracker, Error> {
        options.open_store(PostgresStore::connect(self)?)
    }

    /// Opens the tracker only to look at it. Makes and changes nothing, so the role needs no right to write.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`] without [`PostgresOptions::create_tables`].
    pub fn inspect(&self, options: Options) -> Result<Tracker, Error> {
        options.inspect_store(PostgresStore::connect(&self.clone().create_tables(false))?)
    }
}

impl Store for PostgresStore {
    fn name(&self) -> String {
        self.shared.options.name()
    }

    fn other_trackers(&self) -> Result<u64, Error> {
        let number = i64::from(self.shared.open_number());
        self.number(Sql::Others, || Params::default().value(number))
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>, Error> {
        Ok(self.begin_and_load(access, &[])?.0)
    }

    fn begin_and_load(&self, access: Access, wants: &[Want]) -> Result<(Box<dyn StoreUnit>, Vec<Loaded>), Error> {
        let (unit, loaded) = PostgresUnit::begin(&self.shared, access, wants)?;
        Ok((Box::new(unit), loaded))
    }

    fn change(&self) -> Result<u64, Error> {
        self.number(Sql::ChangeNumber, Params::default)
    }

    fn listen(&self) -> Result<Option<Box<dyn StoreListener>>, Error> {
        let listener = PostgresListener::open(&self.shared)?;
        Ok(listener.map(|listener| Box::new(listener) as Box<dyn StoreListener>))
    }

    fn poll_interval(&self) -> Duration {
        self.shared.options.poll_interval
    }

    fn close(&self) -> Result<(), Error> {
        self.shared.pool.close();
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
