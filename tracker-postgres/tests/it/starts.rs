//! Starts: the tables, the login, and what keeps a program from it.

use std::{sync::Barrier, thread, time::Duration};

use tracker_core::{
    Error, ErrorKind,
    store::{Access, Store, StoreTable},
};
use tracker_postgres::{PostgresOptions, PostgresStore};

use crate::support::{
    PASSWORD, connect, first_rows, free_port, load_one, new_schema, options, put, server_or_skip, waiting_task,
};

fn refused(options: &PostgresOptions) -> Error {
    let error = PostgresStore::connect(options).unwrap_err();
    let texts = [error.to_string(), format!("{error:?}"), format!("{options:?}")];
    assert!(texts.iter().all(|text| !text.contains("hunter2")), "{texts:?}");
    error
}

#[test]
fn ten_first_starts_at_once_work() {
    let server = server_or_skip!();
    let options = server.options().connections(1);
    let barrier = Barrier::new(10);
    let stores: Vec<_> = thread::scope(|scope| {
        let start = || {
            barrier.wait();
            PostgresStore::connect(&options)
        };
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    put(&stores[0], waiting_task(1));
    let mut unit = stores[9].begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, first_rows(StoreTable::Headers, &[], None, 9)).rows.len(), 1);
}

#[test]
fn trackers_in_two_schemas_share_nothing() {
    let server = server_or_skip!();
    let name = format!("{} \"'ä", new_schema());
    let (one, two) = (connect(&server.options()), connect(&server.options().schema(name)));
    put(&one, waiting_task(1));
    put(&two, waiting_task(2));
    for (store, seq) in [(&one, 1), (&two, 2)] {
        let mut unit = store.begin(Access::Read).unwrap();
        let rows = load_one(&mut unit, first_rows(StoreTable::Headers, &[], None, 9)).rows;
        assert_eq!(rows.iter().map(|(key, _)| key[11]).collect::<Vec<_>>(), [seq]);
    }
}

#[test]
fn newer_tables_are_refused() {
    let server = server_or_skip!();
    let schema = new_schema();
    let options = server.options().schema(schema.clone());
    drop(connect(&options));
    drop(connect(&options));
    server.psql("postgres", &format!("UPDATE {schema}.meta SET layout = 99")).unwrap();
    let error = refused(&options);
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("update tracker-postgres"), "{error}");
}

#[test]
fn tables_of_another_program_are_refused() {
    let server = server_or_skip!();
    for sql in [
        "CREATE TABLE {}.meta (a int)",
        "CREATE TABLE {}.meta (mark text, layout int)",
        "CREATE TABLE {}.tasks (a int)",
        "CREATE SEQUENCE {}.fence",
    ] {
        let schema = new_schema();
        let sql = format!("CREATE SCHEMA {schema}; {}", sql.replace("{}", &schema));
        server.psql("postgres", &sql).unwrap();
        let error = refused(&server.options().schema(schema));
        assert_eq!(error.kind(), ErrorKind::Foreign, "{sql}: {error}");
        assert!(error.to_string().contains("choose another schema"), "{error}");
    }
}

#[test]
fn login_by_password_works_over_tcp() {
    let server = server_or_skip!();
    let store = connect(&options(&server.url("postgres")).schema(new_schema()));
    put(&store, waiting_task(1));
    assert!(!format!("{store:?}{}", store.name()).contains(PASSWORD));
}

#[test]
fn wrong_login_is_refused_without_the_password() {
    let server = server_or_skip!();
    let url = server.url("postgres");
    for (wrong, kind, word) in [
        (url.replace(PASSWORD, "hunter2-wrong"), ErrorKind::Invalid, "correct user and password"),
        (url.replace("owner:", "nobody:"), ErrorKind::Invalid, "correct user and password"),
        (url.replace("/postgres?", "/missing?"), ErrorKind::Invalid, "create the database"),
        (url.replace("=disable", "=require"), ErrorKind::Invalid, "offers no encryption"),
        (url.replace(&server.port.to_string(), &free_port().to_string()), ErrorKind::Io, "no server listens there"),
    ] {
        let error = refused(&options(&wrong));
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = PostgresOptions::new("postgres://u:hunter2@h:x/").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!format!("{error}{error:?}").contains("hunter2"));
}

