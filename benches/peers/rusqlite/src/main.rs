//! A hand-written queue on one SQLite table: WAL, one connection behind a lock, `UPDATE … RETURNING` to claim, one
//! commit per claim and one per end. Variants: `full` and `normal`, after SQLite's `synchronous`.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{SystemTime, UNIX_EPOCH},
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use rusqlite::{Connection, OptionalExtension, params};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, payload TEXT NOT NULL, status INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, worker TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS claim_order ON tasks (status, seq);
    UPDATE tasks SET status = 0 WHERE status = 1;";

struct Shared {
    connection: Mutex<Connection>,
    submitted: Condvar,
    stop: AtomicBool,
}

struct SqliteTable(Arc<Shared>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, worker: &str, handlers: &Handlers) -> Result<(), rusqlite::Error> {
        while !self.stop.load(Ordering::Relaxed) {
            let connection = self.lock();
            let claimed = connection
                .prepare_cached(
                    "UPDATE tasks SET status = 1, attempts = attempts + 1, worker = ?1, updated = ?2
                     WHERE seq = (SELECT seq FROM tasks WHERE status = 0 ORDER BY seq LIMIT 1)
                     RETURNING seq, id, payload",
                )?
                .query_row(params![worker, now()], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
                })
                .optional()?;
            let Some((seq, id, _payload)) = claimed else {
                drop(self.submitted.wait_timeout(connection, std::time::Duration::from_millis(100)));
                continue;
            };
            drop(connection);
            handlers.run(id.parse().unwrap_or(u64::MAX));
            self.lock()
                .prepare_cached(
                    "UPDATE tasks SET status = 2, updated = ?2 WHERE seq = ?1 AND status = 1 AND worker = ?3",
                )?
                .execute(params![seq, now(), worker])?;
        }
        Ok(())
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

fn insert(connection: &Connection, number: u64) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT INTO tasks (id, payload, status, created, updated) VALUES (?1, ?2, 0, ?3, ?3)")?
        .execute(params![format!("{number:012}"), PAYLOAD, now()])?;
    Ok(())
}

impl Queue for SqliteTable {
    type Workers = Vec<JoinHandle<()>>;

    fn open(args: &Args) -> Result<Self, Error> {
        let connection = Connection::open(args.dir.join("tasks.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = if args.variant == "full" { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.execute_batch(SCHEMA)?;
        let (connection, stop) = (Mutex::new(connection), AtomicBool::new(false));
        Ok(Self(Arc::new(Shared { connection, submitted: Condvar::new(), stop })))
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        insert(&self.0.lock(), number)?;
        self.0.submitted.notify_one();
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let mut connection = self.0.lock();
        let transaction = connection.transaction()?;
        for number in numbers {
            insert(&transaction, number)?;
        }
        transaction.commit()?;
        self.0.submitted.notify_all();
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let spawn = |worker| {
            let (shared, handlers) = (self.0.clone(), handlers.clone());
            thread::spawn(move || {
                if let Err(error) = shared.work(&format!("worker {worker}"), &handlers) {
                    eprintln!("{error}");
                }
            })
        };
        Ok((0..workers).map(spawn).collect())
    }

    fn counts(&self) -> Result<Counts, Error> {
        let succeeded: i64 =
            self.0.lock().query_row("SELECT count(*) FROM tasks WHERE status = 2", [], |row| row.get(0))?;
        Ok(Counts { succeeded: succeeded.try_into()?, given_up: 0 })
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        self.0.stop.store(true, Ordering::Relaxed);
        for worker in workers.into_iter().flatten() {
            let _ = worker.join();
        }
        // The last connection that closes moves the log into the database file.
        drop(self.0);
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<SqliteTable>()
}
