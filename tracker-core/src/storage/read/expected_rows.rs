//! `ExpectedRows` lists the rows that the actions of a unit of work are expected to read, so that a store loads them in the round trip that
//! begins the unit. A row that is missing here is loaded when it is read. Filled by `engine/action`, read by `engine/group_commit`; pure.

use std::collections::{BTreeMap, BTreeSet};

use super::claim_order::claim_ranges;
use crate::{
    model::{
        kind::Kind,
        task::{TaskKey, TaskRef},
        time::Micros,
    },
    storage::{
        keys::{self, ClaimKey},
        store::{RowKey, StoreTable, Want},
    },
};

/// The most tasks that are loaded in advance for the claims of a kind.
const CLAIMED_MAX: usize = 4096;

/// How far the time of a store may be ahead of the estimate, in microseconds. Leases that expire in between are loaded too.
const CLOCK_SLACK: Micros = 100_000;

/// The rows that actions are expected to read.
#[derive(Debug, Default)]
pub(crate) struct ExpectedRows {
    tasks: BTreeSet<TaskRef>,
    ids: BTreeSet<Vec<u8>>,
    unique_keys: BTreeSet<Vec<u8>>,
    /// By the first claim key of the range: the last one, and the number of rows.
    claims: BTreeMap<ClaimKey, (ClaimKey, usize)>,
}

impl ExpectedRows {
    pub(crate) fn task(&mut self, task: TaskRef) {
        self.tasks.insert(task);
    }

    pub(crate) fn id(&mut self, kind: u32, id: &TaskKey) {
        self.ids.insert(keys::id_key(kind, id));
    }

    pub(crate) fn unique_key(&mut self, kind: u32, number: u16, value: &[u8]) {
        self.unique_keys.insert(keys::unique_key(kind, number, value));
    }

    /// Expects a claim of up to `most` tasks. Claims of one kind add up: each takes the tasks after those of the one before.
    pub(crate) fn claim(&mut self, kind: &Kind, codes: &[i32], now: Micros, most: usize) {
        // Claims of other kinds read eligible heads.
        if kind.paused || kind.has_queues() {
            return;
        }
        for (first, last, most) in claim_ranges(kind, codes, now.saturating_add(CLOCK_SLACK), most) {
            let (to, rows) = self.claims.entry(first).or_insert((last, 0));
            *to = last.max(*to);
            *rows = rows.saturating_add(most).min(CLAIMED_MAX);
        }
    }

    /// The wants of a store that cover these rows.
    pub(crate) fn wants(self) -> Vec<Want> {
        let row = |table| move |key| Want::Row { table, key };
        let tasks = self.tasks.into_iter().map(|task| task.pack().to_vec());
        let claims = self.claims.into_iter().map(|(first, (last, most))| Want::Rows {
            table: StoreTable::ClaimOrder,
            from: first.pack().to_vec(),
            to: Some(RowKey::from(&last.pack()[..]).after().to_vec()),
            newest_first: false,
            most,
            skips_locked: true,
        });
        (tasks.map(row(StoreTable::Headers)))
            .chain(self.ids.into_iter().map(row(StoreTable::Ids)))
            .chain(self.unique_keys.into_iter().map(row(StoreTable::UniqueKeys)))
            .chain(claims)
            .collect()
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::{kind::KindSpec, task::TaskId as _};

    #[test]
    fn claims_of_a_kind_are_loaded_as_one_range() {
        let kind = KindSpec::sample().kind(7, false);
        let mut expected = ExpectedRows::default();
        for most in [1, 3] {
            expected.claim(&kind, &[1], 1_000_000, most);
        }
        let sizes = |expected: ExpectedRows| -> Vec<usize> {
            let most = |want| if let Want::Rows { most, .. } = want { most } else { panic!("{want:?}") };
            expected.wants().into_iter().map(most).collect()
        };
        let in_progress = claim_ranges(&kind, &[], 0, 1).count();
        assert_eq!(sizes(expected), vec![4; in_progress + 1]);
        let mut many = ExpectedRows::default();
        many.claim(&kind, &[1], 0, usize::MAX);
        many.claim(&kind, &[1], 0, usize::MAX);
        assert_eq!(sizes(many), vec![CLAIMED_MAX; in_progress + 1]);
    }

    #[test]
    fn paused_kind_is_not_loaded_for_claims() {
        let kind = KindSpec::sample().kind(7, true);
        let mut expected = ExpectedRows::default();
        expected.claim(&kind, &[1], 0, 1);
        assert_eq!(expected.wants(), []);
    }

    #[test]
    fn row_that_several_actions_read_is_loaded_once() {
        let mut expected = ExpectedRows::default();
        for _ in 0..2 {
            expected.task(TaskRef { kind: 1, seq: 5 });
            expected.id(1, &"a".to_key());
            expected.unique_key(1, 0, b"a");
        }
        assert_eq!(expected.wants().len(), 3);
    }
}
