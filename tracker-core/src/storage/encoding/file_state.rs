//! Encodes `FileState`. Used as `Encodable` by `storage/tables`; pure.

use bincode::{Decode, Encode};
use uuid::Uuid;

use super::Encodable;
use crate::model::file_state::FileState;

#[derive(Encode, Decode)]
pub(crate) struct EncodedFileState {
    next_seq: u64,
    next_fence: u64,
    clock_floor: i64,
    instance: [u8; 16],
    batch: u64,
    change: u64,
    schema: u64,
}

impl Encodable for FileState {
    type Encoded = EncodedFileState;

    fn to_encoded(&self) -> EncodedFileState {
        EncodedFileState {
            next_seq: self.next_seq,
            next_fence: self.next_fence,
            clock_floor: self.clock_floor,
            instance: self.instance.into_bytes(),
            batch: self.batch,
            change: self.change,
            schema: self.schema,
        }
    }

    fn from_encoded(record: EncodedFileState) -> Result<Self, &'static str> {
        Ok(Self {
            next_seq: record.next_seq,
            next_fence: record.next_fence,
            clock_floor: record.clock_floor,
            instance: Uuid::from_bytes(record.instance),
            batch: record.batch,
            change: record.change,
            schema: record.schema,
        })
    }
}
