use bincode::{Decode, Encode};

use super::Stored;
use crate::{
    store::{Body, Progress},
    task::TaskKey,
};

#[derive(Encode, Decode)]
pub(crate) struct BodyRecord {
    id: Vec<u8>,
    indexes: Vec<Vec<u8>>,
    uniques: Vec<Vec<u8>>,
    payload: Vec<u8>,
}

#[derive(Encode, Decode)]
pub(crate) struct ProgressRecord {
    done: u64,
    total: Option<u64>,
    message: String,
    at: i64,
}

impl Stored for Body {
    type Record = BodyRecord;

    fn to_record(&self) -> BodyRecord {
        BodyRecord {
            id: self.id.as_bytes().to_vec(),
            indexes: self.indexes.clone(),
            uniques: self.uniques.clone(),
            payload: self.payload.clone(),
        }
    }

    fn from_record(record: BodyRecord) -> Result<Self, &'static str> {
        Ok(Self {
            id: TaskKey::from_bytes(&record.id).ok_or("its id is no id")?,
            indexes: record.indexes,
            uniques: record.uniques,
            payload: record.payload,
        })
    }
}

impl Stored for Progress {
    type Record = ProgressRecord;

    fn to_record(&self) -> ProgressRecord {
        ProgressRecord { done: self.done, total: self.total, message: self.message.clone(), at: self.at }
    }

    fn from_record(record: ProgressRecord) -> Result<Self, &'static str> {
        Ok(Self { done: record.done, total: record.total, message: record.message, at: record.at })
    }
}
