//! `PostgresOptions`: the options of a connection to a server. Set by users, read by the store and by `check`; connects to nothing by itself.

use std::{fmt, time::Duration};

use tracker_core::{Error, ErrorKind, store::store_error};

use crate::address::Address;

/// How transactions of writing units are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// Locks on the rows that a unit of work loads keep it apart from others. Nothing is run twice because of rows that it has not loaded.
    #[default]
    ReadCommitted,
    /// The server finds each conflict, also on rows that were not there. More units of work are run again.
    Serializable,
}

/// Options of a connection to a server.
///
/// ```
/// use std::time::Duration;
/// use tracker_postgres::PostgresOptions;
///
/// # fn main() -> Result<(), tracker_core::Error> {
/// let options = PostgresOptions::new("postgres://app:secret@db.example/jobs?sslmode=verify-full")?
///     .schema("images")
///     .connections(16)
///     .busy_timeout(Duration::from_secs(60));
/// assert!(!format!("{options:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct PostgresOptions {
    pub(crate) address: Address,
    pub(crate) schema: String,
    pub(crate) connections: usize,
    pub(crate) busy_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) isolation: Isolation,
    pub(crate) prepares: bool,
    pub(crate) client_clock: bool,
    pub(crate) creates: bool,
    pub(crate) notifies: bool,
    pub(crate) poll_interval: Duration,
}

impl PostgresOptions {
    /// Returns options for the server that a URL names: `postgres://user:password@host:port/database`. Parts may be missing. Parameters behind a
    /// `?`: `host` (also the folder of a Unix socket), `port`, `user`, `password`, `dbname`, `schema` (as [`Self::schema`]), `application_name`,
    /// `sslmode` (`disable`, `prefer`, `require`, `verify-full`), `sslrootcert`, `sslcert`, `sslkey`. A password may also be in the
    /// environment variable `PGPASSWORD`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the URL is malformed. The error does not repeat the URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let mut address = Address::parse(url).map_err(|what| {
            let message =
                format!("the URL of the server is malformed: {what} (expected postgres://user@host/database)");
            store_error(ErrorKind::Invalid, message, what)
        })?;
        let schema = address.schema.take();
        Ok(Self {
            address,
            schema: schema.unwrap_or_else(|| "tracker".into()),
            connections: 8,
            busy_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            isolation: Isolation::default(),
            prepares: true,
            client_clock: false,
            creates: true,
            notifies: true,
            poll_interval: Duration::from_secs(1),
        })
    }

    /// Returns server, port, database and schema, without the login. For messages.
    ///
    /// ```
    /// use tracker_postgres::PostgresOptions;
    ///
    /// # fn main() -> Result<(), tracker_core::Error> {
    /// let options = PostgresOptions::new("postgres://app:secret@db.example/jobs?schema=images")?;
    /// assert_eq!(options.name(), "postgres://db.example:5432/jobs?schema=images");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}?schema={}", self.address.name(), self.schema)
    }

    /// Sets the schema in which the tables of the tracker are. Trackers in different schemas of a database share no tasks.
    /// Default: `tracker`.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets the most connections that are open at once, at least 1. A unit of work holds one while it runs. Default: 8.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Sets how long a call waits for a connection, a lock, or a server that restarts, before it fails as
    /// [`Busy`](ErrorKind::Busy) or [`Io`](ErrorKind::Io). Default: 30 s.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets how long a host may take to accept a connection, and to answer each message of the login. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        // The operating system refuses a timeout of zero.
        self.connect_timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// Sets how long a transaction may be idle before the server ends it. So the locks of a machine that has lost its power are freed.
    /// Raise it if user code inside a transaction takes longer. Default: 60 s.
    pub fn idle_transaction_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets how writing transactions are kept apart. Default: [`Isolation::ReadCommitted`].
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Sets whether statements are prepared once for each connection. Set it to `false` behind a pool that hands out another connection for each
    /// transaction, such as PgBouncer in transaction mode; statements are then parsed with each use. Default: `true`.
    pub fn prepared_statements(mut self, prepares: bool) -> Self {
        self.prepares = prepares;
        self
    }

    /// Sets whether the clock of this process counts instead of the server's. For tests with a clock of their own. Default: `false`.
    pub fn client_clock(mut self, counts: bool) -> Self {
        self.client_clock = counts;
        self
    }

    /// Sets whether an open makes the tables if they are missing, or runs missing migrations. Without it, such an open fails as
    /// [`NotFound`](ErrorKind::NotFound) or [`Unsupported`](ErrorKind::Unsupported). Default: `true`.
    pub fn create_tables(mut self, creates: bool) -> Self {
        self.creates = creates;
        self
    }

    /// Sets whether waiting workers are woken by notifications of the server (`LISTEN`, `NOTIFY`), which takes one connection more while they wait.
    /// Without them, or without [`Self::prepared_statements`], they ask for changes up to ten times per second. Default: `true`.
    pub fn notifications(mut self, notifies: bool) -> Self {
        self.notifies = notifies;
        self
    }

    /// Sets how long a waiting worker relies on notifications before it asks for changes itself, at least 5 ms. Default: 1 s.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Whether a listener can be open: the next transaction keeps its connection.
    pub(crate) fn listens(&self) -> bool {
        self.notifies && self.prepares
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("server", &self.address.name())
            .field("schema", &self.schema)
            .field("connections", &self.connections)
            .field("busy_timeout", &self.busy_timeout)
            .field("isolation", &self.isolation)
            .field("prepared_statements", &self.prepares)
            .finish_non_exhaustive()
    }
}
