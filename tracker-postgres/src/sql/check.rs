//! `Check`: the SQL of statements that read a schema and its server for [`crate::PostgresOptions::check`]. They lock nothing and need no right
//! on the tables, except `Marks`. Part of `Sql`; pure.

use crate::wire::params::oid::TEXT;

/// A look at the server or the schema. Columns are texts and `int8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Check {
    /// Version, settings, connections and time of the server: one row.
    Server,
    /// Table, column and type.
    Columns,
    /// The names of valid indexes, and of sequences.
    Names,
    /// Tables, sequences and the rights on them that the role lacks.
    MissingRights,
    /// Table, whether autovacuum is off for it, dead rows, live rows.
    Vacuum,
    /// Rows in the table of commits.
    Marks,
}

/// The relations of the schema in the first parameter.
const RELATIONS: &str =
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1";

impl Check {
    pub(super) fn text(self, schema: &str) -> (String, Vec<u32>) {
        let of_schema = |text: String| (text, vec![TEXT]);
        match self {
            Self::Server => (
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int8, \
                 current_setting('autovacuum'), current_setting('track_counts'), current_setting('fsync'), \
                 current_setting('full_page_writes'), current_setting('synchronous_commit'), \
                 current_setting('transaction_read_only'), \
                 (SELECT setting::int8 FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'), \
                 current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8, \
                 (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_catalog.pg_stat_database), \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::int8, current_user::text"
                    .into(),
                Vec::new(),
            ),
            Self::Columns => of_schema(format!(
                "SELECT c.relname::text, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod) {RELATIONS} \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
                 WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
            )),
            Self::Names => of_schema(format!(
                "SELECT c.relname::text {RELATIONS} LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
                 WHERE c.relkind = 'S' OR i.indisvalid"
            )),
            Self::MissingRights => of_schema(format!(
                "SELECT c.relname::text, r.name {RELATIONS} \
                 CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS r(name) \
                 WHERE c.relkind IN ('r', 'p') AND NOT pg_catalog.has_table_privilege(c.oid, r.name) \
                 UNION ALL SELECT c.relname::text, r.name {RELATIONS} \
                 CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS r(name) \
                 WHERE c.relkind = 'S' AND NOT pg_catalog.has_sequence_privilege(c.oid, r.name)"
            )),
            Self::Vacuum => of_schema(format!(
                "SELECT c.relname::text, \
                 (lower(coalesce(c.reloptions::text, '')) ~ '[{{,]autovacuum_enabled=(f|of|0|n)')::int4::int8, \
                 coalesce(s.n_dead_tup, 0), coalesce(s.n_live_tup, 0) {RELATIONS} \
                 LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid WHERE c.relkind = 'r'"
            )),
            Self::Marks => (format!("SELECT count(*) FROM {schema}.marks"), Vec::new()),
        }
    }
}
