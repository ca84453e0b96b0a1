//! `Facts`: what `check` has read of a schema and its server, and `findings`, the problems that follow. Called by `check`; pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::Finding;
use crate::{
    layout,
    schema::{self, MIGRATIONS},
};

/// Differences of the clocks below this are usual.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// The oldest server that knows all settings and functions of the store, as `server_version_num`.
const OLDEST_VERSION: i64 = 120_000;
/// A wait reads the whole table of commits, which costs little up to this number of rows.
const MANY_MARKS: i64 = 10_000;
/// Dead rows below this cost little.
const MANY_DEAD_ROWS: i64 = 1_000_000;

/// The facts that `check` has read of the schema and the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Quoted.
    pub schema: String,
    pub server: Server,
    pub layout: usize,
    /// Table, column, type.
    pub columns: BTreeSet<(String, String, String)>,
    /// Valid indexes, and sequences.
    pub names: BTreeSet<String>,
    /// Table or sequence, and the right that the role lacks.
    pub missing_rights: Vec<(String, String)>,
    pub vacuum: Vec<Vacuum>,
    /// Rows in the table of commits; `None` if the table cannot be read.
    pub marks: Option<i64>,
    /// How far the clock of this process is from that of the server.
    pub clock_difference: Duration,
    /// Most connections of a tracker with these options.
    pub wanted_connections: i64,
    pub busy_timeout: Duration,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Server {
    pub version: String,
    pub version_number: i64,
    /// Settings by name.
    pub settings: BTreeMap<&'static str, String>,
    /// In milliseconds; 0 for none.
    pub statement_timeout: i64,
    pub max_connections: i64,
    pub connections: i64,
    /// In microseconds since 1970.
    pub time: i64,
    pub role: String,
}

#[derive(Clone, Debug)]
pub(super) struct Vacuum {
    pub table: String,
    pub is_off: bool,
    pub dead: i64,
    pub live: i64,
}

/// The settings of [`Check::Server`], in its order.
pub(super) const SETTINGS: [&str; 6] =
    ["autovacuum", "track_counts", "fsync", "full_page_writes", "synchronous_commit", "transaction_read_only"];

/// How far a time is from the span in which it was read.
pub(super) fn clock_difference(before: i64, time: i64, after: i64) -> Duration {
    Duration::from_micros(time.abs_diff(time.clamp(before, after.max(before))))
}

impl Server {
    fn is(&self, setting: &str, value: &str) -> bool {
        self.settings.get(setting).is_some_and(|found| found == value)
    }
}

