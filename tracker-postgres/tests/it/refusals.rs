//! What an administrator, a full disk or another server can do to a program. Each is an error that says what to do, and nothing is lost.

use std::{
    io::Write as _,
    net::TcpListener,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tracker_core::{
    ErrorKind,
    store::{Access, Committed, Store, StoreTable},
};
use tracker_postgres::PostgresStore;

use crate::support::{
    Cut, Proxy, Server, changes, connect, done, first_rows, load_one, new_schema, options, put, row,
    server::{finished, is_root},
    server_or_skip, value, waiting_task,
};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn silent_server_and_other_protocols_are_named() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:hunter2@127.0.0.1:{}/d", silent.local_addr().unwrap().port());
    let began = Instant::now();
    let error = PostgresStore::connect(&options(&url).connect_timeout(SHORT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("does not answer"), "{error}");
    assert!(began.elapsed() < 10 * SHORT, "{:?}", began.elapsed());

    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u:hunter2@127.0.0.1:{}/d?sslmode=disable", web.local_addr().unwrap().port());
    let server = thread::spawn(move || web.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = PostgresStore::connect(&options(&url)).unwrap_err();
    server.join().unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("is it a PostgreSQL server?"), "{error}");
}

#[test]
fn silent_host_holds_up_the_next_one_only_shortly() {
    let server = server_or_skip!();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("@127.0.0.1:{},", silent.local_addr().unwrap().port());
    let options = options(&server.url("postgres").replace('@', &silent)).schema(new_schema()).connect_timeout(SHORT);
    put(&connect(&options), waiting_task(1));
}

/// A role that owns its schema, with a setting; and its URL.
fn role(server: &Server, setting: &str) -> (String, String) {
    let schema = new_schema();
    let sql = format!(
        "CREATE ROLE r{schema} LOGIN PASSWORD 'hunter2' {setting}; GRANT CREATE ON DATABASE postgres TO r{schema}"
    );
    server.psql("postgres", &sql).unwrap();
    (server.url("postgres").replace("owner:hunter2-owner", &format!("r{schema}:hunter2")), schema)
}

#[test]
fn full_server_is_named_and_waited_for() {
    let server = server_or_skip!();
    let (url, schema) = role(server, "CONNECTION LIMIT 1");
    let options = options(&url).schema(schema);
    let first = connect(&options);
    put(&first, waiting_task(1));
    let error = PostgresStore::connect(&options.clone().busy_timeout(SHORT)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("raise max_connections"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    thread::scope(|scope| {
        let second = scope.spawn(|| put(&connect(&options), waiting_task(2)));
        thread::sleep(Duration::from_millis(50));
        first.close().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn pool_works_with_fewer_connections_than_it_may_have() {
    let server = server_or_skip!();
    let (url, schema) = role(server, "CONNECTION LIMIT 2");
    let store = connect(&options(&url).schema(schema).connections(8));
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..10 {
                    put(store, waiting_task(1 + thread * 10 + number));
                }
            });
        }
    });
    let mut unit = store.begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, first_rows(StoreTable::Headers, &[], None, 100)).rows.len(), 80);
}

#[test]
fn commit_that_a_statement_timeout_ends_stores_nothing() {
    let server = server_or_skip!();
    let (url, schema) = role(server, "");
    let options = options(&url).schema(schema.clone());
    let keeper = connect(&options);
    server.psql("postgres", &format!("ALTER ROLE r{schema} SET statement_timeout = '200ms'")).unwrap();
    let store = connect(&options);
    let label = |bytes: &[u8]| vec![value(StoreTable::BatchLabels, b"label", Some(bytes))];
    put(&keeper, label(b"old"));
    let mut holder = keeper.begin(Access::Write).unwrap();
    load_one(&mut holder, row(StoreTable::BatchLabels, b"label"));
    let unit = store.begin(Access::Write).unwrap();
    let error = unit.commit(changes(label(b"new"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("statement_timeout"), "{error}");
    let mut unit = store.begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, row(StoreTable::BatchLabels, b"label")).rows[0].1, b"old");
    drop((unit, holder));
    put(&store, label(b"new"));
}

