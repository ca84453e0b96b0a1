//! Tests of the rules by example: each test puts a few commands to one task of a `TaskFixture` and looks at its header. In memory only.

#![expect(clippy::expect_used, reason = "a test whose command is refused fails")]

mod admin;
mod attempts;
mod batch;
mod conditions;
mod leases;
mod pipeline;
mod resubmit;
mod time;
mod time_shift;
mod waits;
