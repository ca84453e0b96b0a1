//! Keywords as names are stored without `r#`.
#![allow(non_camel_case_types)]
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy)]
enum r#enum {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    #[status(parked)]
    r#try = 50,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = r#enum, startable(r#try), unique(r#type, r#fn), unique(type, while = unfinished))]
struct r#struct {
    #[task(id)]
    r#type: String,
    #[task(index, fingerprint)]
    r#fn: String,
}

#[test]
fn raw_identifiers_lose_their_prefix() {
    assert_eq!(r#enum::GRAPH.name, "enum");
    assert_eq!(r#enum::GRAPH.statuses[4].name, "try");
    assert_eq!(r#struct::KIND, "struct");
    assert_eq!(r#struct::INDEXES, ["fn"]);
    assert_eq!(r#struct::UNIQUES[0].name, "type_fn");
    assert_eq!(r#struct::UNIQUES[1].name, "type");
}
