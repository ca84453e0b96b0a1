//! `Failure`: why a page cannot be shown or a command cannot be performed, with its HTTP status. Made by `model`, `command`, `site` and
//! `routes`; plain data.

use axum::http::StatusCode;
use tracker_core::{Error, ErrorKind};

use crate::source::SourceError;

/// Why a request fails, in words for its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: StatusCode,
    pub text: String,
    /// Whether the tracker was closed meanwhile, so that another read may succeed.
    pub is_closed: bool,
}

impl Failure {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), is_closed: false }
    }

    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// Creates a failure: the state of the file, or its source, does not allow the command.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }

    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub fn unavailable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            _ if error.is_refusal() => StatusCode::CONFLICT,
            ErrorKind::Corrupted | ErrorKind::Io => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { is_closed: error.kind() == ErrorKind::Closed, ..Self::new(status, error.to_string()) }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::unavailable(error.to_string())
    }
}
