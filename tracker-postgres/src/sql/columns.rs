//! `Columns` names the columns of the table of tasks that a statement writes. Called by `commit` and `sql/change`; pure.

use crate::wire::params::oid::{BYTEAS, INT2S, INT4S, INT8S, TEXTS, TIMESTAMPTZS};

/// Groups of columns that change together. A statement writes only those that change, since fewer columns cost the server and the client less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Columns(u8);

/// A column of the table of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskColumn {
    Status,
    Priority,
    At,
    ClaimKey,
    IdKey,
    Id,
    UpdatedKey,
    Created,
    Updated,
    Header,
    Successor,
    Progress,
    Payload,
}

impl Columns {
    /// Status, priority, time and place in the order of claims.
    pub(crate) const CLAIM: Self = Self(1);
    pub(crate) const ID: Self = Self(2);
    pub(crate) const UPDATED: Self = Self(4);
    /// The header, and the times that follow from it.
    pub(crate) const HEADER: Self = Self(8);
    pub(crate) const SUCCESSOR: Self = Self(16);
    pub(crate) const PROGRESS: Self = Self(32);
    pub(crate) const PAYLOAD: Self = Self(64);

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The columns, in the order of the parameters of a statement.
    pub(crate) fn list(self) -> impl Iterator<Item = TaskColumn> {
        TaskColumn::ALL.into_iter().filter(move |column| self.0 & column.group().0 != 0)
    }
}

impl TaskColumn {
    const ALL: [Self; 13] = [
        Self::Status,
        Self::Priority,
        Self::At,
        Self::ClaimKey,
        Self::IdKey,
        Self::Id,
        Self::UpdatedKey,
        Self::Created,
        Self::Updated,
        Self::Header,
        Self::Successor,
        Self::Progress,
        Self::Payload,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Priority => "priority",
            Self::At => "at",
            Self::ClaimKey => "claim_key",
            Self::IdKey => "id_key",
            Self::Id => "id",
            Self::UpdatedKey => "updated_key",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Header => "header",
            Self::Successor => "successor",
            Self::Progress => "progress",
            Self::Payload => "payload",
        }
    }

    /// The type of an array of its values.
    pub(super) fn array_type(self) -> u32 {
        match self {
            Self::Status => INT4S,
            Self::Priority => INT2S,
            Self::At => INT8S,
            Self::Id => TEXTS,
            Self::Created | Self::Updated => TIMESTAMPTZS,
            _ => BYTEAS,
        }
    }

    fn group(self) -> Columns {
        match self {
            Self::Status | Self::Priority | Self::At | Self::ClaimKey => Columns::CLAIM,
            Self::IdKey | Self::Id => Columns::ID,
            Self::UpdatedKey => Columns::UPDATED,
            Self::Created | Self::Updated | Self::Header => Columns::HEADER,
            Self::Successor => Columns::SUCCESSOR,
            Self::Progress => Columns::PROGRESS,
            Self::Payload => Columns::PAYLOAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_change_are_in_the_order_of_the_parameters() {
        let changed = Columns::HEADER.with(Columns::CLAIM);
        let names: Vec<_> = changed.list().map(TaskColumn::name).collect();
        assert_eq!(names, ["status", "priority", "at", "claim_key", "created", "updated", "header"]);
        let all = [Columns::ID, Columns::UPDATED, Columns::SUCCESSOR, Columns::PROGRESS, Columns::PAYLOAD];
        let all = all.into_iter().fold(changed, Columns::with);
        assert_eq!(all.list().collect::<Vec<_>>(), TaskColumn::ALL);
        assert_eq!(Columns::default().list().count(), 0);
    }
}
