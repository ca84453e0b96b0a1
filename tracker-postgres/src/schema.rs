//! The tables of a tracker in the server: created and migrated at the first start, their layout checked at each. Called by the store when it is
//! opened, with the SQL of `migrations/`. `quoted` and `check_name` are for every module that names a schema.

use tracker_core::{Error, ErrorKind, store::store_error};

use crate::{
    error,
    options::PostgresOptions,
    sql::{self, Sql},
    wire::{
        connection::{Connection, Step},
        error::{Result, WireError},
        params::Params,
        row::Row,
    },
};

/// The scripts that make the tables, in order. A released script never changes.
pub(crate) const MIGRATIONS: [&str; 4] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
];
const MARK: &str = "tracker";
/// How long the marks of a process are kept that does not commit.
const KEPT: &str = "7 days";

/// A name as an identifier of the server.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Refuses a name that the server would cut or that is its own.
pub(crate) fn check_name(name: &str) -> std::result::Result<(), Error> {
    let problem = match name {
        "" => "it is empty",
        name if name.len() > 63 => "it has more than 63 bytes",
        name if name.contains('\0') => "it has a zero byte",
        name if name.starts_with("pg_") => "names that start with pg_ are the server's",
        _ => return Ok(()),
    };
    let message = format!("cannot use the schema {name:?}: {problem}");
    Err(store_error(ErrorKind::Invalid, message, problem))
}

/// Makes the tables if they are missing or older, and refuses those of another program or of a newer version. Writes nothing if the options
/// do not allow to create tables.
pub(crate) fn prepare(
    connection: &mut Connection<Sql>,
    server: &str,
    options: &PostgresOptions,
) -> std::result::Result<(), Error> {
    let failed = |error: WireError| error::describe(server, error);
    let schema = options.schema.as_str();
    let layout = layout(connection, server, schema)?;
    if !options.creates {
        return match layout {
            None => Err(missing(server, schema)),
            Some(layout) if layout < MIGRATIONS.len() => {
                let message = format!(
                    "{server}: the tables in the schema {schema:?} have the layout {layout}, and this version needs {}: open them once with PostgresOptions::create_tables, which runs the migrations",
                    MIGRATIONS.len()
                );
                Err(store_error(ErrorKind::Unsupported, message, "migrations are missing"))
            }
            Some(_) => Ok(()),
        };
    }
    if layout != Some(MIGRATIONS.len()) {
        let result = migrate(connection, server, schema);
        if result.is_err() {
            connection.send_only("ROLLBACK");
        }
        result?;
    }
    fold_marks(connection, &quoted(schema)).map_err(failed)
}

/// The number of the last migration; `None` if there are no tables.
pub(crate) fn layout(
    connection: &mut Connection<Sql>,
    server: &str,
    schema: &str,
) -> std::result::Result<Option<usize>, Error> {
    let found = exists(connection, schema).map_err(|error| error::describe(server, error))?;
    if found.meta { read_layout(connection, server, schema).map(Some) } else { Ok(None) }
}

/// The error of an open that may not make the tables.
pub(crate) fn missing(server: &str, schema: &str) -> Error {
    let message = format!(
        "{server}: there is no tracker in the schema {schema:?}: correct the schema, or open it once with PostgresOptions::create_tables"
    );
    store_error(ErrorKind::NotFound, message, "the tables are missing")
}

struct Exists {
    schema: bool,
    meta: bool,
}

fn exists(connection: &mut Connection<Sql>, schema: &str) -> Result<Exists> {
    let mut row = one_row(connection, Sql::Exists, Params::default().value(schema))?
        .ok_or(WireError::Protocol("a row is missing"))?;
    Ok(Exists { schema: row.int8()? > 0, meta: row.int8()? > 0 })
}

fn one_row(connection: &mut Connection<Sql>, statement: Sql, params: Params) -> Result<Option<Row>> {
    let answers = connection.run(&[Step::Run(statement, params), Step::Sync]).map_err(|failed| failed.error)?;
    Ok(answers.into_iter().next().and_then(|answer| answer.rows.into_iter().next()))
}

