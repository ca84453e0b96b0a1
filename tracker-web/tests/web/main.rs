//! The dashboard as browsers call it, in the process of the tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod commands;
mod escaping;
mod overviews;
mod pages;
mod sample;
mod schedules;
mod security;

use browser::Browser;
