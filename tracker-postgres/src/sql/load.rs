//! `Load`: the SQL of statements that lock and load rows. Part of `Sql`; used by `load`. Pure.

use super::{is_row_of, row_count::RowCount};
use crate::wire::params::oid::{BYTEA, BYTEAS, INT2, INT2S, INT8, INT8S};

/// The columns of a task that are loaded, in this order.
const COLUMNS: &str =
    "t.kind, t.seq, t.id_key, t.claim_key, t.updated_key, t.header, t.successor, t.progress, t.payload";

/// A statement that loads rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    /// Tasks by kind and sequence number.
    Tasks(RowCount, Lock),
    /// Tasks by values of a key.
    TasksWith(TaskKey, Lock),
    /// Tasks by unique keys.
    TasksOfUniqueKeys(Lock),
    /// Tasks in a range of kind and sequence number; those only that have the column.
    TaskRange {
        column: &'static str,
        newest_first: bool,
        lock: Lock,
    },
    /// Tasks in a range of a key. The order of the rows does not count.
    TaskKeyRange(TaskKey, Range, Lock),
    /// Tasks in several ranges of the order of claims, with [`Lock::Skip`]: one statement costs less than one for each range. Each range has parts in
    /// their order. Parameters: for each part, the number of its range, its start and its end; then for each range, its number and its most rows. The
    /// columns of a task follow the size of the range, as in a range that skips rows, and its number. The last row of a range may have its first key, also
    /// that of a locked task.
    ClaimRanges {
        parts: RowCount,
        ranges: RowCount,
        gives_first: bool,
    },
    /// Rows by key. The number of rows is that of [`Plain::Rows`], whose keys have a table each.
    Rows(Plain, RowCount, Lock),
    RowRange(Plain, Range, Lock),
    /// Counts by key.
    Counts,
    CountRange(Range),
}

/// Whether rows are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lock {
    None,
    /// Waits for a unit that has locked a row.
    Wait,
    /// Skips rows that another unit has locked.
    Skip,
}

/// A key of the table of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TaskKey {
    Id,
    Claim,
    Updated,
}

/// A table whose rows are a key and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Plain {
    Rows,
    History,
    Indexes,
    UniqueKeys,
}

/// The form of a range of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    /// Whether it has an end.
    pub ends: bool,
    pub newest_first: bool,
}

impl Lock {
    fn clause(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Wait => " FOR UPDATE OF t",
            Self::Skip => " FOR UPDATE OF t SKIP LOCKED",
        }
    }
}

impl TaskKey {
    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Id => "id_key",
            Self::Claim => "claim_key",
            Self::Updated => "updated_key",
        }
    }
}

impl Plain {
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::History => "history",
            Self::Indexes => "index_keys",
            Self::UniqueKeys => "unique_keys",
        }
    }

    /// Key and value, as the interface has them.
    fn columns(self) -> &'static str {
        match self {
            Self::Rows | Self::History => "t.key, t.value",
            Self::Indexes => "t.key || pg_catalog.int8send(t.seq), ''::bytea",
            Self::UniqueKeys => "t.key, pg_catalog.int8send(t.seq)",
        }
    }
}

fn order(newest_first: bool) -> &'static str {
    if newest_first { " DESC" } else { "" }
}

impl Range {
    /// The condition on a column, its order and its limit. Parameters: the start, the number of rows, the end if there is one.
    fn clause(self, column: &str, condition: &str) -> String {
        let end = if self.ends { format!(" AND {column} < $3") } else { String::new() };
        format!("WHERE {column} >= $1{end}{condition} ORDER BY {column}{} LIMIT $2", order(self.newest_first))
    }

    fn types(self) -> Vec<u32> {
        let mut types = vec![BYTEA, INT8];
        types.extend(self.ends.then_some(BYTEA));
        types
    }
}

