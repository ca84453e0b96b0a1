//! Tests of the library through its public interface, in folders by subject.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(
    clippy::similar_names,
    clippy::unchecked_time_subtraction,
    clippy::unnecessary_wraps,
    reason = "constants of a test are in its hand, and its signatures are those of what it stands in for"
)]

mod api;
mod crash;
mod model;
mod storage;
mod support;
mod worker;
