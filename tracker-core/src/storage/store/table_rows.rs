//! `TableRows` holds the rows of one table that a unit of work knows, and the ranges in which it knows all rows. Used by `WorkingSet`;
//! pure.

use std::{collections::BTreeMap, ops::Bound};

use super::{RowKey, coverage::Coverage};

pub(super) type Row = (RowKey, Vec<u8>);

#[derive(Default)]
pub(super) struct TableRows {
    pub rows: BTreeMap<RowKey, KnownRow>,
    pub covered: Coverage,
}

/// A row whose value is known; `None` if there is no row.
pub(super) struct KnownRow {
    pub value: Option<Vec<u8>>,
    pub change: RowState,
}

/// How the unit has changed a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RowState {
    Loaded,
    Changed,
    /// Inserted: the store had no row with this key.
    Inserted,
}

pub(super) enum Search {
    Found(Row),
    /// The range has no row.
    Nothing,
    /// The rows of the rest of the range are not known.
    Unknown,
}

impl TableRows {
    /// Whether it is known if there is a row with this key.
    pub(super) fn knows(&self, key: &[u8]) -> bool {
        self.rows.contains_key(key) || self.covered.end_from(key).is_some()
    }

    /// Searches the known part of a range, and takes it off the range.
    pub(super) fn search(&self, from: &mut RowKey, to: &mut Option<RowKey>, newest_first: bool) -> Search {
        if to.as_ref().is_some_and(|to| *from >= *to) {
            return Search::Nothing;
        }
        let (low, high) = if newest_first {
            let Some(start) = self.covered.start_before(to.as_deref()) else { return Search::Unknown };
            (RowKey::from(start.max(&**from)), to.clone())
        } else {
            let Some(end) = self.covered.end_from(from) else { return Search::Unknown };
            let end = match (end, to.as_deref()) {
                (Some(end), Some(to)) => Some(end.min(to)),
                (end, to) => end.or(to),
            };
            (from.clone(), end.map(RowKey::from))
        };
        let upper = high.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = self.rows.range::<[u8], _>((Bound::Included(&*low), upper));
        let exists = |(key, row): (&RowKey, &KnownRow)| Some((key.clone(), row.value.clone()?));
        let row = if newest_first { found.rev().find_map(exists) } else { found.find_map(exists) };
        if let Some(row) = row {
            return Search::Found(row);
        }
        let is_all = if newest_first { low == *from } else { high == *to };
        if is_all {
            return Search::Nothing;
        }
        if newest_first {
            *to = Some(low);
        } else if let Some(high) = high {
            *from = high;
        }
        Search::Unknown
    }
}
