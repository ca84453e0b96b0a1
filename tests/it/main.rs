//! The tracker as its users see it: one module per behaviour.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod crashes;
mod damage;
mod disk;
mod random;
mod sharing;
mod sleep;
mod story;
mod turns;
