//! PgBouncer in transaction mode between programs and the server: each transaction may get another connection.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{Error, ErrorKind, Execution, Tracker, store::Access, store::Store};
use tracker_postgres::{Isolation, PostgresOptions, PostgresStore};

use crate::support::{
    PASSWORD, Server, connect, free_port,
    job::{Job, Status},
    new_schema, options, put,
    server::unprivileged,
    waiting_task,
};

/// A running PgBouncer with few connections to the server.
struct Pool {
    _folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Pool {
    fn start(server: &Server, connections: u32) -> Result<Self, String> {
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().map(Path::new).find(|path| path.exists());
        let program = program.ok_or("PgBouncer is not installed (package pgbouncer)")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let port = free_port();
        let settings = format!(
            "[databases]\npostgres = host={} port={} user=owner\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\npool_mode = transaction\ndefault_pool_size = {connections}\nauth_type = plain\nauth_file = {}\n",
            server.folder.display(),
            server.port,
            folder.path().join("users").display(),
        );
        let write =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).map_err(|error| error.to_string());
        write("settings", &settings)?;
        write("users", &format!("\"owner\" \"{PASSWORD}\"\n"))?;
        let mut command = unprivileged(program)?;
        command.arg(folder.path().join("settings")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().map_err(|error| error.to_string())?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err("PgBouncer does not start".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { _folder: folder, process, port })
    }

    fn options(&self, server: &Server) -> PostgresOptions {
        options(&server.url_at(self.port, "postgres")).schema(new_schema()).prepared_statements(false)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn start(connections: u32) -> Option<(&'static Server, Pool)> {
    let server = crate::support::server()?;
    match Pool::start(server, connections) {
        Ok(pool) => Some((server, pool)),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}

/// Trackers in several connections of one pool claim and end tasks.
fn drain(options: &PostgresOptions) {
    let trackers: Vec<Tracker> = (0..3).map(|_| options.connect().unwrap()).collect();
    let tasks: Vec<_> = trackers.iter().map(|tracker| tracker.tasks::<Job>().unwrap()).collect();
    tasks[0].submit_all((0..120).map(Job::new)).unwrap();
    thread::scope(|scope| {
        for tasks in &tasks {
            scope.spawn(|| {
                let work = |job: &mut Execution<Job>| {
                    job.done = true;
                    Ok::<_, Error>(())
                };
                tasks.worker().threads(4).run(work).unwrap();
            });
        }
    });
    let records = tasks[0].query().fetch().unwrap();
    assert_eq!(records.len(), 120);
    for record in records {
        assert_eq!((record.status, record.task.done, record.attempts), (Status::Succeeded, true, 1), "{}", record.id);
    }
    assert_eq!(trackers[0].verify().unwrap(), []);
}

#[test]
fn workers_share_the_connections_of_a_pool() {
    let Some((server, pool)) = start(4) else { return };
    drain(&pool.options(server));
    drain(&pool.options(server).isolation(Isolation::Serializable));
}

#[test]
fn prepared_statements_behind_a_pool_are_named() {
    let Some((server, pool)) = start(1) else { return };
    let options = pool.options(server).prepared_statements(true);
    let error = (0..10).find_map(|number| {
        let store = PostgresStore::connect(&options).ok()?;
        let unit = store.begin(Access::Write);
        let error = unit.and_then(|unit| unit.commit(crate::support::changes(waiting_task(number)))).err();
        std::mem::forget(store);
        error
    });
    let error = error.or_else(|| PostgresStore::connect(&options).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("prepared_statements(false)"), "{error}");
}

#[test]
fn connections_of_a_pool_may_break() {
    let Some((server, pool)) = start(2) else { return };
    // A name of its own: the other tests use the same server.
    let url = format!("{}&application_name=breaks", server.url_at(pool.port, "postgres"));
    let store = connect(&options(&url).schema(new_schema()).prepared_statements(false));
    for number in 1..5 {
        put(&store, waiting_task(number));
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'breaks'";
        let ended = server.psql("postgres", sql).unwrap();
        assert_ne!(ended.trim(), "0", "no connection has the name");
    }
}
