//! Encodes `MoveMark`, which marks both ends of a move of all tasks. Used by `storage/format`; pure.

use bincode::{Decode, Encode};
use uuid::Uuid;

use super::Encodable;
use crate::model::move_mark::{CopiedRow, MoveMark, MoveState};

#[derive(Encode, Decode)]
pub(crate) struct EncodedMoveMark {
    id: [u8; 16],
    other: String,
    format: u8,
    state: u8,
    copied: Option<(String, Vec<u8>)>,
}

const LEAVING: u8 = 0;
const LEFT: u8 = 1;
const ARRIVING: u8 = 2;

impl Encodable for MoveMark {
    type Encoded = EncodedMoveMark;

    fn to_encoded(&self) -> EncodedMoveMark {
        let (state, copied) = match &self.state {
            MoveState::Leaving => (LEAVING, None),
            MoveState::Left => (LEFT, None),
            MoveState::Arriving(copied) => (ARRIVING, copied.clone().map(|CopiedRow { table, key }| (table, key))),
        };
        EncodedMoveMark { id: self.id.into_bytes(), other: self.other.clone(), format: self.format, state, copied }
    }

    fn from_encoded(record: EncodedMoveMark) -> Result<Self, &'static str> {
        let state = match record.state {
            LEAVING => MoveState::Leaving,
            LEFT => MoveState::Left,
            ARRIVING => MoveState::Arriving(record.copied.map(|(table, key)| CopiedRow { table, key })),
            _ => return Err("its state is none of a move"),
        };
        Ok(Self { id: Uuid::from_bytes(record.id), other: record.other, format: record.format, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::encoding::{decode, encode};

    #[test]
    fn mark_of_each_state_returns() {
        let copied = CopiedRow { table: "headers".to_owned(), key: vec![0, 255] };
        for state in [MoveState::Leaving, MoveState::Left, MoveState::Arriving(None), MoveState::Arriving(Some(copied))]
        {
            let mark = MoveMark { id: Uuid::from_u128(7), other: "jobs.redb".to_owned(), format: 12, state };
            assert_eq!(encode(&mark).map(|bytes| decode(&bytes)).ok(), Some(Ok(mark)));
        }
    }
}
