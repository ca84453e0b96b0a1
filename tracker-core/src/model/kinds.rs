//! `Kinds` finds the definition of each kind by number and by name. Read by `storage/tables`, kept by `Engine`, copied by each `Writer`,
//! and used by `engine`, `api`, `portable` and `maintenance/move_tasks`; plain data.

use std::{collections::BTreeMap, sync::Arc};

use super::kind::Kind;

/// The kinds of a file, in one version of their definitions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    /// The number of that version: [`FileState::schema`](super::file_state::FileState::schema).
    pub schema: u64,
    by_id: BTreeMap<u32, Arc<Kind>>,
}

impl Kinds {
    pub(crate) fn new(schema: u64, kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { schema, by_id: kinds.into_iter().map(|kind| (kind.id, Arc::new(kind))).collect() }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Arc<Kind>> {
        self.by_id.get(&id)
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Kind>> {
        self.by_id.values().find(|kind| kind.name == name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.by_id.values()
    }

    pub(crate) fn insert(&mut self, kind: Kind) {
        self.by_id.insert(kind.id, Arc::new(kind));
    }
}
