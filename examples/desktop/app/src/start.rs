//! The start of the program: opens the file of jobs, or hands the files to the process that has it open.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::json;
use tracker_core::{
    ErrorKind, TrackedTask, Tracker,
    live::Client,
    portable::{ImportOptions, Imported},
};

use crate::{add::Found, hash::Hash};

/// How long another process may take to open or close the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of a start.
pub enum Started {
    /// This process has the file now.
    First(Box<Tracker>),
    /// Another process has the file, and has taken the files.
    Handed(Imported),
}

/// Opens the file, or hands the jobs over if another process has it open.
pub fn start(database: &Path, start_paused: bool, found: &Found) -> anyhow::Result<Started> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = Client::find(database)? {
            match hand_over(&client, found) {
                // The other process has just closed the file.
                Err(error) if error.kind() == ErrorKind::Closed => {}
                handed => return Ok(Started::Handed(handed?)),
            }
        }
        let options = Tracker::options().start_paused(start_paused).busy_timeout(Duration::from_millis(200));
        match options.open(database) {
            Ok(tracker) => return Ok(Started::First(Box::new(tracker))),
            Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(error) if error.kind() == ErrorKind::Busy => {
                bail!("{error}; it does not answer: end it, or choose another file with --db")
            }
            Err(error) => return Err(error).with_context(|| format!("cannot open {}", database.display())),
        }
    }
}

/// Sends the jobs as JSON lines. Jobs that the other process has stay as they are.
fn hand_over(client: &Client, found: &Found) -> tracker_core::Result<Imported> {
    let line = |job: &Hash| format!("{}\n", json!({ "id": job.path, "payload": job }));
    let lines: String = found.jobs.iter().map(line).collect();
    client.import(lines.as_bytes(), &ImportOptions::new().kind(Hash::KIND).go_on())
}