/// Selects rows of a range. If it skips locked rows, an additional first column is NULL; it has a number only in a last row: how many rows the range
/// has with the locked ones, up to the limit, or 0 if as many as the limit were found.
fn select(columns: &str, count: usize, rows: &str, lock: Lock) -> String {
    let found = format!("SELECT {columns} FROM {rows}{}", lock.clause());
    if lock != Lock::Skip {
        return found;
    }
    let nulls = ", NULL".repeat(count);
    format!(
        "WITH found AS MATERIALIZED ({found}) SELECT NULL::int8, f.* FROM found f UNION ALL SELECT \
         CASE WHEN (SELECT count(*) FROM found) < $2 THEN (SELECT count(*) FROM (SELECT 1 FROM {rows}) AS r) ELSE 0 END{nulls}"
    )
}

/// [`Load::ClaimRanges`].
fn claim_ranges(schema: &str, parts: RowCount, ranges: RowCount, gives_first: bool) -> (String, Vec<u32>) {
    let mut parts = parts.table(&[("number", INT8S), ("first", BYTEAS), ("behind", BYTEAS)]);
    let ranges = ranges.table_behind(parts.types.len(), &[("number", INT8S), ("most", INT8S)]);
    parts.types.extend(ranges.types);
    // The rows of a range: part by part, as many as are asked for.
    let rows = |columns: &str, most: &str, lock: &str| {
        format!(
            "SELECT f.* FROM p CROSS JOIN LATERAL (SELECT {columns} FROM {schema}.tasks t WHERE t.claim_key >= p.first AND t.claim_key < p.behind \
             ORDER BY t.claim_key LIMIT {most}{lock}) AS f WHERE p.number = r.number LIMIT {most}"
        )
    };
    let found = rows(COLUMNS, "r.most", Lock::Skip.clause());
    let (size, first) = (rows("1", "r.most", ""), rows("t.claim_key", "1", ""));
    let last = COLUMNS.split(", ").map(|column| match column {
        "t.claim_key" if gives_first => format!("({first})"),
        _ => "NULL".into(),
    });
    let last = last.collect::<Vec<_>>().join(", ");
    (
        format!(
            "WITH p AS MATERIALIZED (SELECT * FROM {}), r AS MATERIALIZED (SELECT * FROM {}), \
             found AS MATERIALIZED (SELECT r.number, f.* FROM r CROSS JOIN LATERAL ({found}) AS f) \
             SELECT NULL::int8, f.* FROM found f UNION ALL SELECT \
             CASE WHEN (SELECT count(*) FROM found f WHERE f.number = r.number) < r.most \
             THEN (SELECT count(*) FROM ({size}) AS n) ELSE 0 END, r.number, {last} FROM r",
            parts.from, ranges.from
        ),
        parts.types,
    )
}

