//! `ServerCheck`: the findings of the check of a server. Made by `server`, printed by `doctor`; plain data.

use serde::Serialize;

/// The server of a tracker, and the problems of its schema.
#[derive(Debug, Serialize)]
pub struct ServerCheck {
    pub version: String,
    /// The number of the last migration.
    pub layout: u64,
    /// Connections of all programs to the server.
    pub connections: u64,
    pub max_connections: u64,
    #[serde(skip)]
    pub findings: Vec<ServerFinding>,
}

/// A problem of a schema or its server, and the way out.
#[derive(Debug)]
pub struct ServerFinding {
    pub what: &'static str,
    pub text: String,
}
