//! The mark of the format in a file or a store: written when it is new, checked when it is opened. Called by the engine's database.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::cmp::Ordering;

use super::{
    store::RowGuard,
    tables::{Source, Tables, Writing},
};
use crate::model::error::{Error, ErrorKind, Result};

pub(super) const FORMAT_KEY: &str = "format";
/// The mark of a tracker file: a name, and the version of the format as the last byte.
pub(super) const FORMAT: &[u8; 8] = b"tracker\x0c";

impl<S: Source> Tables<S> {
    /// Refuses a file that another program, an older version or a newer version wrote.
    pub(crate) fn check_format(&mut self) -> Result<(), FormatProblem> {
        let meta = self.meta().map_err(|error| match error.kind() {
            ErrorKind::Foreign => FormatProblem::Foreign,
            _ => FormatProblem::Damaged(error),
        })?;
        let format = meta.get(FORMAT_KEY).map_err(FormatProblem::Damaged)?;
        let [name @ .., known] = FORMAT;
        let (found, known) = match format.as_ref().map(RowGuard::value).and_then(<[u8]>::split_last) {
            Some((found @ 1.., rest)) if rest == name => (*found, *known),
            _ => return Err(FormatProblem::Foreign),
        };
        match found.cmp(&known) {
            Ordering::Less => Err(FormatProblem::Older { found, known }),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(FormatProblem::Newer { found, known }),
        }
    }
}

/// Why this version cannot read a file.
pub(crate) enum FormatProblem {
    Foreign,
    Older { found: u8, known: u8 },
    Newer { found: u8, known: u8 },
    Damaged(Error),
}

impl FormatProblem {
    /// The error for a file or a store of this name.
    pub(crate) fn error(self, name: impl std::fmt::Display) -> Error {
        let unsupported = |what| Error::new(ErrorKind::Unsupported, what);
        match self {
            Self::Foreign => Error::new(
                ErrorKind::Foreign,
                format!(
                    "{name}: this is a redb file of another program; give the path of a tracker file, or of none yet"
                ),
            ),
            Self::Older { found, known } => unsupported(format!(
                "{name}: it has format {found}, this version reads format {known}; export the tasks with the version of the tracker that wrote them (`tracker export`), and import them into a new file with this one (`tracker import`)"
            )),
            Self::Newer { found, known } => unsupported(format!(
                "{name}: it has format {found}, this version reads format {known}; use a newer version of the tracker"
            )),
            Self::Damaged(error) => error,
        }
    }
}

impl Tables<Writing<'_>> {
    /// Marks a new store with the format of its rows. False if it has a mark.
    pub(crate) fn mark_format(&mut self) -> Result<bool> {
        let meta = self.meta()?;
        if meta.get(FORMAT_KEY)?.is_some() {
            return Ok(false);
        }
        meta.insert(FORMAT_KEY, FORMAT.as_slice())?;
        Ok(true)
    }
}
