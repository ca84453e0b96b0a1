//! One program with its tasks in memory, in a file or in a PostgreSQL server. The argument names the place.
//!
//! `cargo run --example any_store -- memory`
//! `cargo run --example any_store -- words.redb`
//! `cargo run --features postgres --example any_store -- postgres://app:secret@localhost/jobs`
//!
//! Started again on the same file or server, it finds its tasks ended, and lists them as before.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "text", status = Status, max_attempts = 2)]
struct Text {
    #[task(id)]
    name: String,
    content: String,
    words: Option<usize>,
}

/// Opens the tracker. This is the only part of the program that differs.
fn open(place: &str) -> anyhow::Result<Tracker> {
    if place == "memory" {
        return Ok(Tracker::in_memory()?);
    }
    if place.starts_with("postgres://") || place.starts_with("postgresql://") {
        #[cfg(feature = "postgres")]
        return Ok(tracker_postgres::connect(place)?);
        #[cfg(not(feature = "postgres"))]
        anyhow::bail!("this program was built without the feature `postgres`: add --features postgres");
    }
    Ok(Tracker::open(place)?)
}

fn count(text: &mut Text) -> anyhow::Result<()> {
    anyhow::ensure!(!text.content.is_empty(), "the text is empty");
    text.words = Some(text.content.split_whitespace().count());
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let place = std::env::args().nth(1).context("expected `memory`, the path of a file, or the URL of a server")?;
    let tracker = open(&place)?;
    let texts = tracker.tasks::<Text>()?;
    for (name, content) in [("one", "a file"), ("two", "a server that others share"), ("three", "")] {
        texts.submit(&Text { name: name.into(), content: content.into(), words: None })?;
    }
    texts.worker().threads(2).run(|text| count(text))?;
    for record in texts.query().by_creation().fetch()? {
        let result = match record.task.words {
            Some(words) => format!("{words} words"),
            None => record
                .history
                .iter()
                .filter_map(|attempt| Some(attempt.failure.as_ref()?.error.clone()))
                .collect::<Vec<_>>()
                .join(", then: "),
        };
        println!("{:<6} {:?} after {} of 2 attempts: {result}", record.task.name, record.status, record.attempts);
    }
    tracker.close()?;
    Ok(())
}
