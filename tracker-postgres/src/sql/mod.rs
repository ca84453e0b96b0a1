//! `Sql`: all statements of the store, each of which loads or changes a set of rows. Used by every module that runs a statement; pure.
//!
//! Two of them hold a condition. If it does not hold they divide by zero, which takes back the transaction without a further round trip.

mod change;
mod check;
mod columns;
mod load;
mod row_count;

pub(crate) use change::Change;
pub(crate) use check::Check;
pub(crate) use columns::{Columns, TaskColumn};
pub(crate) use load::{Load, Lock, Plain, Range, TaskKey};
pub(crate) use row_count::RowCount;

use crate::wire::{
    connection::Statement,
    params::oid::{BYTEAS, INT4, INT8, TEXT, UUID},
};

/// A statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sql {
    /// Number of commits of all processes.
    ChangeNumber,
    /// Number of other stores that have the schema open.
    Others,
    Begin(Mode),
    Commit,
    /// Whether the schema exists, and a table of the name `meta` in it.
    Exists,
    /// The mark of a tracker and the number of its last migration.
    Layout,
    /// Time and schema, and the number of commits that the transaction sees. May do what [`Self::KeepSchema`] does: the schema may then be an older one,
    /// which [`Self::Mark`] refuses.
    State {
        counts_commits: bool,
        keeps_schema: bool,
    },
    /// Waits until no unit changes the kinds, and keeps others from it.
    KeepSchema,
    /// Waits for the end of the other writing units.
    LockSchema,
    /// Locks keys that may have no row.
    LockKeys,
    /// Takes numbers from a sequence.
    Take(Sequence),
    /// The number after the last one of a sequence.
    Next(Sequence),
    /// Lets a sequence continue after a number.
    Raise(Sequence),
    /// Marks the commit of a connection. May add to counts first, as [`Change::AddCounts`] does and with its parameters, refuse the commit if the schema has
    /// another number than the last parameter, count the commits of all processes before it, and ask whether a process listens.
    Mark {
        adds_counts: Option<RowCount>,
        checks_schema: bool,
        counts_commits: bool,
        asks_listeners: bool,
    },
    /// Refuses a commit of a connection that is still under way, and returns the last one that took effect.
    LastMark,
    /// The rows of the kinds.
    Kinds,
    /// The names of the views, and their comments.
    Views,
    /// Makes a row of this process in the table of marks.
    Introduce,
    /// Isolation of the caller's transaction, whether it reads only, and the rows of this process that it sees in the table of marks.
    Caller,
    /// Marks the commit of a transaction of the caller, and returns the slot of the mark.
    MarkCaller,
    /// 1 if a process listens, else 0.
    Listeners,
    /// Notifies the listeners when the transaction commits.
    Notify,
    Load(Load),
    Change(Change),
    Check(Check),
}

/// Access and isolation of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    Read,
    ReadCommitted,
    Serializable,
}

/// A sequence of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sequence {
    Task,
    Fence,
}

impl Sequence {
    fn name(self) -> &'static str {
        match self {
            Self::Task => "sequence",
            Self::Fence => "fence",
        }
    }

    /// A statement that sets the sequence to a value, in which `{}` stands for the sequence.
    fn set(self, schema: &str, value: &str) -> (String, Vec<u32>) {
        let lock = lock_number(schema, self.name());
        let sequence = format!("'{}.{}'::regclass", schema.replace('\'', "''"), self.name());
        let value = value.replace("{}", &sequence);
        let sql = format!(
            "SELECT pg_catalog.pg_advisory_lock({lock}), pg_catalog.setval({sequence}, {value}), \
             pg_catalog.pg_advisory_unlock({lock})"
        );
        (sql, vec![INT8])
    }
}

impl Mode {
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Self::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        }
    }
}

/// A number that stands for a name of a lock. `schema` is the quoted name of the schema.
pub(crate) fn lock_number(schema: &str, what: &str) -> String {
    let name = format!("tracker:{what}:{schema}").replace('\'', "''");
    format!("pg_catalog.hashtextextended('{name}', 0)")
}

/// The first number of the locks that the connections of open stores hold; the second one is that of the store. `schema` is quoted.
pub(crate) fn open_class(schema: &str) -> String {
    format!("pg_catalog.hashtext('tracker:open:{}')", schema.replace('\'', "''"))
}

/// The number of commits of all processes, or 0 where it is not asked for.
fn commits(schema: &str, is_counted: bool) -> String {
    if is_counted { format!("(SELECT coalesce(sum(commits), 0)::int8 FROM {schema}.marks)") } else { "0::int8".into() }
}

