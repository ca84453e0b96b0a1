//! The rules, one path each.

#![expect(clippy::expect_used, reason = "a path one of whose steps is refused has failed")]

mod admin;
mod attempts;
mod batch;
mod leases;
mod pipeline;
mod resubmit;
mod time;
mod waits;
