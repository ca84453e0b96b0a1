//! Encodes `TaskRow`, a payload with its keys, and `Progress`. Used as `Encodable` by `storage/tables`, `storage/write` and
//! `engine/action/bulk`; pure.

use bincode::{Decode, Encode, config, error::EncodeError};

use super::Encodable;
use crate::model::{
    task::TaskKey,
    task_row::{Progress, TaskRow},
};

#[derive(Encode, Decode)]
pub(crate) struct EncodedTaskRow {
    id: Vec<u8>,
    indexes: Vec<Vec<u8>>,
    uniques: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

/// [`EncodedTaskRow`] by reference, so that a write does not copy the payload.
#[derive(Encode)]
struct TaskRowRef<'a> {
    id: &'a [u8],
    indexes: &'a [Vec<u8>],
    uniques: &'a [Vec<u8>],
    payload: &'a [u8],
}

/// Whether a payload record begins with this id. Does not check the rest of the record.
pub(crate) fn is_row_of(bytes: &[u8], id: &TaskKey) -> bool {
    let own = bincode::encode_to_vec(id.as_bytes(), config::standard());
    own.is_ok_and(|own| bytes.get(1..).is_some_and(|fields| fields.starts_with(&own)))
}

#[derive(Encode, Decode)]
pub(crate) struct EncodedProgress {
    done: u64,
    total: Option<u64>,
    message: String,
    at: i64,
}

impl Encodable for TaskRow {
    type Encoded = EncodedTaskRow;

    fn to_encoded(&self) -> EncodedTaskRow {
        EncodedTaskRow {
            id: self.id.as_bytes().to_vec(),
            indexes: self.indexes.clone(),
            uniques: self.uniques.clone(),
            payload: self.payload.clone(),
        }
    }

    fn encode_into(&self, bytes: &mut Vec<u8>) -> Result<usize, EncodeError> {
        bytes.reserve(self.payload.len() + self.id.as_bytes().len() + 32);
        let Self { id, indexes, uniques, payload } = self;
        let view = TaskRowRef { id: id.as_bytes(), indexes, uniques, payload };
        bincode::encode_into_std_write(view, bytes, config::standard())
    }

    fn from_encoded(record: EncodedTaskRow) -> Result<Self, &'static str> {
        Ok(Self {
            id: TaskKey::from_bytes(&record.id).ok_or("its id is no id")?,
            indexes: record.indexes,
            uniques: record.uniques,
            payload: record.payload,
        })
    }
}

impl Encodable for Progress {
    type Encoded = EncodedProgress;

    fn to_encoded(&self) -> EncodedProgress {
        EncodedProgress { done: self.done, total: self.total, message: self.message.clone(), at: self.at }
    }

    fn from_encoded(record: EncodedProgress) -> Result<Self, &'static str> {
        Ok(Self { done: record.done, total: record.total, message: record.message, at: record.at })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::task::TaskId;

    #[test]
    fn payload_row_has_the_bytes_of_its_record() {
        let row = TaskRow {
            id: "one".to_key(),
            indexes: vec![vec![1, 2], Vec::new()],
            uniques: vec![vec![3]],
            payload: (0..255).collect(),
        };
        let mut bytes = Vec::new();
        row.encode_into(&mut bytes).unwrap();
        assert_eq!(bytes, bincode::encode_to_vec(row.to_encoded(), config::standard()).unwrap());
    }
}
