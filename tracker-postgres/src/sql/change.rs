//! `Change`: the SQL of statements that change rows. Part of `Sql`; used by `commit`. Pure.

use crate::wire::params::oid::{BYTEAS, INT2, INT2S, INT4S, INT8, INT8S, TEXTS, TIMESTAMPTZS};

use super::load::Plain;

/// A statement that changes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    DeleteTasks,
    UpdateTasks,
    InsertTasks,
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

/// The columns of a task that can change, with the bit that says so.
const COLUMNS: [(&str, u8); 12] = [
    ("status", 1),
    ("priority", 1),
    ("at", 1),
    ("claim_key", 1),
    ("id_key", 2),
    ("id", 2),
    ("updated_key", 4),
    ("created", 8),
    ("updated", 8),
    ("header", 8),
    ("successor", 16),
    ("progress", 32),
];
const PAYLOAD: (&str, u8) = ("payload", 64);

/// The types of kinds, sequence numbers and the columns.
fn task_types() -> Vec<u32> {
    let mut types = vec![INT8S, INT8S, INT4S, INT2S, INT8S, BYTEAS, BYTEAS, TEXTS, BYTEAS, TIMESTAMPTZS, TIMESTAMPTZS];
    types.extend([BYTEAS; 4]);
    types
}

impl Change {
    pub(super) fn text(self, schema: &str) -> (String, Vec<u32>) {
        let columns = || COLUMNS.into_iter().chain([PAYLOAD]);
        let names = || columns().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        let params = |count: usize| (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        match self {
            Self::DeleteTasks => (
                format!(
                    "DELETE FROM {schema}.tasks t USING unnest($1, $2) AS e(kind, seq) WHERE t.kind = e.kind AND t.seq = e.seq"
                ),
                vec![INT8S, INT8S],
            ),
            Self::UpdateTasks => {
                let assignments = columns().map(|(name, bit)| {
                    format!("{name} = CASE WHEN e.changes & {bit} <> 0 THEN e.{name} ELSE t.{name} END")
                });
                let mut types = task_types();
                types.push(INT4S);
                (
                    format!(
                        "UPDATE {schema}.tasks t SET {} FROM unnest({}) AS e(kind, seq, {}, changes) \
                         WHERE t.kind = e.kind AND t.seq = e.seq",
                        assignments.collect::<Vec<_>>().join(", "),
                        params(types.len()),
                        names(),
                    ),
                    types,
                )
            }
            Self::InsertTasks => {
                let types = task_types();
                let all = params(types.len());
                (format!("INSERT INTO {schema}.tasks (kind, seq, {}) SELECT * FROM unnest({all})", names()), types)
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
