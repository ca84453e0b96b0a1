//! Five common ways to track tasks, with their documented numbers, and the defects that they have and the tracker has
//! not. `docs/moving.md` names these tests; `examples/` has programs of the same names.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unnecessary_wraps, reason = "signatures are those of what they stand in for")]

mod defects;
#[expect(dead_code, reason = "the tests of the tracker use more of it")]
#[path = "../it/support/test_disk.rs"]
mod disk;
mod job_table;
#[expect(dead_code, reason = "the tests of the tracker use more of it")]
#[path = "../it/support/kinds.rs"]
mod kinds;
mod lease_defects;
mod listener;
#[allow(dead_code, reason = "the tests of the tracker use more of it")]
#[path = "../it/support/place.rs"]
mod place;
mod processing_events;
mod request_repository;
mod rows;
mod tracker_per_task;
mod use_cases;
