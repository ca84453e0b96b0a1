//! A hand-written queue on one PostgreSQL table: `UPDATE … SKIP LOCKED … RETURNING` claims, `UPDATE` ends, each a prepared
//! statement and a commit of its own; one connection per worker. Without work, a worker polls.
#![forbid(unsafe_code)]

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use peer_protocol::{Args, Counts, Error, Handlers, PAYLOAD, Queue};
use postgres::{Client, NoTls};

/// The partial index holds only what waits, so that ended tasks do not slow a claim down. Two processes that create a table at the
/// same time can fail, so they take turns.
const SCHEMA: &str = "
    BEGIN;
    SELECT pg_advisory_xact_lock(1);
    CREATE TABLE IF NOT EXISTS tasks (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, payload text NOT NULL,
        status smallint NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0, worker text,
        created timestamptz NOT NULL DEFAULT now(), updated timestamptz NOT NULL DEFAULT now());
    CREATE INDEX IF NOT EXISTS waiting ON tasks (seq) WHERE status = 0;
    COMMIT;";

const CLAIM: &str = "
    UPDATE tasks SET status = 1, attempts = attempts + 1, worker = $1, updated = now()
    WHERE seq = (SELECT seq FROM tasks WHERE status = 0 ORDER BY seq FOR UPDATE SKIP LOCKED LIMIT 1)
    RETURNING seq, id, payload";

const END: &str = "UPDATE tasks SET status = 2, updated = now() WHERE seq = $1 AND status = 1 AND worker = $2";

const INSERT: &str = "INSERT INTO tasks (id, payload) VALUES ($1, $2)";

const INSERT_ALL: &str = "INSERT INTO tasks (id, payload) SELECT id, $2 FROM unnest($1::text[]) AS id";

/// Interval at which a worker without work looks again.
const POLL: Duration = Duration::from_millis(10);

struct Table {
    url: String,
    client: Mutex<Client>,
    insert: postgres::Statement,
    stop: Arc<AtomicBool>,
}

fn connect(url: &str) -> Result<Client, Error> {
    Ok(Client::connect(url, NoTls)?)
}

impl Table {
    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(mut client: Client, worker: &str, handlers: &Handlers, stop: &AtomicBool) -> Result<(), Error> {
    let (claim, end) = (client.prepare(CLAIM)?, client.prepare(END)?);
    while !stop.load(Ordering::Relaxed) {
        let Some(row) = client.query_opt(&claim, &[&worker])? else {
            thread::sleep(POLL);
            continue;
        };
        let (seq, id, _payload): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        handlers.run(id.parse().unwrap_or(u64::MAX));
        client.execute(&end, &[&seq, &worker])?;
    }
    Ok(())
}

fn id(number: u64) -> String {
    format!("{number:012}")
}

impl Queue for Table {
    type Workers = Vec<JoinHandle<()>>;

    fn open(args: &Args) -> Result<Self, Error> {
        let mut client = connect(&args.url)?;
        client.batch_execute(SCHEMA)?;
        let insert = client.prepare(INSERT)?;
        Ok(Self { url: args.url.clone(), client: Mutex::new(client), insert, stop: Arc::default() })
    }

    fn submit(&self, number: u64) -> Result<(), Error> {
        self.client().execute(&self.insert, &[&id(number), &PAYLOAD])?;
        Ok(())
    }

    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error> {
        let ids: Vec<String> = numbers.map(id).collect();
        self.client().execute(INSERT_ALL, &[&ids, &PAYLOAD])?;
        Ok(true)
    }

    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error> {
        let spawn = |worker| {
            let (client, handlers, stop) = (connect(&self.url)?, handlers.clone(), self.stop.clone());
            let name = format!("process {} worker {worker}", std::process::id());
            Ok(thread::spawn(move || {
                if let Err(error) = work(client, &name, &handlers, &stop) {
                    eprintln!("{error}");
                }
            }))
        };
        (0..workers).map(spawn).collect()
    }

    fn counts(&self) -> Result<Counts, Error> {
        let row = self.client().query_one("SELECT count(*) FROM tasks WHERE status = 2", &[])?;
        let succeeded: i64 = row.get(0);
        Ok(Counts { succeeded: succeeded.try_into()?, given_up: 0 })
    }

    fn delete_all(&self) -> Result<bool, Error> {
        self.client().execute("DELETE FROM tasks", &[])?;
        Ok(true)
    }

    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in workers.into_iter().flatten() {
            let _ = worker.join();
        }
        Ok(())
    }
}

fn main() -> std::process::ExitCode {
    peer_protocol::run::<Table>()
}
