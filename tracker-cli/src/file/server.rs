//! Opens trackers in the schemas of PostgreSQL servers. Called by `FileArg` with the URL of an argument; connects to the server.
//! `without_server.rs` stands in its place in a program that is built without the feature `postgres`.

use std::sync::mpsc::Sender;

use tracker_core::{Error, Tracker, maintenance::MovePlace};
use tracker_postgres::{PostgresOptions, PostgresStore};

use super::{
    moving::ConnectError,
    options,
    server_check::{ServerCheck, ServerFinding},
};
use crate::error::{CliError, message};

/// Returns server, database and schema for messages, without the login.
pub fn name(url: &str) -> String {
    // A command that uses a malformed URL fails before it shows its name.
    PostgresOptions::new(url).map_or_else(|_| "a malformed URL".to_owned(), |options| options.name())
}

/// Opens a tracker for reading only. The schema stays as it is.
pub fn inspect(url: &str) -> Result<Tracker, CliError> {
    parsed(url)?.inspect(options()).map_err(|error| explain(&error))
}

/// Opens a tracker for changes. Makes the tables if they are missing and `creates` is set.
pub fn open(url: &str, creates: bool) -> Result<Tracker, CliError> {
    parsed(url)?.create_tables(creates).open(options()).map_err(|error| explain(&error))
}

/// Returns one end of a move, which connects when the move begins and sends its error.
pub fn move_place(url: &str, errors: &Sender<ConnectError>) -> Result<MovePlace, CliError> {
    let (options, errors) = (parsed(url)?, errors.clone());
    Ok(MovePlace::connect(move |creates| {
        let connected = PostgresStore::connect(&options.create_tables(creates));
        connected.inspect_err(|error| drop(errors.send((error.kind(), explain(error)))))
    }))
}

/// Checks the schema and its server. Changes nothing.
pub fn check(url: &str) -> Result<ServerCheck, CliError> {
    let check = parsed(url)?.check().map_err(|error| explain(&error))?;
    let findings = check.findings.into_iter().map(|found| ServerFinding { what: found.what, text: found.text });
    Ok(ServerCheck {
        version: check.version,
        layout: check.layout,
        connections: check.connections,
        max_connections: check.max_connections,
        findings: findings.collect(),
    })
}

fn parsed(url: &str) -> Result<PostgresOptions, CliError> {
    PostgresOptions::new(url).map_err(|error| CliError::usage(message(&error)))
}

/// Returns the library's error, with parts of the URL in place of the calls that it names.
fn explain(error: &Error) -> CliError {
    let text = message(error);
    let replaced = [
        ("choose another schema with PostgresOptions::schema", "choose another one with `schema=NAME` in the URL"),
        (
            "open it once with PostgresOptions::create_tables",
            "`tracker run`, `tracker import` and the application create it",
        ),
        (
            "open them once with PostgresOptions::create_tables, which runs the migrations",
            "start `tracker run` or the application with a role that may run the migrations",
        ),
        ("update tracker-postgres", "update this program"),
        ("enable the feature `tls`", "install it with the feature `postgres-tls`"),
    ];
    CliError::file(replaced.into_iter().fold(text, |text, (call, words)| text.replace(call, words)))
}
