//! Encodes the follow-up task of a batch. Used as `Encodable` by `storage/read/dependencies`; pure.

use bincode::{Decode, Encode};

use super::Encodable;
use crate::model::{new_task::NewTask, task::TaskKey, transition::Submit};

#[derive(Encode, Decode)]
pub(crate) struct EncodedFollowUp {
    kind: u32,
    id: Option<Vec<u8>>,
    indexes: Vec<Vec<u8>>,
    uniques: Vec<Vec<u8>>,
    payload: Vec<u8>,
    due: Option<i64>,
    priority: u8,
    fingerprint: Option<u64>,
}

impl Encodable for NewTask {
    type Encoded = EncodedFollowUp;

    fn to_encoded(&self) -> EncodedFollowUp {
        EncodedFollowUp {
            kind: self.kind,
            id: self.id.as_ref().map(|id| id.as_bytes().to_vec()),
            indexes: self.indexes.clone(),
            uniques: self.uniques.clone(),
            payload: self.payload.clone(),
            due: self.submit.due,
            priority: self.submit.priority,
            fingerprint: self.submit.fingerprint,
        }
    }

    fn from_encoded(record: EncodedFollowUp) -> Result<Self, &'static str> {
        let id = record.id.map(|id| TaskKey::from_bytes(&id).ok_or("its id is no id")).transpose()?;
        Ok(Self {
            kind: record.kind,
            id,
            indexes: record.indexes,
            uniques: record.uniques,
            payload: record.payload,
            submit: Submit {
                due: record.due,
                priority: record.priority,
                sets_priority: true,
                fingerprint: record.fingerprint,
                batch: None,
                scheduled_at: None,
                max_wait: None,
                trace: None,
            },
            throttle: None,
            dependencies: Vec::new(),
        })
    }
}
