//! Converts errors of the server into errors of the tracker: what failed, on which server, and what to do. Called by all modules; pure. No
//! message has credentials.

use std::io;

use tracker_core::{
    Error, ErrorKind,
    store::{store_conflict, store_error},
};

use crate::wire::error::WireError;

/// Whether another run of the same unit of work may succeed: another unit was faster, or the connection broke before the commit.
pub(crate) fn is_conflict(error: &WireError) -> bool {
    match error.code() {
        // serialization_failure, deadlock_detected; unique_violation: a rival has inserted the row; division_by_zero: a condition in a
        // statement did not hold (see `sql`); lock_not_available.
        // 0A000: the table of a prepared statement was altered. 25P02: an earlier statement of the transaction was refused for such a reason;
        // after any other refusal, the connection ends.
        "40001" | "40P01" | "23505" | "22012" | "55P03" | "0A000" | "25P02" => true,
        _ => error.is_final() && !matches!(error, WireError::Login(_)),
    }
}

/// Whether the server may be there, and writable, a moment later: it restarts, fails over, or has no connection free.
pub(crate) fn may_come_back(error: &WireError) -> bool {
    match error {
        // A lookup that fails is a typing error more often than an outage, but an outage may hit the name server too.
        WireError::Broken(_) | WireError::Protocol(_) => true,
        WireError::Login(_) => false,
        WireError::Server(error) => {
            // 08: connection; 57P01 to 57P03: shutdown, crash, start; 53300: too many connections; 25006, 0A000: a standby, which begins
            // no writing transaction.
            error.code.starts_with("08")
                || matches!(error.code.as_str(), "57P01" | "57P02" | "57P03" | "53300" | "25006" | "0A000" | "25P03")
        }
    }
}

/// The error of a unit of work that could not begin. A server that was away for too long is no conflict.
pub(crate) fn of_begin(server: &str, error: WireError) -> Error {
    if may_come_back(&error) { describe(server, error) } else { of_unit(server, error) }
}

/// The error of a unit of work that has not sent its commit.
pub(crate) fn of_unit(server: &str, error: WireError) -> Error {
    if is_conflict(&error) { store_conflict(error) } else { describe(server, error) }
}

/// The error of the tracker, with the way out of it.
pub(crate) fn describe(server: &str, error: WireError) -> Error {
    let (kind, what) = match &error {
        WireError::Broken(error) => (ErrorKind::Io, unreachable_because(error.kind())),
        WireError::Protocol(_) => (ErrorKind::Io, "is it a PostgreSQL server? try again otherwise"),
        WireError::Login(_) => (ErrorKind::Invalid, "correct the URL or the server's settings"),
        WireError::Server(error) => match error.code.as_str() {
            "28P01" | "28000" => (
                ErrorKind::Invalid,
                "the login was refused: correct user and password in the URL, or allow the login in pg_hba.conf",
            ),
            "3D000" => (ErrorKind::Invalid, "create the database, or correct its name in the URL"),
            "42501" => (
                ErrorKind::Invalid,
                "the role lacks a right: grant what docs/postgres.md lists, or connect once with a role that may create the tables",
            ),
            "25006" | "0A000" => {
                (ErrorKind::ReadOnly, "the server is a read-only standby: name the primary server in the URL")
            }
            "53100" => (ErrorKind::NoSpace, "the disk of the server is full: free space there and try again"),
            "53200" => (ErrorKind::NoSpace, "the server has no memory left: free some and try again"),
            "53300" => (
                ErrorKind::Busy,
                "the server has no connection free: lower `connections` in all processes, or raise max_connections",
            ),
            "57014" => (
                ErrorKind::Busy,
                "the server cancelled the statement: raise statement_timeout for this role, or try again",
            ),
            "55P03" => (ErrorKind::Busy, "a lock was not free in time: try again"),
            "57P01" | "57P02" | "57P03" => (ErrorKind::Io, "the server stops or starts: try again"),
            "26000" | "42P05" => (
                ErrorKind::Invalid,
                "a pool between hands out other connections: set PostgresOptions::prepared_statements(false)",
            ),
            "42P01" | "42703" | "42P07" | "42883" => {
                (ErrorKind::Foreign, "a table does not look as the tracker made it: choose another schema")
            }
            _ => (ErrorKind::Io, "look into the log of the server"),
        },
    };
    store_error(kind, format!("{server}: {error}; {what}"), error)
}

fn unreachable_because(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            "no server listens there: start it, or correct host and port in the URL"
        }
        io::ErrorKind::PermissionDenied => "the operating system forbids the connection",
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the server does not answer: try again when it does",
        _ => "try again when the server can be reached",
    }
}
