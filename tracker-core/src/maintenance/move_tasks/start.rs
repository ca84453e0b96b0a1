//! Decides whether a move begins, continues after the last row that was copied, or is refused, from the marks at its two ends. Called by
//! `move_tasks/mod.rs`; pure.

use uuid::Uuid;

use super::end::Found;
use crate::model::move_mark::{CopiedRow, MoveMark, MoveState};

/// The first step of a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Copies all rows.
    Begin,
    /// Copies the rows after the last one that was copied.
    Continue { id: Uuid, copied: Option<CopiedRow> },
}

/// Why tasks cannot be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The source has no tracker.
    NoSource,
    /// The mark of the source forbids it.
    Source(MoveMark),
    /// The target has tasks.
    TargetNotEmpty,
    /// The mark of the target belongs to another move.
    Target(MoveMark),
}

/// Decides from what is at the source and at the target.
pub(super) fn start(source: Found, target: Found) -> Result<Start, Refused> {
    let begin = |target| match target {
        // The last one is a move that has copied nothing yet.
        Found::Nothing
        | Found::Tracker { is_empty: true }
        | Found::Moving(MoveMark { state: MoveState::Arriving(None), .. }) => Ok(Start::Begin),
        Found::Tracker { is_empty: false } => Err(Refused::TargetNotEmpty),
        Found::Moving(mark) => Err(Refused::Target(mark)),
    };
    let mark = match source {
        Found::Nothing => return Err(Refused::NoSource),
        Found::Tracker { .. } => return begin(target),
        Found::Moving(mark) => mark,
    };
    match (&mark.state, target) {
        (
            MoveState::Leaving | MoveState::Left,
            Found::Moving(MoveMark { id, state: MoveState::Arriving(copied), .. }),
        ) if id == mark.id => Ok(Start::Continue { id, copied }),
        (MoveState::Leaving, target) => begin(target),
        (MoveState::Left | MoveState::Arriving(_), _) => Err(Refused::Source(mark)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACKER: Found = Found::Tracker { is_empty: false };
    const EMPTY: Found = Found::Tracker { is_empty: true };

    fn mark(id: u128, state: MoveState) -> MoveMark {
        MoveMark { id: Uuid::from_u128(id), other: "other".to_owned(), format: 12, state }
    }

    fn moving(id: u128, state: MoveState) -> Found {
        Found::Moving(mark(id, state))
    }

    fn part() -> MoveState {
        MoveState::Arriving(Some(CopiedRow { table: "headers".to_owned(), key: vec![1] }))
    }

    #[test]
    fn move_begins_only_in_an_empty_target() {
        for source in [TRACKER, EMPTY, moving(1, MoveState::Leaving)] {
            for target in [Found::Nothing, EMPTY, moving(2, MoveState::Arriving(None))] {
                assert_eq!(start(source.clone(), target), Ok(Start::Begin));
            }
            assert_eq!(start(source.clone(), TRACKER), Err(Refused::TargetNotEmpty));
            for state in [part(), MoveState::Leaving, MoveState::Left] {
                assert_eq!(
                    start(source.clone(), moving(2, state.clone())),
                    Err(Refused::Target(mark(2, state))),
                    "{source:?}"
                );
            }
        }
    }

    #[test]
    fn move_continues_only_between_its_own_ends() {
        for state in [MoveState::Leaving, MoveState::Left] {
            let MoveState::Arriving(copied) = part() else { return };
            let continued = Start::Continue { id: Uuid::from_u128(1), copied };
            assert_eq!(start(moving(1, state), moving(1, part())), Ok(continued));
        }
    }

    #[test]
    fn source_that_was_left_or_is_incomplete_is_refused() {
        assert_eq!(start(Found::Nothing, EMPTY), Err(Refused::NoSource));
        for state in [MoveState::Left, part(), MoveState::Arriving(None)] {
            for target in [Found::Nothing, EMPTY, TRACKER, moving(2, part())] {
                assert_eq!(start(moving(1, state.clone()), target), Err(Refused::Source(mark(1, state.clone()))));
            }
        }
    }
}
