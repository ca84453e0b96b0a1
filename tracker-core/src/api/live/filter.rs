//! Turns a `TaskFilter` into a query. Called by `perform`, `tracker-cli` and `tracker-web`; touches no row.

use super::request::TaskFilter;
use crate::{
    api::{query::Query, schema::Untyped, tasks::Tasks},
    model::time::micros_at,
};

impl TaskFilter {
    /// Returns whether the filter has no condition besides the kind.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { kind: self.kind.clone(), ..Self::default() }
    }

    /// Returns whether the filter names statuses or roles.
    pub(super) fn names_statuses(&self) -> bool {
        !self.statuses.is_empty() || !self.roles.is_empty()
    }
}

impl Tasks<Untyped> {
    /// Returns the query with the conditions of a filter, whose kind is ignored.
    pub fn matching(&self, filter: &TaskFilter) -> Query<'_, Untyped> {
        let mut query = self.query();
        for status in &filter.statuses {
            query = query.status(status);
        }
        for role in &filter.roles {
            query = query.role(*role);
        }
        if let Some((field, value)) = &filter.index {
            query = query.index_text(field, value);
        }
        if let Some(text) = &filter.containing {
            query = query.containing(text);
        }
        query.changed_between(filter.changed_since.map(micros_at), filter.changed_before.map(micros_at))
    }
}