#[test]
fn outcome_is_asked_for_again_after_a_statement_timeout() {
    let server = server_or_skip!();
    let (url, schema) = role(server, "");
    let proxy = Proxy::start(server.port);
    let store =
        connect(&options(&url.replace(&server.port.to_string(), &proxy.port.to_string())).schema(schema.clone()));
    put(&store, waiting_task(1));
    // The server works on the commit for longer than the question may take.
    let sql = format!(
        "CREATE FUNCTION {schema}.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER wait AFTER UPDATE OF batch ON {schema}.marks DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION {schema}.wait()"
    );
    server.psql("postgres", &sql).unwrap();
    let unit = store.begin(Access::Write).unwrap();
    server.psql("postgres", &format!("ALTER ROLE r{schema} SET statement_timeout = '200ms'")).unwrap();
    proxy.cut(Cut::Client(b"new-label"));
    let committed = unit.commit(changes(vec![value(StoreTable::BatchLabels, b"new-label", Some(b"1"))])).unwrap();
    assert!(matches!(committed, Committed::Done { .. }), "{committed:?}");
    let mut unit = store.begin(Access::Read).unwrap();
    assert_eq!(load_one(&mut unit, row(StoreTable::BatchLabels, b"new-label")).rows.len(), 1);
}

#[test]
fn standby_is_refused_by_name_and_passed_over() {
    let server = server_or_skip!();
    let standby = server.standby(None).unwrap();
    let schema = new_schema();
    put(&connect(&server.options().schema(schema.clone())), waiting_task(1));
    for schema in [schema.clone(), new_schema()] {
        let error = PostgresStore::connect(&options(&standby.url("postgres")).busy_timeout(SHORT).schema(schema));
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.to_string().contains("name the primary server"), "{error}");
    }
    put(&connect(&options(&standby.url_of_two(server, "postgres")).schema(schema)), waiting_task(2));
}

/// A small file system for the files of a database. It is unmounted in the end.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: std::path::PathBuf) -> Result<Self, String> {
        if !is_root() {
            return Err("a small disk needs the rights of root to be mounted".into());
        }
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs"]).arg(&folder);
        finished(command)?;
        Ok(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// On a server of its own: any backend of a server may write a page of the full disk, and report that.
#[test]
fn full_disk_is_named_and_loses_nothing() {
    let server = match Server::start(&["fsync=off"]) {
        Ok(server) => server,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let disk = match SmallDisk::mount(server.folder.join("small")) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let space = disk.0.join("space");
    std::fs::create_dir(&space).unwrap();
    let mut command = Command::new("chown");
    command.args(["postgres", &space.display().to_string()]);
    finished(command).unwrap();
    server.psql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", space.display())).unwrap();
    server.psql("postgres", "CREATE DATABASE small TABLESPACE small").unwrap();
    let store = connect(&options(&server.local_url("small")));
    let payload: Vec<u8> =
        (0..100_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let insert = |number: u32| {
        let rows = changes(vec![value(StoreTable::BatchLabels, &number.to_be_bytes(), Some(&payload))]);
        store.begin(Access::Write).unwrap().commit(rows)
    };
    let mut stored = 0;
    let error = loop {
        match insert(stored) {
            Ok(committed) => drop(done(committed)),
            Err(error) => break error,
        }
        stored += 1;
        assert!(stored < 200, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert!(error.to_string().contains("free space there and try again"), "{error}");
    let count = || {
        let mut unit = store.begin(Access::Read).unwrap();
        load_one(&mut unit, first_rows(StoreTable::BatchLabels, &[], None, 1_000)).rows.len()
    };
    assert_eq!(count(), stored as usize);
    let mut command = Command::new("mount");
    command.args(["-o", "remount,size=96m"]).arg(&disk.0);
    finished(command).unwrap();
    done(insert(stored).unwrap());
    assert_eq!(count(), stored as usize + 1);
}