impl Facts {
    /// The problems, the most severe first.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let found = [
            ("tables_changed", self.changed_tables()),
            ("index_missing", self.missing_names()),
            ("migrations_missing", self.missing_migrations()),
            ("rights_missing", self.lacking_rights()),
            ("read_only", self.read_only()),
            ("durability_off", self.durability()),
            ("old_server", self.old_server()),
            ("autovacuum_off", self.autovacuum()),
            ("dead_rows", self.dead_rows()),
            ("statement_timeout", self.statement_timeout()),
            ("connections", self.connections()),
            ("clock", self.clock()),
            ("many_marks", self.many_marks()),
        ];
        found.into_iter().filter_map(|(what, text)| Some(Finding { what, text: text? })).collect()
    }

    fn changed_tables(&self) -> Option<String> {
        let changed = layout::columns(self.layout).filter_map(|(table, column, kind)| {
            let mut found = self.columns.iter().filter(|(in_table, ..)| in_table == table).peekable();
            if found.peek().is_none() {
                return Some(format!("the table {table} is missing"));
            }
            match found.find(|(_, name, _)| name == column) {
                None => Some(format!("{table}.{column} is missing")),
                Some((_, _, other)) if other != kind => Some(format!("{table}.{column} is {other} instead of {kind}")),
                Some(_) => None,
            }
        });
        // A missing table is listed once, not once for each column.
        let changed: BTreeSet<_> = changed.collect();
        listed(changed).map(|changed| {
            format!("the tables are not as the migrations made them: {changed}: restore the schema from a backup of the server")
        })
    }

    fn missing_names(&self) -> Option<String> {
        let missing = layout::names(self.layout).filter(|name| !self.names.contains(*name));
        let missing = missing.map(|name| match layout::statement(name, &self.schema) {
            Some(statement) => format!("{name} (make it again with `{statement}`)"),
            None => format!("{name} (the index of a primary key: make it again with ALTER TABLE … ADD PRIMARY KEY)"),
        });
        listed(missing)
            .map(|missing| format!("an index or a sequence is missing or invalid: {missing}, while no program writes"))
    }

    fn missing_migrations(&self) -> Option<String> {
        (self.layout < MIGRATIONS.len()).then(|| {
            format!(
                "the schema has the layout {}, and this version needs {}: stop older programs, and open the tracker once with a role that may run the migrations",
                self.layout,
                MIGRATIONS.len()
            )
        })
    }

    fn lacking_rights(&self) -> Option<String> {
        let needed: BTreeSet<&str> =
            layout::columns(self.layout).map(|(table, ..)| table).chain(layout::names(self.layout)).collect();
        // Only migrations insert into `meta`.
        let is_needed = |table: &str, right: &str| {
            needed.contains(table) && !(table == "meta" && matches!(right, "INSERT" | "DELETE"))
        };
        let mut grants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (table, right) in self.missing_rights.iter().filter(|(table, right)| is_needed(table, right)) {
            grants.entry(table).or_default().push(right);
        }
        let sequences: BTreeSet<&str> = ["sequence", "fence"].into();
        let grants = grants.into_iter().map(|(name, rights)| {
            let kind = if sequences.contains(name) { "SEQUENCE " } else { "" };
            format!(
                "GRANT {} ON {kind}{}.{name} TO {};",
                rights.join(", "),
                self.schema,
                schema::quoted(&self.server.role)
            )
        });
        let grants = grants.collect::<Vec<_>>().join(" ");
        (!grants.is_empty()).then(|| {
            format!(
                "the role {:?} lacks rights to change tasks: as the owner of the tables, {grants}",
                self.server.role
            )
        })
    }

    fn read_only(&self) -> Option<String> {
        self.server.is("transaction_read_only", "on").then(|| {
            "the server is a standby, or default_transaction_read_only is on: name the primary server in the URL, or turn the setting off for this role".into()
        })
    }

    fn durability(&self) -> Option<String> {
        let off =
            ["fsync", "full_page_writes", "synchronous_commit"].into_iter().filter(|name| self.server.is(name, "off"));
        listed(off).map(|off| {
            format!("{off} is off: a crash of the server loses acknowledged calls, or damages tables: turn it on")
        })
    }

    fn old_server(&self) -> Option<String> {
        (self.server.version_number < OLDEST_VERSION).then(|| {
            format!(
                "PostgreSQL {} lacks what the store uses: update the server to 15, which is tested",
                self.server.version
            )
        })
    }

    fn autovacuum(&self) -> Option<String> {
        if self.server.is("autovacuum", "off") || self.server.is("track_counts", "off") {
            return Some("autovacuum is off on the server: dead rows slow claims down more and more: turn autovacuum and track_counts on".into());
        }
        let off = self.vacuum.iter().filter(|vacuum| vacuum.is_off).map(|vacuum| &vacuum.table);
        listed(off).map(|off| {
            format!("autovacuum is off for {off}: dead rows slow claims down more and more: ALTER TABLE … RESET (autovacuum_enabled)")
        })
    }

    fn dead_rows(&self) -> Option<String> {
        let is_full = |vacuum: &&Vacuum| vacuum.dead > MANY_DEAD_ROWS && vacuum.dead > vacuum.live;
        let full = self.vacuum.iter().filter(is_full);
        listed(full.map(|vacuum| format!("{} ({})", vacuum.table, vacuum.dead))).map(|full| {
            format!("more dead than live rows in {full}: autovacuum falls behind: end long transactions, or raise autovacuum_vacuum_cost_limit")
        })
    }

    fn statement_timeout(&self) -> Option<String> {
        let timeout = Duration::from_millis(u64::try_from(self.server.statement_timeout).unwrap_or(0));
        (!timeout.is_zero() && timeout <= self.busy_timeout).then(|| {
            format!(
                "statement_timeout is {timeout:?} for the role {:?}, and a statement may wait {:?} for a lock: raise it for this role, or set it to 0",
                self.server.role, self.busy_timeout
            )
        })
    }

    fn connections(&self) -> Option<String> {
        let free = self.server.max_connections - self.server.connections;
        (free < self.wanted_connections).then(|| {
            format!(
                "{} of {} connections of the server are in use, and a tracker opens up to {}: lower `connections` in the programs, or raise max_connections",
                self.server.connections, self.server.max_connections, self.wanted_connections
            )
        })
    }

    fn clock(&self) -> Option<String> {
        (self.clock_difference > CLOCK_TOLERANCE).then(|| {
            format!(
                "the clocks of the server and of this machine differ by {} s: the server's clock counts: set the wrong one right",
                self.clock_difference.as_secs()
            )
        })
    }

    fn many_marks(&self) -> Option<String> {
        let marks = self.marks.filter(|marks| *marks > MANY_MARKS)?;
        Some(format!(
            "the table marks has {marks} rows, one for each connection of each process of the last 7 days, and each wait reads them: use fewer, longer processes; an open folds older rows"
        ))
    }
}

