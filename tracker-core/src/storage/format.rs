//! Writes the number of the format into a new store (`storage/tables` does so in a new file), or the mark of a move in its place. Checks it at
//! each open, and before a write after the schema has changed. Called by `engine/database`, `engine/clock`, `Writer` and `maintenance/move_tasks`;
//! reads and writes the rows `format` and `move` of `tracker.meta`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::cmp::Ordering;

use super::{
    store::RowGuard,
    tables::{Source, Tables, Writing},
};
use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        move_mark::{MoveMark, MoveState},
    },
    storage::{encoding, tables::row},
};

pub(super) const FORMAT_KEY: &str = "format";
/// The mark of a tracker file: a name, and the version of the format as the last byte.
pub(super) const FORMAT: &[u8; 8] = b"tracker\x0d";
/// In place of the version: the tasks are moved from here, or to here, as the row [`MOVE_KEY`] says. Versions of the tracker that do not know
/// it take it for a newer format, and refuse the file too.
const MOVING: u8 = u8::MAX;
const MOVE_KEY: &str = "move";

impl<S: Source> Tables<S> {
    /// Returns why this version cannot use the tables: another program, an older version or a newer version wrote them, or they are moved.
    pub(crate) fn format_problem(&mut self) -> Result<Option<FormatProblem>> {
        let meta = match self.meta() {
            Err(error) if error.kind() == ErrorKind::Foreign => return Ok(Some(FormatProblem::Foreign)),
            meta => meta?,
        };
        let format = meta.get(FORMAT_KEY)?;
        let [name @ .., known] = FORMAT;
        let (found, known) = match format.as_ref().map(RowGuard::value).and_then(<[u8]>::split_last) {
            Some((found @ 1.., rest)) if rest == name => (*found, *known),
            _ => return Ok(Some(FormatProblem::Foreign)),
        };
        drop(format);
        if found == MOVING
            && let Some(bytes) = meta.get(MOVE_KEY)?
        {
            let mark: MoveMark = row("tracker.meta", MOVE_KEY, bytes.value())?;
            return Ok(Some(other_version(mark.format, known).unwrap_or(FormatProblem::Moving(mark))));
        }
        Ok(other_version(found, known))
    }

    /// Refuses a store whose tasks are moved from it or to it, unless it is only read.
    pub(crate) fn refuse_while_moving(&mut self) -> Result<()> {
        match self.format_problem()? {
            Some(FormatProblem::Moving(mark)) => Err(moving(&mark, "the store")),
            _ => Ok(()),
        }
    }
}

fn other_version(found: u8, known: u8) -> Option<FormatProblem> {
    match found.cmp(&known) {
        Ordering::Less => Some(FormatProblem::Older { found, known }),
        Ordering::Equal => None,
        Ordering::Greater => Some(FormatProblem::Newer { found, known }),
    }
}

/// The version of the format of the rows that this version writes.
pub(crate) fn current_format() -> u8 {
    let [.., version] = *FORMAT;
    version
}

/// Why this version cannot use a file.
pub(crate) enum FormatProblem {
    Foreign,
    /// The tasks are being moved from here or to here, or were moved away.
    Moving(MoveMark),
    Older {
        found: u8,
        known: u8,
    },
    Newer {
        found: u8,
        known: u8,
    },
}

impl FormatProblem {
    /// Whether the rows can be read nevertheless: the tasks were moved away, and are still here as they were.
    pub(crate) fn allows_reading(&self) -> bool {
        matches!(self, Self::Moving(mark) if mark.is_readable())
    }

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
            Self::Moving(mark) => moving(&mark, name),
        }
    }
}

fn moving(MoveMark { other, state, .. }: &MoveMark, name: impl std::fmt::Display) -> Error {
    let message = match state {
        MoveState::Left => format!(
            "{name}: its tasks were moved to {other}; use that one, or undo the move here (`tracker move FROM --undo`) if nothing works there"
        ),
        MoveState::Leaving => format!(
            "{name}: a move of its tasks to {other} has not ended; run it again (`tracker move FROM TO`), or undo it (`tracker move FROM --undo`)"
        ),
        MoveState::Arriving(_) => format!(
            "{name}: a move of the tasks of {other} to here has not ended; run it again (`tracker move FROM TO`), or delete what is here and undo the move there (`tracker move FROM --undo`)"
        ),
    };
    Error::new(ErrorKind::Moved, message)
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

    /// Marks a file or a store as one end of a move: it is refused when it is opened for writing.
    pub(crate) fn put_move_mark(&mut self, mark: &MoveMark) -> Result<()> {
        let bytes = encoding::encode(mark)?;
        let [name @ .., _] = FORMAT;
        let meta = self.meta()?;
        meta.insert(FORMAT_KEY, [&name[..], &[MOVING]].concat().as_slice())?;
        meta.insert(MOVE_KEY, bytes.as_slice())?;
        Ok(())
    }

    /// Makes the end of a move usable.
    pub(crate) fn remove_move_mark(&mut self) -> Result<()> {
        let meta = self.meta()?;
        meta.insert(FORMAT_KEY, FORMAT.as_slice())?;
        meta.remove(MOVE_KEY)
    }
}
