//! `StoredKind` decodes the definition of a kind from its row. Used by stores that show tasks to people, such as the views of
//! `tracker-postgres`; pure.

use crate::{
    model::{kind::Kind, status::Role},
    storage::encoding,
};

/// The definition of a kind, read from a row of [`StoreTable::Kinds`](super::StoreTable::Kinds).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredKind {
    /// The number of the kind.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its statuses.
    pub statuses: Vec<StoredStatus>,
    /// The names of its indexes, in the order of their values in a task.
    pub indexes: Vec<String>,
    /// The names of its unique keys, in the order of their values in a task.
    pub uniques: Vec<String>,
}

/// A status of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredStatus {
    /// The number in rows.
    pub code: i32,
    /// The name of the variant.
    pub name: String,
    /// Whether its tasks are leased.
    pub is_running: bool,
    /// Whether its tasks have ended.
    pub is_terminal: bool,
}

impl StoredKind {
    /// Reads a row. `None` if it is damaged.
    #[must_use]
    pub fn from_row(key: &[u8], value: &[u8]) -> Option<Self> {
        let kind: Kind = encoding::decode(value).ok()?;
        let status = |status: &crate::model::status::StatusInfo| StoredStatus {
            code: status.code,
            name: status.name.clone(),
            is_running: status.role == Role::InProgress,
            is_terminal: kind.graph.is_terminal(status),
        };
        Some(Self {
            number: u32::from_be_bytes(key.try_into().ok()?),
            name: kind.name.clone(),
            statuses: kind.graph.statuses().iter().map(status).collect(),
            indexes: kind.indexes.clone(),
            uniques: kind.uniques.iter().map(|(name, _)| name.clone()).collect(),
        })
    }
}
