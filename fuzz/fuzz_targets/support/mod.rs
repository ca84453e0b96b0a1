//! The simulated disk of the tests.

#[path = "../../../tests/it/support/test_disk.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
pub mod test_disk;
