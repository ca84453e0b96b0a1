//! The store: connections to the server, and units of work over them.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicI32},
};

use tracker_core::{
    Error, Options, Tracker,
    store::{Access, OptionsExt as _, Store, StoreUnit},
};
use uuid::Uuid;

use crate::{
    error,
    numbers::Learned,
    options::PostgresOptions,
    pool::Pool,
    schema,
    shared::{Pauses, Shared, change_number},
    sql::Sql,
    unit::PostgresUnit,
    wire::{connection::Step, error::WireError, params::Params},
};

/// A tracker's tables in a PostgreSQL server.
pub struct PostgresStore {
    pub(crate) shared: Arc<Shared>,
}

impl PostgresStore {
    /// Connects, and makes the tables if the schema has none.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](tracker_core::ErrorKind::Invalid) if the login is refused, the database is missing, or the role lacks a right.
    /// - [`ErrorKind::Io`](tracker_core::ErrorKind::Io) if no server answers.
    /// - [`ErrorKind::Busy`](tracker_core::ErrorKind::Busy) if the server has no connection free within [`PostgresOptions::busy_timeout`].
    /// - [`ErrorKind::ReadOnly`](tracker_core::ErrorKind::ReadOnly) if the server is a standby.
    /// - [`ErrorKind::Foreign`](tracker_core::ErrorKind::Foreign) if the schema holds tables of another program.
    /// - [`ErrorKind::Unsupported`](tracker_core::ErrorKind::Unsupported) if a newer version has changed the tables.
    pub fn connect(options: &PostgresOptions) -> Result<Self, Error> {
        schema::check_name(&options.schema)?;
        let shared = Shared {
            name: options.address.name(),
            schema: schema::quoted(&options.schema),
            process: Uuid::new_v4(),
            pool: Pool::new(options.connections),
            learned: Learned::default(),
            next_caller: AtomicI32::new(-2),
            options: options.clone(),
        };
        let deadline = shared.deadline();
        let mut slot = shared.slot(deadline)?;
        let mut pauses = Pauses::default();
        let result = loop {
            match shared.open() {
                Ok(mut connection) => {
                    let result = schema::prepare(&mut connection, &shared.name, &options.schema);
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
}

impl Store for PostgresStore {
    fn name(&self) -> String {
        self.shared.name.clone()
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>, Error> {
        Ok(Box::new(PostgresUnit::begin(&self.shared, access)?))
    }

    fn change(&self) -> Result<u64, Error> {
        let deadline = self.shared.deadline();
        let mut slot = self.shared.slot(deadline)?;
        let result = self.shared.with_connection(&mut slot, deadline, |connection| {
            let steps = [Step::Run(Sql::ChangeNumber, Params::default()), Step::Sync];
            let answers = connection.run(&steps).map_err(|failed| failed.error)?;
            change_number(answers.into_iter().next())
        });
        self.shared.pool.give_back(slot);
        result.map_err(|error| error::describe(&self.shared.name, error))
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