impl Load {
    pub(super) fn text(self, schema: &str) -> (String, Vec<u32>) {
        let tasks = format!("SELECT {COLUMNS} FROM {schema}.tasks t");
        match self {
            Self::Tasks(count, lock) => {
                let named = count.table(&[("kind", INT8S), ("seq", INT8S)]);
                let from = format!("{} JOIN {schema}.tasks t ON {}", named.from, is_row_of("e", ["kind", "seq"]));
                (format!("SELECT {COLUMNS} FROM {from} ORDER BY t.seq{}", lock.clause()), named.types)
            }
            Self::TasksWith(key, lock) => {
                let column = key.column();
                (format!("{tasks} WHERE t.{column} = ANY($1) ORDER BY t.{column}{}", lock.clause()), vec![BYTEAS])
            }
            Self::TasksOfUniqueKeys(lock) => (
                format!(
                    "SELECT {COLUMNS} FROM {schema}.unique_keys u JOIN {schema}.tasks t ON {} WHERE u.key = ANY($1) ORDER BY t.seq{}",
                    is_row_of("u", ["kind", "seq"]),
                    lock.clause()
                ),
                vec![BYTEAS],
            ),
            Self::TaskRange { column, newest_first, lock } => {
                let order = order(newest_first);
                (
                    format!(
                        "{tasks} WHERE (t.kind, t.seq) >= ($1, $2) AND (t.kind, t.seq) < ($3, $4) AND t.{column} IS NOT NULL \
                         ORDER BY t.kind{order}, t.seq{order} LIMIT $5{}",
                        lock.clause()
                    ),
                    vec![INT8; 5],
                )
            }
            Self::TaskKeyRange(key, range, lock) => {
                let clause = range.clause(&format!("t.{}", key.column()), "");
                let rows = format!("{schema}.tasks t {clause}");
                (select(COLUMNS, COLUMNS.split(',').count(), &rows, lock), range.types())
            }
            Self::ClaimRanges { parts, ranges, gives_first } => claim_ranges(schema, parts, ranges, gives_first),
            // No unit locks these rows. Since they are sorted as the index, any join might read all of it; one within OFFSET cannot.
            Self::Rows(Plain::Indexes, ..) => (
                format!(
                    "SELECT {} FROM unnest($1, $2) AS e(key, seq) CROSS JOIN LATERAL (SELECT * FROM {schema}.index_keys t \
                     WHERE t.key = e.key AND t.seq = e.seq OFFSET 0) AS t ORDER BY t.key, t.seq",
                    Plain::Indexes.columns()
                ),
                vec![BYTEAS, INT8S],
            ),
            Self::Rows(Plain::Rows, count, lock) => {
                let named = count.table(&[("tbl", INT2S), ("key", BYTEAS)]);
                let from = format!("{} JOIN {schema}.rows t ON {}", named.from, is_row_of("e", ["tbl", "key"]));
                let (columns, lock) = (Plain::Rows.columns(), lock.clause());
                (format!("SELECT {columns} FROM {from} ORDER BY t.key{lock}"), named.types)
            }
            Self::Rows(plain, _, lock) => {
                let (table, columns, lock) = (plain.table(), plain.columns(), lock.clause());
                let rows = format!("{schema}.{table} t WHERE t.key = ANY($1)");
                (format!("SELECT {columns} FROM {rows} ORDER BY t.key{lock}"), vec![BYTEAS])
            }
            Self::RowRange(Plain::Indexes, Range { ends, newest_first }, lock) => {
                let (end, order) = (if ends { " AND (t.key, t.seq) < ($4, $5)" } else { "" }, order(newest_first));
                let rows = format!(
                    "{schema}.index_keys t WHERE (t.key, t.seq) >= ($1, $3){end} ORDER BY t.key{order}, t.seq{order} LIMIT $2"
                );
                let types = [BYTEA, INT8, INT8, BYTEA, INT8].into_iter().take(if ends { 5 } else { 3 });
                (select(Plain::Indexes.columns(), 2, &rows, lock), types.collect())
            }
            Self::RowRange(plain, range, lock) => {
                let mut types = range.types();
                let of_table = match (plain, range.ends) {
                    (Plain::Rows, true) => " AND t.tbl = $4",
                    (Plain::Rows, false) => " AND t.tbl = $3",
                    _ => "",
                };
                types.extend((plain == Plain::Rows).then_some(INT2));
                let rows = format!("{schema}.{} t {}", plain.table(), range.clause("t.key", of_table));
                (select(plain.columns(), 2, &rows, lock), types)
            }
            Self::Counts => (
                format!(
                    "SELECT key, sum(value)::int8 FROM {schema}.counts WHERE key = ANY($1) \
                     GROUP BY key HAVING sum(value) > 0"
                ),
                vec![BYTEAS],
            ),
            Self::CountRange(range) => {
                let clause = range.clause("key", " GROUP BY key HAVING sum(value) > 0");
                (format!("SELECT key, sum(value)::int8 FROM {schema}.counts {clause}"), range.types())
            }
        }
    }
}
