//! An application at work, to look at with the `tracker` program: it downloads images that do not exist, makes pictures of
//! them that nobody sees, and fails now and then. Its work is to sleep.
//!
//! `cargo run --release -p tracker-cli --example crawl -- crawl.redb`, and in a second terminal `tracker top crawl.redb`.
//! Interrupt it as you like: the same command goes on.

use std::{error::Error, thread, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{Execution, TaskStatus, Tasks, TrackedTask, Tracker, worker::WorkerPool};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "download", status = Status, max_attempts = 3, backoff = "exponential(2s, 1m)")]
struct Download {
    #[task(id)]
    url: String,
    #[task(index)]
    host: String,
    bytes: Option<u64>,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "thumbnail", status = Status, max_attempts = 2, backoff = "fixed(5s)")]
struct Thumbnail {
    #[task(id)]
    of: String,
    width: u32,
}

const HOSTS: [&str; 4] = ["img.example.org", "cdn.example.net", "photos.example.com", "media.example.edu"];
/// How many pieces a download comes in.
const PIECES: u64 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: crawl FILE [COUNT]";
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or(usage)?;
    let count: u64 = arguments.next().map_or(Ok(6_000), |count| count.parse())?;
    let tracker = Tracker::open(file)?;
    let (downloads, thumbnails) = (tracker.tasks::<Download>()?, tracker.tasks::<Thumbnail>()?);
    downloads.submit_all((0..count).map(|number| {
        let host = HOSTS[usize::try_from(chance(number) % 4).unwrap_or_default()].to_owned();
        Download { url: format!("https://{host}/{number:05}.jpg"), host, bytes: None }
    }))?;
    let crew = WorkerPool::new().threads(6).serve(&downloads, |download| fetch(download, &thumbnails)).serve(
        &thumbnails,
        |thumbnail| {
            let chance = chance_of(&thumbnail.of);
            thread::sleep(Duration::from_millis(2 + chance % 5));
            if chance.is_multiple_of(90) { Err(format!("{}: not a JPEG file", thumbnail.of)) } else { Ok(()) }
        },
    );
    crew.run()?;
    Ok(())
}

/// Fails for some at their first attempt, for few at each; some hosts are slower at times.
fn fetch(download: &mut Execution<Download>, thumbnails: &Tasks<Thumbnail>) -> Result<(), String> {
    let chance = chance_of(&download.url);
    let slow = if download.host.starts_with("cdn") { 3 } else { 1 };
    let tide = download.fence() / 400 % 3 * 4;
    let bytes = 20_000 + chance % 400_000;
    for piece in 0..PIECES {
        thread::sleep(Duration::from_millis(slow * (3 + tide + chance % 9)));
        download.progress((piece + 1) * bytes / PIECES, Some(bytes), "bytes");
    }
    match chance % 100 {
        0 => return download.give_up("404 not found").map_err(|error| error.to_string()),
        1..5 if download.attempt() == 1 => return Err(format!("{}: connection reset by peer", download.url)),
        5 => return Err(format!("{} answers 503 Service Unavailable", download.host)),
        _ => {}
    }
    download.bytes = Some(bytes);
    let of = download.url.clone();
    download.submit_next(thumbnails, &Thumbnail { of, width: 320 }).map_err(|error| error.to_string())
}

/// A number that looks like chance, the same at each run.
fn chance(seed: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

fn chance_of(text: &str) -> u64 {
    chance(text.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte)))
}
