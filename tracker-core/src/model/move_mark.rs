//! `MoveMark` is the row that marks a file or a store whose tasks are moved away, or that receives them. Written by
//! `maintenance/move_tasks`, checked by `storage/format` at each open; plain data.

use uuid::Uuid;

/// A move of all tasks between two places. Each of the two has its mark, so that neither is used by mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MoveMark {
    /// Names the move: the same in both places.
    pub id: Uuid,
    /// The name of the other place, without credentials.
    pub other: String,
    /// The format of the rows beside the mark.
    pub format: u8,
    pub state: MoveState,
}

/// How far a move is, as one of its two places knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MoveState {
    /// The tasks of this place are being copied to the other place.
    Leaving,
    /// The other place has all tasks of this one.
    Left,
    /// The tasks of the other place are being copied to this one, up to a row.
    Arriving(Option<CopiedRow>),
}

/// The last row that was copied: its table, and its key as a store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopiedRow {
    pub table: String,
    pub key: Vec<u8>,
}

impl MoveMark {
    /// Whether the rows beside the mark are complete, so that they may be read.
    pub(crate) fn is_readable(&self) -> bool {
        !matches!(self.state, MoveState::Arriving(_))
    }
}
