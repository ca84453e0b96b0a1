//! Payloads of all the shapes that serde has: read or refused, never a panic; what was read is written and read again.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, fuzz};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(tag = "type")]
enum Shape {
    Unit,
    Named { x: i64, y: Option<String> },
}

#[derive(Serialize, Deserialize, Clone, Debug)]
enum Outside {
    Unit,
    One(u8),
    Two(u8, String),
    Named { x: f64 },
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "all", status = Status)]
struct All {
    #[task(id)]
    id: uuid::Uuid,
    #[serde(default)]
    big: Option<u128>,
    #[serde(default)]
    bytes: Vec<u8>,
    #[serde(default)]
    shape: Option<Shape>,
    #[serde(default)]
    outside: Vec<Outside>,
    #[serde(default)]
    free: serde_json::Value,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

fuzz_target!(|bytes: &[u8]| fuzz::payload::<All>(bytes));
