//! The view of each kind, for people who read tasks by SQL. Created and replaced when a store is opened, and after a commit that changes a
//! kind.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use tracker_core::store::StoredKind;

use crate::{
    schema::quoted,
    sql::{self, Sql},
    wire::{
        connection::{Connection, Step},
        error::Result,
        params::Params,
        row::Row,
    },
};

/// How long a changed view waits for sessions that read it. The next open tries again.
const PATIENCE: &str = "2s";

/// The longest name of the server, in bytes.
const NAME_MAX: usize = 63;

/// A view of a kind.
struct View {
    /// The name, without quotes.
    name: String,
    /// The statement that makes it.
    text: String,
    /// Says whether a view is this one.
    comment: String,
}

/// Makes the views that are missing, and replaces those of kinds that have changed. A role that may not do so, and a view that is in use for
/// long, leave them as they are.
///
/// # Errors
/// The connection broke.
pub(crate) fn refresh(connection: &mut Connection<Sql>, schema: &str) -> Result<()> {
    let result = views(connection, schema).and_then(|views| {
        for View { name, text, comment } in views {
            let (view, lock) = (quoted(&name), sql::lock_number(schema, "views"));
            let comment = literal(&comment);
            let script = format!(
                "BEGIN; SET LOCAL lock_timeout = '{PATIENCE}'; SELECT pg_catalog.pg_advisory_xact_lock({lock}); \
                 {text}; COMMENT ON VIEW {schema}.{view} IS {comment}; COMMIT"
            );
            if connection.script(&script).is_err() {
                connection.script("ROLLBACK")?;
            }
        }
        Ok(())
    });
    result.or_else(|error| if error.is_final() { Err(error) } else { Ok(()) })
}

/// The views that are missing, and those of kinds that have changed.
fn views(connection: &mut Connection<Sql>, schema: &str) -> Result<Vec<View>> {
    let steps = [Sql::Kinds, Sql::Views].map(|statement| Step::Run(statement, Params::default()));
    let mut answers = connection.run(&with_end(steps)).map_err(|failed| failed.error)?.into_iter();
    let kinds = answers.next().unwrap_or_default().rows;
    let found = answers.next().unwrap_or_default().rows;
    let comments: HashMap<String, String> =
        found.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect::<Result<_>>()?;
    let read = |mut row: Row| Ok(StoredKind::from_row(&row.some_bytes()?, &row.some_bytes()?));
    let kinds = kinds.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let views = kinds.into_iter().flatten().map(|kind| view_of(&kind, schema));
    Ok(views.filter(|view| comments.get(&view.name) != Some(&view.comment)).collect())
}

fn with_end<const N: usize>(steps: [Step<Sql>; N]) -> Vec<Step<Sql>> {
    steps.into_iter().chain([Step::Sync]).collect()
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    // A backslash is a character of its own only in this form.
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// The view of a kind. Its columns are the same for all kinds, so that it can be replaced while others depend on it.
fn view_of(kind: &StoredKind, schema: &str) -> View {
    let name = view_name(kind);
    let codes = |has: fn(&tracker_core::store::StoredStatus) -> bool| {
        format!("'{{{}}}'::int4[]", list(kind.statuses.iter().filter(|status| has(status)).map(|status| status.code)))
    };
    let (running, ended) = (codes(|status| status.is_running), codes(|status| status.is_terminal));
    let waiting = codes(|status| !status.is_running && !status.is_terminal);
    let cases = kind.statuses.iter().map(|status| format!(" WHEN {} THEN {}", status.code, literal(&status.name)));
    let cases = cases.collect::<Vec<_>>().concat();
    let status = format!("CASE t.status{cases} ELSE t.status::text END");
    let names = |names: &[String]| format!("ARRAY[{}]::text[]", list(names.iter().map(|name| literal(name))));
    let (indexes, uniques) = (names(&kind.indexes), names(&kind.uniques));
    let number = kind.number;
    let text = format!(
        "CREATE OR REPLACE VIEW {schema}.{} AS SELECT \
         coalesce(t.id, {schema}.value_of(substring(t.id_key FROM 5)) #>> '{{}}') AS id, \
         {status} AS status, t.status AS status_code, \
         CASE WHEN t.status = ANY({running}) THEN ({schema}.task_header(t.header)).priority ELSE t.priority END AS priority, \
         CASE WHEN t.status = ANY({waiting}) THEN {schema}.time_of(t.at) END AS due_at, \
         CASE WHEN t.status = ANY({running}) THEN {schema}.time_of(t.at) END AS expires_at, \
         CASE WHEN t.status = ANY({ended}) THEN {schema}.time_of(t.at) END AS ended_at, \
         ({schema}.task_header(t.header)).created AS created_at, \
         ({schema}.task_header(t.header)).updated AS updated_at, \
         ({schema}.task_header(t.header)).attempts AS attempts, \
         ({schema}.task_header(t.header)).failures AS failures, \
         ({schema}.task_header(t.header)).worker AS worker, \
         (SELECT failed.error FROM (SELECT {schema}.attempt_error(h.value) AS error, h.key FROM {schema}.history h \
         WHERE h.key >= substring(int8send(t.kind) FROM 5) || int8send(t.seq) \
         AND h.key < substring(int8send(t.kind) FROM 5) || int8send(t.seq + 1)) AS failed \
         WHERE failed.error IS NOT NULL ORDER BY failed.key DESC LIMIT 1) AS error, \
         {schema}.task_values(t.payload, 1, {indexes}) AS indexes, \
         {schema}.task_values(t.payload, 2, {uniques}) AS keys, \
         {schema}.task_payload(t.payload) AS payload, \
         t.seq AS number \
         FROM {schema}.tasks t WHERE t.kind = {number} AND t.header IS NOT NULL",
        quoted(&name),
    );
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(&text);
    let comment = format!("Tasks of the kind {}. Made by tracker-postgres ({hash:016x}).", kind.name);
    View { name, text, comment }
}

/// `v_` and the name of the kind; a long name is cut, and has its number then.
fn view_name(kind: &StoredKind) -> String {
    let name = format!("v_{}", kind.name);
    if name.len() <= NAME_MAX {
        return name;
    }
    let end = format!("_{}", kind.number);
    let cut = name.char_indices().map(|(at, _)| at).take_while(|at| *at <= NAME_MAX - end.len()).last().unwrap_or(0);
    format!("{}{end}", name.get(..cut).unwrap_or_default())
}
