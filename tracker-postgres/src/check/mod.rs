//! `PostgresOptions::check`: finds out if a schema and its server are as a tracker needs them. Called by users and `tracker doctor`; reads
//! catalogs and settings, and changes nothing. `facts` judges what was read.

mod facts;

use std::time::{SystemTime, UNIX_EPOCH};

use tracker_core::Error;

use self::facts::{Facts, SETTINGS, Server, Vacuum, clock_difference};
use crate::{
    error,
    options::PostgresOptions,
    schema,
    shared::Shared,
    sql::{Check, Sql},
    wire::{
        connection::{Connection, Step},
        error::{Result as WireResult, WireError},
        params::Params,
        row::Row,
    },
};

/// The result of [`PostgresOptions::check`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SchemaCheck {
    /// The version of the server, such as `15.7`.
    pub version: String,
    /// The number of the last migration of the schema.
    pub layout: u64,
    /// Connections of all programs to all databases of the server.
    pub connections: u64,
    /// Most connections of the server, without those reserved for superusers.
    pub max_connections: u64,
    /// The problems, the most severe first.
    pub findings: Vec<Finding>,
}

/// A problem of a schema or its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The sort of the problem, as one word: `tables_changed`, `index_missing`, `migrations_missing`, `rights_missing`, `read_only`, `durability_off`,
    /// `old_server`, `autovacuum_off`, `dead_rows`, `statement_timeout`, `connections`, `clock`, `many_marks`.
    pub what: &'static str,
    /// The problem and the way out.
    pub text: String,
}

impl PostgresOptions {
    /// Checks the schema and its server: tables, indexes and migrations, rights of the role, settings, autovacuum, connections and clocks.
    /// Changes nothing. [`Tracker::verify`](tracker_core::Tracker::verify) compares the rows themselves.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), tracker_core::Error> {
    /// let options = tracker_postgres::PostgresOptions::new("postgres://app@db.example/jobs")?;
    /// for finding in options.check()?.findings {
    ///     println!("{}", finding.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`PostgresStore::connect`](crate::PostgresStore::connect) without [`PostgresOptions::create_tables`], except that missing
    /// migrations are a finding.
    pub fn check(&self) -> Result<SchemaCheck, Error> {
        let shared = Shared::new(self)?;
        let described = |error| error::describe(&shared.name, error);
        let mut connection = shared.open().map_err(described)?;
        let layout = schema::layout(&mut connection, &shared.name, &self.schema)?
            .ok_or_else(|| schema::missing(&shared.name, &self.schema))?;
        let facts = examine(&mut connection, self, layout).map_err(described)?;
        let findings = facts.findings();
        Ok(SchemaCheck {
            version: facts.server.version,
            layout: layout as u64,
            connections: u64::try_from(facts.server.connections).unwrap_or(0),
            max_connections: u64::try_from(facts.server.max_connections).unwrap_or(0),
            findings,
        })
    }
}

fn examine(connection: &mut Connection<Sql>, options: &PostgresOptions, layout: usize) -> WireResult<Facts> {
    let schema = || Params::default().value(options.schema.as_str());
    let before = micros_now();
    let server = rows(connection, Check::Server, Params::default())?.into_iter().next();
    let server = server.ok_or(WireError::Protocol("a row is missing"))?;
    let after = micros_now();
    let server = Server::read(server)?;
    let columns = rows(connection, Check::Columns, schema())?;
    let names = rows(connection, Check::Names, schema())?;
    let missing_rights = rows(connection, Check::MissingRights, schema())?;
    let vacuum = rows(connection, Check::Vacuum, schema())?;
    let marks = match rows(connection, Check::Marks, Params::default()) {
        Ok(rows) => rows.into_iter().next().map(|mut row| row.int8()).transpose()?,
        // No right, or no table: findings of their own.
        Err(error) if matches!(error.code(), "42501" | "42P01") => None,
        Err(error) => return Err(error),
    };
    Ok(Facts {
        schema: schema::quoted(&options.schema),
        layout,
        columns: columns
            .into_iter()
            .map(|mut row| Ok((row.text()?, row.text()?, row.text()?)))
            .collect::<WireResult<_>>()?,
        names: names.into_iter().map(|mut row| row.text()).collect::<WireResult<_>>()?,
        missing_rights: missing_rights
            .into_iter()
            .map(|mut row| Ok((row.text()?, row.text()?)))
            .collect::<WireResult<_>>()?,
        vacuum: vacuum.into_iter().map(Vacuum::read).collect::<WireResult<_>>()?,
        marks,
        clock_difference: clock_difference(before, server.time, after),
        wanted_connections: i64::try_from(options.connections).unwrap_or(i64::MAX),
        busy_timeout: options.busy_timeout,
        server,
    })
}

fn rows(connection: &mut Connection<Sql>, check: Check, params: Params) -> WireResult<Vec<Row>> {
    let answers = connection.run(&[Step::Run(Sql::Check(check), params), Step::Sync]).map_err(|failed| failed.error)?;
    Ok(answers.into_iter().next().map(|answer| answer.rows).unwrap_or_default())
}

/// The clock of this process in microseconds since 1970.
fn micros_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

impl Server {
    fn read(mut row: Row) -> WireResult<Self> {
        let (version, version_number) = (row.text()?, row.int8()?);
        let settings = SETTINGS.into_iter().map(|name| Ok((name, row.text()?))).collect::<WireResult<_>>()?;
        Ok(Self {
            version,
            version_number,
            settings,
            statement_timeout: row.int8()?,
            max_connections: row.int8()?,
            connections: row.int8()?,
            time: row.int8()?,
            role: row.text()?,
        })
    }
}

impl Vacuum {
    fn read(mut row: Row) -> WireResult<Self> {
        Ok(Self { table: row.text()?, is_off: row.int8()? > 0, dead: row.int8()?, live: row.int8()? })
    }
}
