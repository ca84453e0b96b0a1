//! Encodes an accepted submit with a throttle key. Used as `Encodable` by `storage/read/throttles` and `storage/write/retime`; pure.

use bincode::{Decode, Encode};

use super::Encodable;
use crate::model::{task::TaskKey, throttle::AcceptedSubmit};

#[derive(Encode, Decode)]
pub(crate) struct EncodedAcceptedSubmit {
    at: i64,
    period: i64,
    id: Vec<u8>,
}

impl Encodable for AcceptedSubmit {
    type Encoded = EncodedAcceptedSubmit;

    fn to_encoded(&self) -> EncodedAcceptedSubmit {
        EncodedAcceptedSubmit { at: self.at, period: self.period, id: self.id.as_bytes().to_vec() }
    }

    fn from_encoded(record: EncodedAcceptedSubmit) -> Result<Self, &'static str> {
        let id = TaskKey::from_bytes(&record.id).ok_or("its id is no id")?;
        Ok(Self { at: record.at, period: record.period, id })
    }
}