/// The number of the last migration.
fn read_layout(connection: &mut Connection<Sql>, server: &str, schema: &str) -> std::result::Result<usize, Error> {
    let foreign = || {
        let message = format!(
            "{server}: the schema {schema:?} has a table meta of another program; choose another schema with PostgresOptions::schema"
        );
        store_error(ErrorKind::Foreign, message, "the mark of a tracker is missing")
    };
    let row = match one_row(connection, Sql::Layout, Params::default()) {
        Err(error) if matches!(error.code(), "42703" | "42809" | "42846") => return Err(foreign()),
        other => other.map_err(|error| error::describe(server, error))?,
    };
    let Some(mut row) = row else { return Err(foreign()) };
    let (Ok(mark), Ok(layout)) = (row.text(), row.int8()) else { return Err(foreign()) };
    if mark != MARK {
        return Err(foreign());
    }
    let layout = usize::try_from(layout).unwrap_or(usize::MAX);
    if layout > MIGRATIONS.len() {
        let message = format!(
            "{server}: the tables in the schema {schema:?} have the layout {layout}, and this version knows those up to {}: update tracker-postgres",
            MIGRATIONS.len()
        );
        return Err(store_error(ErrorKind::Unsupported, message, "a newer version has changed the tables"));
    }
    Ok(layout)
}

/// Runs the missing scripts in one transaction. Other processes that start meanwhile wait for it.
fn migrate(connection: &mut Connection<Sql>, server: &str, schema: &str) -> std::result::Result<(), Error> {
    let failed = |error: WireError| match error.code() {
        "42P07" | "42710" => {
            let message = format!(
                "{server}: the schema {schema:?} has tables of another program ({error}); choose another schema with PostgresOptions::schema"
            );
            store_error(ErrorKind::Foreign, message, error)
        }
        _ => error::describe(server, error),
    };
    let name = quoted(schema);
    let lock = sql::lock_number(&name, "migration");
    connection.script("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").map_err(failed)?;
    connection.script(&format!("SELECT pg_catalog.pg_advisory_xact_lock({lock})")).map_err(failed)?;
    let found = exists(connection, schema).map_err(failed)?;
    let layout = if found.meta { Some(read_layout(connection, server, schema)?) } else { None };
    if !found.schema {
        connection.script(&format!("CREATE SCHEMA {name}")).map_err(failed)?;
    }
    for script in MIGRATIONS.iter().skip(layout.unwrap_or(0)) {
        connection.script(&script.replace("{schema}", &name)).map_err(failed)?;
    }
    let last = MIGRATIONS.len();
    let mark = match layout {
        None => format!("INSERT INTO {name}.meta (mark, layout, schema) VALUES ('{MARK}', {last}, 0)"),
        Some(_) => format!("UPDATE {name}.meta SET layout = {last}"),
    };
    connection.script(&mark).map_err(failed)?;
    connection.script("COMMIT").map_err(failed)
}

/// Replaces the marks of processes that are gone by one row with the sums of their counters.
fn fold_marks(connection: &mut Connection<Sql>, name: &str) -> Result<()> {
    let nobody = "'00000000-0000-0000-0000-000000000000'";
    connection.script(&format!(
        "WITH gone AS (DELETE FROM {name}.marks WHERE at < now() - interval '{KEPT}' RETURNING commits, rewinds) \
         INSERT INTO {name}.marks AS m (process, slot, epoch, batch, commits, rewinds, at) \
         SELECT {nobody}::uuid, 0, 0, 0, sum(commits), sum(rewinds), 'infinity' FROM gone HAVING count(*) > 0 \
         ON CONFLICT (process, slot) DO UPDATE \
         SET commits = m.commits + excluded.commits, rewinds = m.rewinds + excluded.rewinds"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_quoted_and_checked() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert!(check_name("a b").is_ok());
        for name in ["", "pg_x", "a\0", &"x".repeat(64)] {
            assert_eq!(check_name(name).err().map(|error| error.kind()), Some(ErrorKind::Invalid), "{name:?}");
        }
    }
}
