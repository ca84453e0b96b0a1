//! Encodes `Batch`. Used as `Encodable` by the reads and writes of batches in `storage`; pure.

use bincode::{Decode, Encode};

use super::{Encodable, role_code};
use crate::model::{
    status::Role,
    transition::{Batch, CompletionRate, Roles},
};

#[derive(Encode, Decode)]
pub(crate) struct EncodedBatch {
    label: String,
    created: i64,
    sealed: bool,
    finished: Option<i64>,
    has_dependents: bool,
    /// By the numbers of the roles.
    members: [u64; Role::ALL.len()],
    gone: [u64; Role::ALL.len()],
    ends: u64,
    each: f64,
    last: i64,
    refused: Option<String>,
}

impl Encodable for Batch {
    type Encoded = EncodedBatch;

    fn to_encoded(&self) -> EncodedBatch {
        EncodedBatch {
            label: self.label.clone(),
            created: self.created,
            sealed: self.sealed,
            finished: self.finished,
            has_dependents: self.has_dependents,
            members: by_number(&self.members),
            gone: by_number(&self.gone),
            ends: self.throughput.ends,
            each: self.throughput.each,
            last: self.throughput.last,
            refused: self.refused.clone(),
        }
    }

    fn from_encoded(record: EncodedBatch) -> Result<Self, &'static str> {
        Ok(Self {
            label: record.label,
            created: record.created,
            sealed: record.sealed,
            finished: record.finished,
            has_dependents: record.has_dependents,
            members: by_role(&record.members),
            gone: by_role(&record.gone),
            throughput: CompletionRate { ends: record.ends, each: record.each, last: record.last },
            refused: record.refused,
        })
    }
}

fn by_number(counts: &Roles<u64>) -> [u64; Role::ALL.len()] {
    let mut numbered = [0; Role::ALL.len()];
    for role in Role::ALL {
        if let (Some(numbered), Some(count)) =
            (numbered.get_mut(usize::from(role_code(role))), counts.get(role as usize))
        {
            *numbered = *count;
        }
    }
    numbered
}

fn by_role(numbered: &[u64; Role::ALL.len()]) -> Roles<u64> {
    Role::ALL.map(|role| numbered.get(usize::from(role_code(role))).copied().unwrap_or(0))
}
