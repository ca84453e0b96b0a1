//! `Change`: the SQL of statements that change rows. Part of `Sql`; used by `commit`. Pure.

use crate::wire::params::oid::{BYTEAS, INT2, INT2S, INT8, INT8S};

use super::{columns::Columns, load::Plain};

/// A statement that changes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    DeleteTasks,
    /// Changes these columns. The parameters are the kinds, the sequence numbers, and each column in the order of [`Columns::list`].
    UpdateTasks(Columns),
    /// Inserts tasks with these columns. Parameters as those of an update.
    InsertTasks(Columns),
    Delete(Plain),
    /// Inserts rows that were not there when they were looked for: a rival's row is a conflict.
    Insert(Plain),
    /// Inserts or replaces rows.
    Put(Plain),
    DeleteCounts,
    SetCounts,
    /// Adds to counts on a shard.
    AddCounts,
    /// Raises the schema if it still has a number.
    RaiseSchema,
}

impl Change {
    pub(super) fn text(self, schema: &str) -> (String, Vec<u32>) {
        match self {
            Self::DeleteTasks => (
                format!(
                    "DELETE FROM {schema}.tasks t USING unnest($1, $2) AS e(kind, seq) WHERE t.kind = e.kind AND t.seq = e.seq"
                ),
                vec![INT8S, INT8S],
            ),
            Self::UpdateTasks(columns) => {
                let (names, params, types) = task_columns(columns);
                let assignments = columns.list().map(|column| format!("{0} = e.{0}", column.name()));
                (
                    format!(
                        "UPDATE {schema}.tasks t SET {} FROM unnest({params}) AS e({names}) WHERE t.kind = e.kind AND t.seq = e.seq",
                        assignments.collect::<Vec<_>>().join(", ")
                    ),
                    types,
                )
            }
            Self::InsertTasks(columns) => {
                let (names, params, types) = task_columns(columns);
                (format!("INSERT INTO {schema}.tasks ({names}) SELECT * FROM unnest({params})"), types)
            }
            Self::Delete(plain) => {
                let table = plain.table();
                match plain {
                    Plain::Rows => (
                        format!(
                            "DELETE FROM {schema}.{table} t USING unnest($1, $2) AS e(tbl, key) WHERE t.tbl = e.tbl AND t.key = e.key"
                        ),
                        vec![INT2S, BYTEAS],
                    ),
                    Plain::Indexes => (
                        format!(
                            "DELETE FROM {schema}.{table} t USING unnest($1, $2) AS e(key, seq) WHERE t.key = e.key AND t.seq = e.seq"
                        ),
                        vec![BYTEAS, INT8S],
                    ),
                    Plain::History | Plain::UniqueKeys => {
                        (format!("DELETE FROM {schema}.{table} WHERE key = ANY($1)"), vec![BYTEAS])
                    }
                }
            }
            Self::Insert(plain) => insert(schema, plain, ""),
            Self::Put(plain) => match plain {
                Plain::Rows => insert(schema, plain, " ON CONFLICT (tbl, key) DO UPDATE SET value = excluded.value"),
                Plain::History => insert(schema, plain, " ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
                Plain::Indexes => insert(schema, plain, " ON CONFLICT (key, seq) DO NOTHING"),
                Plain::UniqueKeys => {
                    insert(schema, plain, " ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, seq = excluded.seq")
                }
            },
            Self::DeleteCounts => (format!("DELETE FROM {schema}.counts WHERE key = ANY($1)"), vec![BYTEAS]),
            Self::SetCounts => (
                format!(
                    "INSERT INTO {schema}.counts (key, shard, value) SELECT key, 0, value FROM unnest($1, $2) AS e(key, value)"
                ),
                vec![BYTEAS, INT8S],
            ),
            Self::AddCounts => (
                format!(
                    "INSERT INTO {schema}.counts AS c (key, shard, value) \
                     SELECT key, $3, value FROM unnest($1, $2) AS e(key, value) \
                     ON CONFLICT (key, shard) DO UPDATE SET value = c.value + excluded.value"
                ),
                vec![BYTEAS, INT8S, INT2],
            ),
            Self::RaiseSchema => (
                format!(
                    "WITH raised AS (UPDATE {schema}.meta SET schema = schema + 1 WHERE schema = $1 RETURNING 1) \
                     SELECT 1 / count(*) FROM raised"
                ),
                vec![INT8],
            ),
        }
    }
}

fn insert(schema: &str, plain: Plain, on_conflict: &str) -> (String, Vec<u32>) {
    let (columns, params, types) = match plain {
        Plain::Rows => ("tbl, key, value", "$1, $2, $3", vec![INT2S, BYTEAS, BYTEAS]),
        Plain::History => ("key, value", "$1, $2", vec![BYTEAS, BYTEAS]),
        Plain::Indexes => ("key, seq", "$1, $2", vec![BYTEAS, INT8S]),
        Plain::UniqueKeys => ("key, kind, seq", "$1, $2, $3", vec![BYTEAS, INT8S, INT8S]),
    };
    let table = plain.table();
    (format!("INSERT INTO {schema}.{table} ({columns}) SELECT * FROM unnest({params}){on_conflict}"), types)
}

/// The names of the key of a task and of some of its columns, their parameters, and the types of these.
fn task_columns(columns: Columns) -> (String, String, Vec<u32>) {
    let key = [("kind", INT8S), ("seq", INT8S)];
    let (names, types): (Vec<_>, Vec<_>) =
        key.into_iter().chain(columns.list().map(|column| (column.name(), column.array_type()))).unzip();
    let params = (1..=types.len()).map(|number| format!("${number}")).collect::<Vec<_>>();
    (names.join(", "), params.join(", "), types)
}