/// A table of one row: the numbers of commits and of rewinds of all processes, or 0 where they are not asked for.
fn marks(schema: &str, are_counted: bool) -> String {
    if are_counted {
        format!(
            "(SELECT coalesce(sum(commits), 0)::int8 AS commits, coalesce(sum(rewinds), 0)::int8 AS rewinds FROM {schema}.marks) AS m"
        )
    } else {
        "(VALUES (0::int8, 0::int8)) AS m(commits, rewinds)".into()
    }
}

/// A commit whose transaction lasts longer counts as a rewind: see `claim_starts`. In microseconds.
pub(crate) const SLOW_MICROS: i64 = 250_000;

/// Waits until no unit changes the kinds, and keeps others from it until the transaction ends.
fn keep_schema(schema: &str) -> String {
    format!("pg_catalog.pg_advisory_xact_lock_shared({})", lock_number(schema, "schema"))
}

/// Listeners share this lock while they listen.
pub(crate) fn listeners_lock(schema: &str) -> String {
    lock_number(schema, "listeners")
}

/// 1 if a process listens, else 0. Takes the lock of the listeners alone for a moment; two commits at once may take each other for a listener.
fn listeners(schema: &str, is_asked: bool) -> String {
    if !is_asked {
        return "0::int8".into();
    }
    let lock = listeners_lock(schema);
    format!(
        "CASE WHEN NOT pg_catalog.pg_try_advisory_lock({lock}) THEN 1 WHEN pg_catalog.pg_advisory_unlock({lock}) THEN 0 ELSE 1 END::int8"
    )
}

/// The condition of a join that a row of the table `t` has the key of a row of `of`. The columns are those of an index.
///
/// A plan is made once, and may be made while the table is empty, as after a vacuum of a queue without tasks. With two equalities it would read the
/// whole table for each statement, also when it is full. With `ANY` there is no other plan than one search in the index for each row of `of`.
fn is_row_of(of: &str, [first, second]: [&str; 2]) -> String {
    format!("t.{first} = ANY (ARRAY[{of}.{first}]) AND t.{second} = {of}.{second}")
}

