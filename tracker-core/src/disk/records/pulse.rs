use bincode::{Decode, Encode};
use uuid::Uuid;

use super::Stored;
use crate::store::Pulse;

#[derive(Encode, Decode)]
pub(crate) struct PulseRecord {
    next_seq: u64,
    next_fence: u64,
    mark: i64,
    instance: [u8; 16],
    batch: u64,
    change: u64,
    schema: u64,
}

impl Stored for Pulse {
    type Record = PulseRecord;

    fn to_record(&self) -> PulseRecord {
        PulseRecord {
            next_seq: self.next_seq,
            next_fence: self.next_fence,
            mark: self.mark,
            instance: self.instance.into_bytes(),
            batch: self.batch,
            change: self.change,
            schema: self.schema,
        }
    }

    fn from_record(record: PulseRecord) -> Result<Self, &'static str> {
        Ok(Self {
            next_seq: record.next_seq,
            next_fence: record.next_fence,
            mark: record.mark,
            instance: Uuid::from_bytes(record.instance),
            batch: record.batch,
            change: record.change,
            schema: record.schema,
        })
    }
}
