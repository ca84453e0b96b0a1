//! The tables, columns and names that each migration adds to a schema. Read by `check`; a test compares it with a new schema. Constants.

use crate::schema::MIGRATIONS;

/// The tables and names that a migration adds.
pub(crate) struct Added {
    /// Tables, each with its new columns and their types.
    pub tables: &'static [(&'static str, &'static str)],
    /// Indexes and sequences.
    pub names: &'static [&'static str],
}

/// In the order of the migrations.
const ADDED: [Added; MIGRATIONS.len()] = [
    Added {
        tables: &[
            ("meta", "single boolean, mark text, layout integer, schema bigint"),
            (
                "tasks",
                "kind bigint, seq bigint, status integer, priority smallint, at bigint, id_key bytea, id text, claim_key bytea, \
             updated_key bytea, header bytea, successor bytea, progress bytea, payload bytea",
            ),
            ("unique_keys", "key bytea, kind bigint, seq bigint"),
            ("index_keys", "key bytea"),
            ("history", "key bytea, value bytea"),
            ("counts", "key bytea, shard smallint, value bigint"),
            ("rows", "tbl smallint, key bytea, value bytea"),
            (
                "marks",
                "process uuid, slot integer, epoch bigint, batch bigint, commits bigint, at timestamp with time zone",
            ),
        ],
        names: &[
            "meta_pkey",
            "tasks_pkey",
            "tasks_id_key",
            "tasks_claim_key",
            "tasks_updated_key",
            "unique_keys_pkey",
            "index_keys_pkey",
            "history_pkey",
            "counts_pkey",
            "rows_pkey",
            "marks_pkey",
            "sequence",
            "fence",
        ],
    },
    // Functions, which the views use.
    Added { tables: &[], names: &[] },
    Added {
        tables: &[
            ("tasks", "created timestamp with time zone, updated timestamp with time zone"),
            ("index_keys", "seq bigint"),
        ],
        names: &[],
    },
    Added { tables: &[("marks", "rewinds bigint")], names: &[] },
];

/// Returns the tables, columns and types of a layout.
pub(crate) fn columns(layout: usize) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let tables = ADDED.iter().take(layout).flat_map(|added| added.tables);
    tables.flat_map(|(table, columns)| {
        columns.split(", ").filter_map(|column| column.split_once(' ')).map(|(name, kind)| (*table, name, kind))
    })
}

/// Returns the names of the indexes and sequences of a layout.
pub(crate) fn names(layout: usize) -> impl Iterator<Item = &'static str> {
    ADDED.iter().take(layout).flat_map(|added| added.names).copied()
}

/// Returns the statement that makes an index or a sequence, for a schema with this quoted name. `None` for the index of a primary key.
pub(crate) fn statement(name: &str, schema: &str) -> Option<String> {
    let statements = MIGRATIONS.iter().flat_map(|script| script.lines());
    let mut made = statements.filter(|line| {
        line.starts_with("CREATE INDEX")
            || line.starts_with("CREATE UNIQUE INDEX")
            || line.starts_with("CREATE SEQUENCE")
    });
    let is_named = |word: &str| word == name || word == format!("{{schema}}.{name};");
    let line = made.find(|line| line.split(' ').skip(2).take(2).any(is_named))?;
    Some(line.trim_end_matches(';').replace("{schema}", schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statement_of_an_index_names_the_schema() {
        let statement = |name| statement(name, "\"a\"");
        assert_eq!(
            statement("tasks_claim_key").as_deref(),
            Some("CREATE INDEX tasks_claim_key ON \"a\".tasks (claim_key)")
        );
        assert_eq!(
            statement("tasks_id_key").as_deref(),
            Some("CREATE UNIQUE INDEX tasks_id_key ON \"a\".tasks (id_key)")
        );
        assert_eq!(statement("fence").as_deref(), Some("CREATE SEQUENCE \"a\".fence"));
        assert_eq!(statement("tasks_pkey"), None);
    }
}
