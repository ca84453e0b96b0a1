//! Steps with names of several words, prefixes, suffixes and words; a later step without a pending of its own.
use tracker_core::{TaskStatus, status::Graph};

#[derive(TaskStatus, Clone, Copy)]
enum ImportStatus {
    #[status(step = "fetch meta")]
    FetchMetaPending = 10,
    InProgressFetchMeta = 11,
    #[status(exhausted)]
    Unreachable = 12,
    Succeeded = 13,
    #[status(step = "load", in_progress)]
    Loading = 20,
    #[status(step = "load")]
    LoadIgnored = 21,
    #[status(parked)]
    LoadHeld = 22,
    LoadSucceeded = 23,
}

fn main() {
    assert_eq!(ImportStatus::GRAPH.steps, ["fetch meta", "load"]);
    assert_eq!(Graph::of(&ImportStatus::GRAPH).map(|graph| graph.startable(1)), Ok(vec![13]));
}