impl Statement for Sql {
    #[expect(clippy::too_many_lines, reason = "each arm is one statement")]
    fn text(self, schema: &str) -> (String, Vec<u32>) {
        let sql = |text: String| (text, Vec::new());
        match self {
            Self::ChangeNumber => sql(format!("SELECT m.commits, m.rewinds FROM {}", marks(schema, true))),
            Self::Begin(mode) => sql(mode.begin().into()),
            Self::Others => (
                format!(
                    "SELECT count(DISTINCT objid) FROM pg_catalog.pg_locks \
                     WHERE locktype = 'advisory' AND objsubid = 2 AND classid::int8 = ({}::int8 & 4294967295) AND objid::int8 <> $1 \
                     AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
                    open_class(schema)
                ),
                vec![INT8],
            ),
            Self::Commit => sql("COMMIT".into()),
            Self::Exists => (
                "SELECT (SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1), \
                 (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = $1 AND c.relname = 'meta')"
                    .into(),
                vec![TEXT],
            ),
            Self::Layout => sql(format!("SELECT mark, layout::int8 FROM {schema}.meta")),
            Self::State { counts_commits, keeps_schema } => sql(format!(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8, schema, m.commits, m.rewinds{} FROM {schema}.meta, {}",
                if keeps_schema { format!(", {} IS NULL", keep_schema(schema)) } else { String::new() },
                marks(schema, counts_commits)
            )),
            Self::KeepSchema => sql(format!("SELECT {}", keep_schema(schema))),
            Self::LockSchema => {
                sql(format!("SELECT pg_catalog.pg_advisory_xact_lock({})", lock_number(schema, "schema")))
            }
            Self::LockKeys => (
                format!(
                    "SELECT pg_catalog.pg_advisory_xact_lock(number) FROM (SELECT DISTINCT pg_catalog.hashtextextended(\
                     pg_catalog.encode(key, 'hex'), {}) AS number FROM unnest($1::bytea[]) AS k(key) ORDER BY number) AS numbers",
                    lock_number(schema, "keys")
                ),
                vec![BYTEAS],
            ),
            // The lock is held for this statement only. It keeps the numbers of one call together: a sequence alone gives one at a time.
            Self::Take(sequence) => sequence.set(schema, "pg_catalog.nextval({}) + $1 - 1"),
            Self::Next(sequence) => {
                sql(format!("SELECT last_value + is_called::int4 FROM {schema}.{}", sequence.name()))
            }
            Self::Raise(sequence) => {
                let (text, types) = sequence.set(schema, "greatest(pg_catalog.nextval({}), $1)");
                // Unlike that of `Take`, the result is only the number.
                (format!("SELECT setval FROM ({text}) AS raised"), types)
            }
            Self::Mark { adds_counts, checks_schema, counts_commits, asks_listeners } => {
                let (added, mut types) = match adds_counts {
                    Some(rows) => {
                        let (added, types) = change::add_counts(schema, rows);
                        (format!("added AS ({added}), "), types)
                    }
                    None => Default::default(),
                };
                let first = types.len() + 1;
                let mark = (first..first + 4).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
                let rewinds = first + 4;
                types.extend([UUID, INT4, INT8, INT8, INT8]);
                let mut condition = "count(*)".to_owned();
                if checks_schema {
                    condition = format!("({condition} * (SELECT (schema = ${})::int4 FROM {schema}.meta))", first + 5);
                    types.push(INT8);
                }
                (
                    format!(
                        "WITH {added}marked AS (INSERT INTO {schema}.marks AS m (process, slot, epoch, batch, at, commits, rewinds) \
                         VALUES ({mark}, now(), 1, CASE WHEN clock_timestamp() > now() + {SLOW_MICROS} * interval '1 microsecond' THEN 1 ELSE ${rewinds} END) \
                         ON CONFLICT (process, slot) DO UPDATE SET batch = excluded.batch, commits = m.commits + 1, \
                         at = excluded.at, rewinds = m.rewinds + excluded.rewinds \
                         WHERE m.epoch = excluded.epoch RETURNING 1) SELECT 1 / {condition}, {}, {} FROM marked",
                        commits(schema, counts_commits),
                        listeners(schema, asks_listeners)
                    ),
                    types,
                )
            }
            Self::LastMark => (
                format!(
                    "INSERT INTO {schema}.marks AS m (process, slot, epoch, batch, commits, at) VALUES ($1, $2, $3, 0, 0, now()) \
                     ON CONFLICT (process, slot) DO UPDATE SET epoch = excluded.epoch RETURNING batch"
                ),
                vec![UUID, INT4, INT8],
            ),
            // The number of the table is that of `keys::place`.
            Self::Kinds => sql(format!("SELECT key, value FROM {schema}.rows WHERE tbl = 2 ORDER BY key")),
            Self::Views => sql(format!(
                "SELECT c.relname::text, coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') \
                 FROM pg_catalog.pg_class c WHERE c.relkind = 'v' \
                 AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = '{}.tasks'::regclass)",
                schema.replace('\'', "''")
            )),
            Self::Introduce => (
                format!(
                    "INSERT INTO {schema}.marks (process, slot, epoch, batch, commits, at) VALUES ($1, -1, 0, 0, 0, now()) \
                     ON CONFLICT (process, slot) DO NOTHING"
                ),
                vec![UUID],
            ),
            Self::Caller => (
                format!(
                    "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'), \
                     (SELECT count(*) FROM {schema}.marks WHERE process = $1)"
                ),
                vec![UUID],
            ),
            // The caller may commit at any time after its unit, so each counts as a rewind. Slot -1 has the introduction, which must not wait. A mark is locked until the caller commits: each transaction takes one that no other has locked, or adds one.
            Self::MarkCaller => (
                format!(
                    "WITH free AS (SELECT slot FROM {schema}.marks WHERE process = $1 AND slot < -1 ORDER BY slot DESC LIMIT 1 \
                     FOR UPDATE SKIP LOCKED), \
                     used AS (UPDATE {schema}.marks m SET commits = m.commits + 1, rewinds = m.rewinds + 1, at = now() FROM free \
                     WHERE m.process = $1 AND m.slot = free.slot RETURNING m.slot), \
                     added AS (INSERT INTO {schema}.marks (process, slot, epoch, batch, commits, at, rewinds) \
                     SELECT $1, $2, 0, 0, 1, now(), 1 WHERE NOT EXISTS (SELECT 1 FROM used) RETURNING slot) \
                     SELECT slot::int8 FROM used UNION ALL SELECT slot::int8 FROM added"
                ),
                vec![UUID, INT4],
            ),
            Self::Listeners => sql(format!("SELECT {}", listeners(schema, true))),
            Self::Notify => sql(format!("NOTIFY {schema}")),
            Self::Load(load) => load.text(schema),
            Self::Change(change) => change.text(schema),
            Self::Check(check) => check.text(schema),
        }
    }
}
