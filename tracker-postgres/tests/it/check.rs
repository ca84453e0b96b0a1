//! What the check of a schema finds, and opens that may not create tables.

use tracker_core::{ErrorKind, Tracker, store::Access};
use tracker_postgres::{PostgresOptions, PostgresStore};

use crate::support::{
    PASSWORD, connect, load_one, new_schema, options, put, row, server_or_skip, task_key, waiting_task,
};

/// The findings, without those that depend on the other tests of this server.
fn findings(options: &PostgresOptions) -> Vec<(&'static str, String)> {
    let check = options.check().unwrap();
    assert!(check.version.starts_with(|first: char| first.is_ascii_digit()), "{}", check.version);
    assert!(check.layout >= 1 && check.connections >= 1 && check.max_connections > 1, "{check:?}");
    let found = check.findings.into_iter().map(|finding| (finding.what, finding.text));
    found.filter(|(what, _)| *what != "connections").collect()
}

#[test]
fn new_schema_has_no_findings() {
    let server = server_or_skip!();
    let options = server.options();
    put(&connect(&options), waiting_task(1));
    assert_eq!(findings(&options), []);
}

#[test]
fn check_knows_every_table_column_and_index() {
    let server = server_or_skip!();
    let schema = new_schema();
    drop(connect(&server.options().schema(schema.clone())));
    let relations = server.psql(
        "postgres",
        &format!(
            "SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind IN ('r', 'i', 'S')"
        ),
    );
    // Each is missing in its turn, and the check says so.
    for relation in relations.unwrap().lines() {
        server.psql("postgres", &format!("ALTER TABLE {schema}.{relation} RENAME TO other")).unwrap();
        let found = server.options().schema(schema.clone()).check();
        let named = found.map(|check| check.findings.into_iter().any(|finding| finding.text.contains(relation)));
        // Without `meta`, there is no tracker.
        assert!(named.unwrap_or(relation == "meta"), "{relation}");
        server.psql("postgres", &format!("ALTER TABLE {schema}.other RENAME TO {relation}")).unwrap();
    }
    let columns = server.psql(
        "postgres",
        &format!(
            "SELECT table_name || ' ' || column_name FROM information_schema.columns WHERE table_schema = '{schema}'"
        ),
    );
    for column in columns.unwrap().lines().filter(|column| !column.starts_with("meta ")) {
        let (table, column) = column.split_once(' ').unwrap();
        server.psql("postgres", &format!("ALTER TABLE {schema}.{table} RENAME {column} TO other")).unwrap();
        let found = findings(&server.options().schema(schema.clone()));
        assert!(found.iter().any(|(_, text)| text.contains(&format!("{table}.{column} is missing"))), "{found:?}");
        server.psql("postgres", &format!("ALTER TABLE {schema}.{table} RENAME other TO {column}")).unwrap();
    }
    assert_eq!(findings(&server.options().schema(schema)), []);
}

#[test]
fn check_finds_settings_and_rights() {
    let server = server_or_skip!();
    let schema = new_schema();
    let owner = server.options().schema(schema.clone());
    drop(connect(&owner));
    server.psql("postgres", &format!("ALTER TABLE {schema}.history SET (autovacuum_enabled = off)")).unwrap();
    assert_eq!(findings(&owner).iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["autovacuum_off"]);
    server.psql("postgres", &format!("ALTER TABLE {schema}.history RESET (autovacuum_enabled)")).unwrap();
    let role = format!("role_{schema}");
    server
        .psql(
            "postgres",
            &format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {schema} TO {role}; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}; ALTER ROLE {role} SET statement_timeout = '1s'; \
                 ALTER ROLE {role} SET default_transaction_read_only = on; ALTER ROLE {role} SET synchronous_commit = off"
            ),
        )
        .unwrap();
    let url = server.url("postgres").replace(&format!("owner:{PASSWORD}"), &format!("{role}:hunter2"));
    let reader = options(&url).schema(schema.clone());
    let found = findings(&reader);
    let words: Vec<_> = found.iter().map(|(what, _)| *what).collect();
    assert_eq!(words, ["rights_missing", "read_only", "durability_off", "statement_timeout"]);
    assert!(!format!("{found:?}").contains("hunter2"));
    // The statements of the finding are those that help.
    let (_, grants) = &found[0];
    let grants = &grants[grants.find("GRANT").unwrap()..];
    server.psql("postgres", grants).unwrap();
    assert_eq!(findings(&reader).iter().map(|(what, _)| *what).collect::<Vec<_>>(), words[1..]);
}

#[test]
fn open_without_creation_needs_the_tables() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(schema.clone());
    let missing = [
        PostgresStore::connect(&options.clone().create_tables(false)).err(),
        options.inspect(Tracker::options()).err(),
        options.check().err(),
    ];
    for error in missing.map(Option::unwrap) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(&format!("no tracker in the schema {schema:?}")), "{error}");
    }
    let schemas = format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'");
    assert_eq!(server.psql("postgres", &schemas).unwrap(), "0");
    put(&connect(&options), waiting_task(1));
    let store = connect(&options.clone().create_tables(false));
    let mut unit = tracker_core::store::Store::begin(&store, Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, row(tracker_core::store::StoreTable::Headers, &task_key(1, 1))).rows.len(), 1);
    drop(unit);
    server.psql("postgres", &format!("UPDATE {schema}.meta SET layout = 0")).unwrap();
    let error = PostgresStore::connect(&options.clone().create_tables(false)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(options.check().unwrap().findings[0].what, "migrations_missing");
}

#[test]
fn role_that_may_only_read_inspects() {
    let server = server_or_skip!();
    let schema = new_schema();
    let owner = server.options().schema(schema.clone());
    owner.connect().unwrap().close().unwrap();
    let role = format!("role_{schema}");
    server
        .psql(
            "postgres",
            &format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {schema} TO {role}; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
            ),
        )
        .unwrap();
    let url = server.url("postgres").replace(&format!("owner:{PASSWORD}"), &format!("{role}:hunter2"));
    let reader = options(&url).schema(schema);
    let tracker = reader.inspect(Tracker::options()).unwrap();
    assert_eq!(tracker.kinds().unwrap(), Vec::<String>::new());
    assert_eq!(tracker.verify().unwrap().len(), 0);
    assert!(reader.connect().is_err());
}
