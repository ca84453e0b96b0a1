//! Makes a kind named `job`, tasks of it, and random numbers for the unit tests of `engine`, `storage`, `maintenance` and `worker`. Plain data;
//! compiled for tests only.

use super::{kind::KindSpec, new_task::NewTask};
use crate::model::{
    status::{Graph, Role, StatusInfo},
    task::{Policy, TaskId},
    transition::Submit,
};

impl KindSpec {
    /// `job`, with the statuses pending, in progress, failed, succeeded and cancelled under the codes 1 to 5, and no keys.
    pub(crate) fn sample() -> Self {
        let roles = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded, Role::Cancelled];
        let info = |(code, role): (i32, Role)| StatusInfo { code, name: role.name().to_owned(), role, step: 0 };
        let statuses = (1..).zip(roles).map(info).collect();
        Self {
            name: "job".to_owned(),
            graph: Graph::new(vec![String::new()], statuses).unwrap_or_else(|error| panic!("{error}")),
            indexes: Vec::new(),
            uniques: Vec::new(),
            priority_field: None,
            policy: Policy::DEFAULT,
        }
    }
}

impl NewTask {
    /// A task of a kind without keys, with an empty payload.
    pub(crate) fn sample(kind: u32, id: impl TaskId) -> Self {
        Self {
            kind,
            id: Some(id.to_key()),
            indexes: Vec::new(),
            uniques: Vec::new(),
            payload: vec![0x80],
            submit: Submit {
                due: None,
                priority: 0,
                sets_priority: false,
                fingerprint: None,
                batch: None,
                scheduled_at: None,
                max_wait: None,
                trace: None,
            },
            throttle: None,
            dependencies: Vec::new(),
        }
    }
}

/// Random numbers that follow from a seed.
#[derive(Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(&self.0.to_le_bytes(), 7);
        usize::try_from(self.0 % end as u64).unwrap_or_default()
    }
}
