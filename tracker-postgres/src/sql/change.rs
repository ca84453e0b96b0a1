//! `Change`: the SQL of statements that change rows. Part of `Sql`; used by `commit`. Pure.

use crate::wire::params::oid::{BYTEAS, INT2, INT2S, INT8, INT8S};

use super::{columns::Columns, is_row_of, load::Plain, row_count::RowCount};

/// A statement that changes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    DeleteTasks,
    /// Changes these columns. The parameters are the kinds, the sequence numbers, and each column in the order of [`Columns::list`].
    UpdateTasks(Columns, RowCount),
    /// Inserts tasks with these columns. Parameters as those of an update.
    InsertTasks(Columns, RowCount),
    Delete(Plain),
    /// Inserts rows that were not there when they were looked for: a rival's row is a conflict.
    Insert(Plain, RowCount),
    /// Inserts or replaces rows.
    Put(Plain, RowCount),
    DeleteCounts,
    SetCounts,
    /// Adds to counts on a shard.
    AddCounts(RowCount),
    /// Raises the schema if it still has a number.
    RaiseSchema,
}

impl Change {
    pub(super) fn text(self, schema: &str) -> (String, Vec<u32>) {
        match self {
            Self::DeleteTasks => (
                format!(
                    "DELETE FROM {schema}.tasks t USING unnest($1, $2) AS e(kind, seq) WHERE {}",
                    is_row_of("e", ["kind", "seq"])
                ),
                vec![INT8S, INT8S],
            ),
            Self::UpdateTasks(columns, rows) => {
                let table = rows.table(&task_columns(columns));
                let assignments = columns.list().map(|column| format!("{0} = e.{0}", column.name()));
                (
                    format!(
                        "UPDATE {schema}.tasks t SET {} FROM {} WHERE {}",
                        assignments.collect::<Vec<_>>().join(", "),
                        table.from,
                        is_row_of("e", ["kind", "seq"])
                    ),
                    table.types,
                )
            }
            Self::InsertTasks(columns, rows) => {
                let table = rows.table(&task_columns(columns));
                (format!("INSERT INTO {schema}.tasks ({}) SELECT * FROM {}", table.names, table.from), table.types)
            }
            Self::Delete(plain) => {
                let table = plain.table();
                match plain {
                    Plain::Rows => (
                        format!(
                            "DELETE FROM {schema}.{table} t USING unnest($1, $2) AS e(tbl, key) WHERE {}",
                            is_row_of("e", ["tbl", "key"])
                        ),
                        vec![INT2S, BYTEAS],
                    ),
                    Plain::Indexes => (
                        format!(
                            "DELETE FROM {schema}.{table} t USING unnest($1, $2) AS e(key, seq) WHERE {}",
                            is_row_of("e", ["key", "seq"])
                        ),
                        vec![BYTEAS, INT8S],
                    ),
                    Plain::History | Plain::UniqueKeys => {
                        (format!("DELETE FROM {schema}.{table} WHERE key = ANY($1)"), vec![BYTEAS])
                    }
                }
            }
            Self::Insert(plain, rows) => insert(schema, plain, rows, ""),
            Self::Put(plain, rows) => {
                let on_conflict = match plain {
                    Plain::Rows => " ON CONFLICT (tbl, key) DO UPDATE SET value = excluded.value",
                    Plain::History => " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    Plain::Indexes => " ON CONFLICT (key, seq) DO NOTHING",
                    Plain::UniqueKeys => " ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, seq = excluded.seq",
                };
                insert(schema, plain, rows, on_conflict)
            }
            Self::DeleteCounts => (format!("DELETE FROM {schema}.counts WHERE key = ANY($1)"), vec![BYTEAS]),
            Self::SetCounts => (
                format!(
                    "INSERT INTO {schema}.counts (key, shard, value) SELECT key, 0, value FROM unnest($1, $2) AS e(key, value)"
                ),
                vec![BYTEAS, INT8S],
            ),
            Self::AddCounts(rows) => add_counts(schema, rows),
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

fn insert(schema: &str, plain: Plain, rows: RowCount, on_conflict: &str) -> (String, Vec<u32>) {
    let columns: &[_] = match plain {
        Plain::Rows => &[("tbl", INT2S), ("key", BYTEAS), ("value", BYTEAS)],
        Plain::History => &[("key", BYTEAS), ("value", BYTEAS)],
        Plain::Indexes => &[("key", BYTEAS), ("seq", INT8S)],
        Plain::UniqueKeys => &[("key", BYTEAS), ("kind", INT8S), ("seq", INT8S)],
    };
    let table = rows.table(columns);
    let target = plain.table();
    (format!("INSERT INTO {schema}.{target} ({}) SELECT * FROM {}{on_conflict}", table.names, table.from), table.types)
}

/// Adds to counts on a shard. The shard is the parameter behind the keys and the differences.
pub(super) fn add_counts(schema: &str, rows: RowCount) -> (String, Vec<u32>) {
    let mut table = rows.table(&[("key", BYTEAS), ("value", INT8S)]);
    let shard = table.next_param();
    table.types.push(INT2);
    let sql = format!(
        "INSERT INTO {schema}.counts AS c (key, shard, value) SELECT key, {shard}, value FROM {} \
         ON CONFLICT (key, shard) DO UPDATE SET value = c.value + excluded.value",
        table.from
    );
    (sql, table.types)
}

/// The key of a task and some of its columns.
fn task_columns(columns: Columns) -> Vec<(&'static str, u32)> {
    let key = [("kind", INT8S), ("seq", INT8S)];
    key.into_iter().chain(columns.list().map(|column| (column.name(), column.array_type()))).collect()
}