/// Joins the first few of what was found; `None` if nothing was.
fn listed(found: impl IntoIterator<Item = impl AsRef<str>>) -> Option<String> {
    const SHOWN: usize = 5;
    let found: Vec<_> = found.into_iter().collect();
    let shown = found.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match found.len() {
        0 => None,
        count if count > SHOWN => Some(format!("{shown} and {} more", count - SHOWN)),
        _ => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Facts {
        let on = |name| (name, if name == "transaction_read_only" { "off" } else { "on" }.to_owned());
        let owned = |(table, column, kind): (&str, &str, &str)| (table.into(), column.into(), kind.into());
        Facts {
            schema: "\"s\"".into(),
            server: Server {
                version: "15.7".into(),
                version_number: 150_007,
                settings: SETTINGS.into_iter().map(on).collect(),
                max_connections: 97,
                connections: 89,
                role: "worker".into(),
                ..Server::default()
            },
            layout: MIGRATIONS.len(),
            columns: layout::columns(MIGRATIONS.len()).map(owned).collect(),
            names: layout::names(MIGRATIONS.len()).map(Into::into).collect(),
            missing_rights: vec![("meta".into(), "INSERT".into()), ("report".into(), "SELECT".into())],
            vacuum: vec![Vacuum { table: "tasks".into(), is_off: false, dead: 1_000_001, live: 1_000_001 }],
            marks: Some(10_000),
            clock_difference: Duration::from_secs(60),
            wanted_connections: 8,
            busy_timeout: Duration::from_secs(30),
        }
    }

    /// What is found after a change of the sound facts.
    fn found(change: impl Fn(&mut Facts)) -> Vec<(&'static str, String)> {
        let mut facts = sound();
        change(&mut facts);
        facts.findings().into_iter().map(|finding| (finding.what, finding.text)).collect()
    }

    #[test]
    fn sound_schema_has_no_findings() {
        assert_eq!(found(|_| ()), []);
    }

    #[test]
    fn each_problem_is_found_with_its_way_out() {
        type Change = fn(&mut Facts);
        let problems: [(&str, &str, Change); 17] = [
            ("tables_changed", "tasks.claim_key is missing", |f| f.columns.retain(|(_, name, _)| name != "claim_key")),
            ("tables_changed", "the table rows is missing:", |f| f.columns.retain(|(table, ..)| table != "rows")),
            ("tables_changed", "meta.mark is bytea instead of text", |f| {
                f.columns.retain(|(_, name, _)| name != "mark");
                f.columns.insert(("meta".into(), "mark".into(), "bytea".into()));
            }),
            ("index_missing", "`CREATE UNIQUE INDEX tasks_id_key ON \"s\".tasks (id_key)`", |f| {
                f.names.remove("tasks_id_key");
            }),
            ("index_missing", "ADD PRIMARY KEY", |f| f.names.retain(|name| name != "rows_pkey")),
            ("rights_missing", "GRANT INSERT, DELETE ON \"s\".tasks TO \"worker\";", |f| {
                f.missing_rights = vec![("tasks".into(), "INSERT".into()), ("tasks".into(), "DELETE".into())];
            }),
            ("rights_missing", "GRANT USAGE ON SEQUENCE \"s\".fence", |f| {
                f.missing_rights = vec![("fence".into(), "USAGE".into())];
            }),
            ("read_only", "name the primary server", |f| {
                f.server.settings.insert("transaction_read_only", "on".into());
            }),
            ("durability_off", "fsync, synchronous_commit is off", |f| {
                f.server.settings.insert("fsync", "off".into());
                f.server.settings.insert("synchronous_commit", "off".into());
            }),
            ("old_server", "update the server", |f| f.server.version_number = 119_999),
            ("autovacuum_off", "on the server", |f| drop(f.server.settings.insert("track_counts", "off".into()))),
            ("autovacuum_off", "for tasks", |f| f.vacuum.iter_mut().for_each(|vacuum| vacuum.is_off = true)),
            ("dead_rows", "tasks (1000001)", |f| f.vacuum.iter_mut().for_each(|vacuum| vacuum.live = 7)),
            ("statement_timeout", "statement_timeout is 30s", |f| f.server.statement_timeout = 30_000),
            ("connections", "90 of 97 connections", |f| f.server.connections = 90),
            ("clock", "differ by 61 s", |f| f.clock_difference = Duration::from_secs(61)),
            ("many_marks", "has 10001 rows", |f| f.marks = Some(10_001)),
        ];
        for (what, words, change) in problems {
            let found = found(change);
            assert_eq!(found.iter().map(|(what, _)| *what).collect::<Vec<_>>(), [what], "{words}");
            assert!(found.iter().all(|(_, text)| text.contains(words)), "{words}: {found:?}");
        }
    }

    #[test]
    fn clocks_differ_only_outside_of_the_round_trip() {
        let micros = |time| clock_difference(100, time, 200).as_micros();
        assert_eq!([100, 150, 200, 90, 203].map(micros), [0, 0, 0, 10, 3]);
        assert_eq!(clock_difference(100, 100, 90), Duration::ZERO, "the clock of this machine was set back");
    }
}
