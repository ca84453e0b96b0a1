//! `SqlTransaction`: the trait for a transaction of the caller's database client, with its rows and errors. Implemented by users, and for the
//! crate `postgres` by `client`.

use std::{error::Error as StdError, fmt};

/// A transaction that is open in a database client. Implemented for `postgres::Transaction` (feature `postgres`).
///
/// An implementation for an async client waits for its futures, such as with `tokio::runtime::Handle::block_on`. It is called on a thread
/// outside of the runtime while [`transaction_in`](crate::transaction_in) blocks its own, so the runtime needs several threads.
pub trait SqlTransaction {
    /// Runs one statement in the transaction, and returns its rows. Parameters and columns are in the binary form of the server, and `None` is
    /// NULL. `types` has the number of the type of each parameter (`oid` in `pg_type`).
    ///
    /// # Errors
    /// The statement failed, or the connection broke. After an error the tracker sends `ROLLBACK TO SAVEPOINT`.
    fn run_statement(
        &mut self,
        sql: &str,
        types: &[u32],
        parameters: &[Option<&[u8]>],
    ) -> Result<Vec<SqlRow>, SqlError>;
}

/// A row of a result: its columns in the binary form of the server.
pub type SqlRow = Vec<Option<Vec<u8>>>;

/// Why a statement failed.
#[derive(Debug)]
pub struct SqlError {
    pub(crate) code: Option<String>,
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

impl SqlError {
    /// Creates the error of a statement that the server has refused with a code of five characters, such as `40001`.
    pub fn refused(code: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { code: Some(code.into()), source: source.into() }
    }

    /// Creates the error of a connection that broke, or of a client.
    pub fn broken(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { code: None, source: source.into() }
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} (SQLSTATE {code})", self.source),
            None => write!(f, "{}", self.source),
        }
    }
}

impl StdError for SqlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
