//! The job panel of a desktop application without its window: files to hash, in a list that can be reordered, paused, cancelled and
//! quit at any time. The loop of the user interface never waits for the disk.
//!
//! Run it with `cargo run --example desktop_jobs`. It plays a session of a user in a temporary folder: start, reorder, quit with a job
//! running, start again, cancel, clean up. The times of the frames go to standard error.

mod panel;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use panel::Panel;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracker_core::{Execution, Outcome, TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HashStatus {
    #[status(pending)]
    Waiting = 10,
    #[status(in_progress)]
    Running = 20,
    #[status(succeeded)]
    Done = 30,
    #[status(exhausted)]
    Failed = 40,
    Cancelled = 50,
}

/// A file to hash. A job that was running when the program ended goes first at the next start.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "hash", status = HashStatus, max_attempts = 2, interrupted = "front")]
struct Hash {
    #[task(id)]
    path: PathBuf,
    sha256: Option<String>,
}

/// Hashes a file, and stops within one read when the job is cancelled or the program quits.
fn hash(job: &mut Execution<Hash>) -> io::Result<Outcome> {
    let mut file = File::open(&job.path)?;
    let total = file.metadata()?.len();
    let (mut sum, mut buffer, mut done) = (Sha256::new(), vec![0; 64 << 10], 0);
    loop {
        if job.is_cancelled() || job.is_stopping() {
            return Ok(Outcome::Release);
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        done += read as u64;
        job.progress(done, Some(total), "");
    }
    job.sha256 = Some(format!("{:x}", sum.finalize()));
    Ok(Outcome::Succeed)
}

/// Forty small files, one that is missing, and a film of 64 GiB without content.
fn files(folder: &Path) -> io::Result<(Vec<PathBuf>, PathBuf)> {
    let mut paths = Vec::new();
    for number in 0..40 {
        let path = folder.join(format!("photo {number}.jpg"));
        fs::write(&path, format!("pixels {number}"))?;
        paths.push(path);
    }
    let film = folder.join("film.mkv");
    File::create(&film)?.set_len(64 << 30)?;
    paths.extend([folder.join("missing.jpg"), film.clone()]);
    Ok((paths, film))
}

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (paths, film) = files(folder.path())?;
    let database = folder.path().join("jobs.redb");

    println!("first start");
    let tracker = Tracker::open(&database)?;
    let hashes = tracker.tasks::<Hash>()?;
    let worker = hashes.worker().keep_running();
    worker.pool_size().resize(0)?; // nothing starts before the user has looked at the list
    let worker = worker.spawn(hash)?;
    let mut panel = Panel::open(&hashes)?;
    panel.add(&paths);
    panel.draw_until(|panel| panel.count(HashStatus::Waiting) == paths.len());
    panel.move_to_top(&film);
    panel.draw_until(Panel::is_idle);
    worker.resize(2)?; // the slider of the window
    panel.draw_until(|panel| panel.count(HashStatus::Running) == 1 && panel.count(HashStatus::Waiting) == 0);
    panel.draw_until(|panel| panel.progress(&film).is_some());
    println!("  first started: {}", panel.first_started());
    print!("{panel}");
    println!("  quit with a running job: {}", worker.shutdown(Duration::from_secs(1))?.is_complete());
    panel.print_times("first start");
    drop(panel);
    drop(worker.join()?);
    drop(hashes);
    tracker.close()?;

    println!("second start");
    let tracker = Tracker::options().start_paused(true).open(&database)?;
    let hashes = tracker.tasks::<Hash>()?;
    let worker = hashes.worker().threads(2).keep_running().spawn(hash)?;
    let mut panel = Panel::open(&hashes)?;
    print!("{panel}");
    panel.resume();
    panel.draw_until(|panel| panel.count(HashStatus::Running) == 1);
    panel.cancel(&film);
    panel.draw_until(|panel| panel.count(HashStatus::Cancelled) == 1);
    panel.remove_done();
    panel.draw_until(|panel| panel.is_idle() && panel.count(HashStatus::Done) == 0);
    print!("{panel}");
    println!("  quit: {}", worker.shutdown(Duration::from_secs(1))?.is_complete());
    panel.print_times("second start");
    drop(worker.join()?);
    Ok(())
}
