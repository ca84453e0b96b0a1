//! `RowCount` decides how a statement gets its rows: few rows as single parameters, many as one array for each column. Called by `commit`,
//! `load` and the statements of `sql`; pure.

use crate::wire::params::{Params, oid};

/// The number of rows that a statement gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowCount {
    /// This number. Each value is a parameter, and each number of rows has its own statement, because arrays cost more than a few rows.
    Few(usize),
    /// Any number.
    Many,
}

impl RowCount {
    /// The highest number of rows whose values are single parameters.
    const FEW: usize = 4;

    pub(crate) fn of(rows: usize) -> Self {
        if (1..=Self::FEW).contains(&rows) { Self::Few(rows) } else { Self::Many }
    }

    /// Parameters whose lists are the columns of this number of rows.
    pub(crate) fn params(self) -> Params {
        if self == Self::Many { Params::default() } else { Params::of_single_values() }
    }

    /// The number of parameters of a column.
    fn params_of_column(self) -> usize {
        match self {
            Self::Few(rows) => rows,
            Self::Many => 1,
        }
    }

    /// The rows as a table of the name `e`. The parameters begin with `$1`, column by column. `columns` are names and types of arrays.
    pub(super) fn table(self, columns: &[(&str, u32)]) -> RowTable {
        self.table_behind(0, columns)
    }

    /// [`Self::table`] behind other parameters.
    pub(super) fn table_behind(self, params: usize, columns: &[(&str, u32)]) -> RowTable {
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let param = |column: usize, row: usize| format!("${}", params + column * self.params_of_column() + row + 1);
        let row = |row: usize| (0..columns.len()).map(|column| param(column, row)).collect::<Vec<_>>().join(", ");
        let (from, types) = match self {
            Self::Few(rows) => (
                format!(
                    "(VALUES {})",
                    (0..rows).map(|number| format!("({})", row(number))).collect::<Vec<_>>().join(", ")
                ),
                columns.iter().flat_map(|(_, array)| vec![oid::of_element(*array); rows]).collect(),
            ),
            Self::Many => (format!("unnest({})", row(0)), columns.iter().map(|(_, array)| *array).collect()),
        };
        RowTable { from: format!("{from} AS e({names})"), names, types }
    }
}

/// Rows of parameters as a part of a statement.
pub(super) struct RowTable {
    /// Stands behind FROM.
    pub from: String,
    /// The names of the columns.
    pub names: String,
    /// The types of the parameters.
    pub types: Vec<u32>,
}

impl RowTable {
    /// The next parameter behind the rows.
    pub(super) fn next_param(&self) -> String {
        format!("${}", self.types.len() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oid::{BYTEA, BYTEAS, INT8, INT8S};

    #[test]
    fn few_rows_are_parameters_column_by_column() {
        let table = RowCount::of(2).table(&[("seq", INT8S), ("key", BYTEAS)]);
        assert_eq!(table.from, "(VALUES ($1, $3), ($2, $4)) AS e(seq, key)");
        assert_eq!(table.types, [INT8, INT8, BYTEA, BYTEA]);
        assert_eq!(table.next_param(), "$5");
        let behind = RowCount::of(1).table_behind(4, &[("seq", INT8S), ("key", BYTEAS)]);
        assert_eq!(behind.from, "(VALUES ($5, $6)) AS e(seq, key)");
    }

    #[test]
    fn many_rows_are_arrays() {
        let table = RowCount::of(5).table(&[("seq", INT8S), ("key", BYTEAS)]);
        assert_eq!(table.from, "unnest($1, $2) AS e(seq, key)");
        assert_eq!((table.types.as_slice(), table.next_param().as_str()), (&[INT8S, BYTEAS][..], "$3"));
    }
}
