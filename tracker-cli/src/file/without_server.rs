//! Stands in the place of `server.rs` in a program that is built without the feature `postgres`: refuses URLs. Called by `FileArg`; connects to
//! nothing.

use std::sync::mpsc::Sender;

use tracker_core::{Tracker, maintenance::MovePlace};

use super::{moving::ConnectError, server_check::ServerCheck};
use crate::error::CliError;

/// Returns a name for messages.
pub fn name(_: &str) -> String {
    "the URL".to_owned()
}

/// Refuses.
pub fn inspect(_: &str) -> Result<Tracker, CliError> {
    Err(not_built())
}

/// Refuses.
pub fn open(_: &str, _: bool) -> Result<Tracker, CliError> {
    Err(not_built())
}

/// Refuses.
pub fn move_place(_: &str, _: &Sender<ConnectError>) -> Result<MovePlace, CliError> {
    Err(not_built())
}

/// Refuses.
pub fn check(_: &str) -> Result<ServerCheck, CliError> {
    Err(not_built())
}

fn not_built() -> CliError {
    CliError::usage(
        "a URL needs a program with the feature `postgres`: `cargo install --path tracker-cli --features postgres`, or `postgres-tls` for encrypted connections",
    )
}
