//! `WireError`: why a call of the server failed: the server refused, or the connection broke. Made by `wire`, read by commits and units, and
//! converted by `crate::error`. Plain data.

use std::{fmt, io};

pub(crate) type Result<T, E = WireError> = std::result::Result<T, E>;

/// Why a call of the server failed.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The server refused.
    Server(ServerError),
    /// The connection broke, or could not be made.
    Broken(io::Error),
    /// The server, or a program between, sent what the protocol does not allow.
    Protocol(&'static str),
    /// The login or the encryption cannot be as the options ask.
    Login(String),
}

/// The message of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerError {
    /// Five characters, such as `40001`.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    /// Whether the server has ended the connection.
    pub is_fatal: bool,
}

impl WireError {
    /// The code of the server's answer; empty without one.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Server(error) => &error.code,
            _ => "",
        }
    }

    /// Whether the connection cannot be used again.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Server(error) => error.is_fatal,
            _ => true,
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(ServerError { code, message, detail, .. }) => {
                write!(f, "{message} (SQLSTATE {code})")?;
                detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
            }
            Self::Broken(error) => write!(f, "the connection broke: {error}"),
            Self::Protocol(what) => write!(f, "the answer does not follow the protocol: {what}"),
            Self::Login(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for WireError {}
