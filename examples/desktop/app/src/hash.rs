//! The task: a file to hash, and its handler. Called by the worker; reads only that file.

use std::{fs::File, io::Read, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracker_core::{Execution, Outcome, TaskStatus, TrackedTask};
use tracker_egui::{JobText, PauseRequests};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashStatus {
    #[status(pending)]
    Waiting = 10,
    #[status(in_progress)]
    Running = 20,
    #[status(failed)]
    Retrying = 30,
    #[status(succeeded)]
    Done = 40,
    #[status(exhausted)]
    Failed = 50,
    Cancelled = 60,
}

/// A file to hash. A job that was running when the program ended goes first at the next start.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[task(name = "hash", status = HashStatus, max_attempts = 3, backoff = "exponential(1s, 1m)", interrupted = "front")]
pub struct Hash {
    /// A text, so that ids are the same in JSON lines: see `start`.
    #[task(id)]
    pub path: String,
    /// Bytes, when the file was added.
    pub size: u64,
    pub sha256: Option<String>,
}

/// Bytes that are read at once: a stop is seen after that many.
const PART: usize = 256 << 10;

/// Hashes a file. Stops within one read when the job is cancelled or paused or the program quits.
pub fn run(job: &mut Execution<Hash>, pauses: &PauseRequests) -> anyhow::Result<Outcome> {
    let path = job.path.clone();
    let mut file = File::open(&path).with_context(|| format!("cannot open {path}"))?;
    let total = file.metadata()?.len();
    let (mut sum, mut part, mut done) = (Sha256::new(), vec![0; PART], 0);
    loop {
        if job.is_cancelled() || job.is_stopping() || pauses.is_requested(job.id()) {
            return Ok(Outcome::Release);
        }
        let read = file.read(&mut part).with_context(|| format!("cannot read {path}"))?;
        if read == 0 {
            break;
        }
        sum.update(&part[..read]);
        done += read as u64;
        job.progress(done, Some(total), "");
    }
    job.size = done;
    job.sha256 = Some(format!("{:x}", sum.finalize()));
    Ok(Outcome::Succeed)
}

/// The text of a job in the panel.
pub fn describe(hash: &Hash) -> JobText {
    let path = Path::new(&hash.path);
    let text = |part: Option<&Path>| part.map(|part| part.display().to_string()).unwrap_or_default();
    JobText {
        name: text(path.file_name().map(Path::new)),
        place: text(path.parent()),
        result: hash.sha256.clone().unwrap_or_default(),
        amount: hash.size,
    }
}