#[test]
fn role_with_the_least_rights_works() {
    let server = server_or_skip!();
    let schema = new_schema();
    drop(connect(&server.options().schema(schema.clone())));
    let role = format!("role_{schema}");
    server
        .psql(
            "postgres",
            &format!(
                "CREATE ROLE {role} LOGIN PASSWORD 'hunter2'; GRANT USAGE ON SCHEMA {schema} TO {role}; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}; \
                 REVOKE DELETE, INSERT ON {schema}.meta FROM {role}; \
                 GRANT SELECT, USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
            ),
        )
        .unwrap();
    let url = server.url("postgres").replace(&format!("owner:{PASSWORD}"), &format!("{role}:hunter2"));
    let store = connect(&options(&url).schema(schema.clone()));
    put(&store, waiting_task(1));
    let mut unit = store.begin(Access::Write).unwrap();
    assert!(unit.take_numbers(tracker_core::store::NumberSeries::Fence, 4).is_ok());

    let error = refused(&options(&url).schema(new_schema()));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("lacks a right"), "{error}");
    server.psql("postgres", &format!("REVOKE INSERT ON {schema}.rows FROM {role}")).unwrap();
    let unit = store.begin(Access::Write).unwrap();
    let rows = vec![crate::support::value(StoreTable::BatchLabels, b"l", Some(b"1"))];
    let error = unit.commit(crate::support::changes(rows)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    put(&store, waiting_task(2));

    // A statement that locks a sequence and then fails leaves no lock behind.
    server.psql("postgres", &format!("REVOKE UPDATE ON ALL SEQUENCES IN SCHEMA {schema} FROM {role}")).unwrap();
    let mut unit = store.begin(Access::Write).unwrap();
    let error = unit.take_numbers(tracker_core::store::NumberSeries::Sequence, 1000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    drop(unit);
    let owner = connect(&server.options().schema(schema).busy_timeout(std::time::Duration::from_secs(5)));
    let mut unit = owner.begin(Access::Write).unwrap();
    assert!(unit.take_numbers(tracker_core::store::NumberSeries::Sequence, 1000).is_ok());
}

#[test]
fn statement_timeout_and_read_only_server_are_named() {
    let server = server_or_skip!();
    let database = format!("db_{}", new_schema());
    server.psql("postgres", &format!("CREATE DATABASE {database}")).unwrap();
    let setting = |sql: &str| server.psql("postgres", &format!("ALTER DATABASE {database} {sql}")).map(drop).unwrap();
    let options = options(&server.local_url(&database));
    let keeper = connect(&options);
    put(&keeper, waiting_task(1));

    setting("SET statement_timeout = '100ms'");
    let store = connect(&options);
    let mut unit = keeper.begin(Access::Write).unwrap();
    load_one(&mut unit, crate::support::row(StoreTable::Headers, &crate::support::task_key(1, 1)));
    let mut rival = store.begin(Access::Write).unwrap();
    let error = rival.load(&[crate::support::row(StoreTable::Headers, &crate::support::task_key(1, 1))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("statement_timeout"), "{error}");

    setting("RESET statement_timeout");
    setting("SET default_transaction_read_only = on");
    let error = refused(&options.busy_timeout(Duration::from_millis(100)).schema("other"));
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
}

#[test]
fn statements_work_without_preparation() {
    let server = server_or_skip!();
    let store = connect(&server.options().prepared_statements(false));
    put(&store, waiting_task(1));
    put(&store, waiting_task(1).into_iter().chain(waiting_task(2)).collect());
    let mut unit = store.begin(Access::Write).unwrap();
    assert_eq!(load_one(&mut unit, first_rows(StoreTable::ClaimOrder, &[], None, 9)).rows.len(), 2);
}

#[test]
fn server_clock_counts_unless_the_client_has_its_own() {
    let server = server_or_skip!();
    let options = server.options();
    let now = connect(&options).begin(Access::Read).unwrap().state().now.unwrap();
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(i64::try_from(here.as_micros()).unwrap().abs_diff(now) < 60_000_000);
    assert_eq!(connect(&options.client_clock(true)).begin(Access::Read).unwrap().state().now, None);
}
