//! A pipeline with step names of several words, prefixes and suffixes, and a later step without a pending status.
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

#[test]
fn step_names_may_have_several_words() {
    assert_eq!(ImportStatus::GRAPH.steps, ["fetch meta", "load"]);
    assert_eq!(Graph::of(&ImportStatus::GRAPH).map(|graph| graph.startable(1)), Ok(vec![13]));
}
