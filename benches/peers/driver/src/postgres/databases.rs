//! Queues in databases of one server: a fresh database for each run, and copies of filled ones.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{processes, server::Server};
use crate::{
    columns::Column,
    measure::{Place, call, measured},
    process::Call,
    results::Outcome,
    rows::Row,
};

/// The database of a run.
const DATABASE: &str = "bench";

/// Limit in seconds for filling a queue of a million tasks.
const LONG_FILL: u64 = 1500;

/// The databases of a measurement, and the programs of the peers.
pub struct Databases {
    programs: PathBuf,
    server: Server,
    /// Databases with filled queues, and their numbers of tasks.
    filled: RefCell<HashMap<String, u64>>,
    filling: Cell<Duration>,
}

impl Databases {
    pub fn new(programs: PathBuf, server: Server) -> Self {
        Self { programs, server, filled: RefCell::default(), filling: Cell::default() }
    }

    /// Makes a database, empty or as a copy of `from`. Its pages are flushed, so that their writes are not measured.
    fn create(&self, name: &str, from: Option<&str>) -> Result<(), String> {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let template = from.map_or(String::new(), |from| format!(" TEMPLATE {from} STRATEGY file_copy"));
        let create = format!("CREATE DATABASE {name}{template}");
        self.server.sql("postgres", &[&drop, &create, "CHECKPOINT"]).map(|_| ())
    }

    /// Fills the queue of a row once for all runs. Returns the name of its database and the number of its tasks.
    fn filled(&self, row: &Row, call: &Call, deleted: Option<u64>) -> Result<(String, u64), String> {
        let (scenario, tasks) = (if deleted.is_some() { "wear" } else { "fill" }, call.filled.unwrap_or(call.tasks));
        let name = database_name(row.name, scenario, tasks);
        if let Some(tasks) = self.filled.borrow().get(&name) {
            return Ok((name, *tasks));
        }
        let begun = Instant::now();
        let filled = self.fill(row, &name, Call { scenario, tasks, filled: deleted, ..call.clone() });
        self.filling.set(self.filling.get() + begun.elapsed());
        let tasks = filled?;
        self.filled.borrow_mut().insert(name.clone(), tasks);
        Ok((name, tasks))
    }

    fn fill(&self, row: &Row, name: &str, mut call: Call) -> Result<u64, String> {
        let long = call.filled.is_some() || call.tasks >= 1_000_000;
        call.seconds = if long { LONG_FILL } else { call.seconds * 2 };
        call.url = Some(self.server.url(name));
        self.create(name, None)?;
        if call.filled.is_none() {
            let report = call.run(&self.programs, row, &[])?;
            // Autovacuum does this to a queue that waits for a minute.
            self.server.sql(name, &["VACUUM (ANALYZE)"])?;
            return Ok(report.done);
        }
        // The dead rows stay: the statistics that autovacuum goes by are not copied with a database.
        self.set_autovacuum("off")?;
        let report = call.run(&self.programs, row, &[]);
        self.set_autovacuum("on")?;
        self.server.sql(name, &["ANALYZE"])?;
        Ok(report?.done)
    }

    fn set_autovacuum(&self, value: &str) -> Result<(), String> {
        let set = format!("ALTER SYSTEM SET autovacuum = {value}");
        self.server.sql("postgres", &[&set, "SELECT pg_reload_conf()"]).map(|_| ())
    }
}

impl Place for Databases {
    fn cell(&self, row: &Row, column: Column, quick: bool) -> Result<Outcome, String> {
        let mut call = call(column, quick);
        call.url = Some(self.server.url(DATABASE));
        if column.is_drain() {
            let (from, tasks) = self.filled(row, &call, column.deleted())?;
            if call.filled.is_some_and(|wanted| tasks < wanted) {
                return Err(format!("only {tasks} tasks were submitted in time"));
            }
            call.tasks = call.tasks.min(tasks);
            self.create(DATABASE, Some(&from))?;
        } else {
            self.create(DATABASE, None)?;
        }
        let report = match column.processes() {
            Some(count) => processes::run(&self.programs, row, &call, count)?,
            None => call.run(&self.programs, row, &[])?,
        };
        Ok(if report.unsupported { Outcome::Unsupported } else { Outcome::Measured(measured(column, &report)) })
    }

    fn filling(&self) -> Duration {
        self.filling.get()
    }
}

/// The name of the database with a filled queue.
fn database_name(row: &str, scenario: &str, tasks: u64) -> String {
    let plain: String =
        row.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("{scenario}_{tasks}_{plain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_database_needs_no_quotes() {
        assert_eq!(database_name("tracker, prefetch(64)", "fill", 100), "fill_100_tracker__prefetch_64_");
    }
}
