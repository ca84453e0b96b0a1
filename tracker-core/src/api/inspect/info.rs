//! `KindInfo`: the definition of a kind as the file holds it. Called by users and the program; reads only.

use std::sync::Arc;

use crate::{
    api::{schema::Schema, tasks::Tasks},
    model::{
        error::Result,
        kind::Kind,
        status::StatusInfo,
        task::{Policy, UniqueInfo},
    },
};

/// The definition of a kind in the file.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KindInfo {
    /// Its name.
    pub name: String,
    /// The names of its steps in their order; one empty name where it has none.
    pub steps: Vec<String>,
    /// Its statuses in the order of their declaration; each names its step by position.
    pub statuses: Vec<StatusInfo>,
    /// The fields that have an index.
    pub indexes: Vec<String>,
    /// Its unique keys.
    pub uniques: Vec<UniqueInfo>,
    /// Its limits and habits, as its latest opener declared them.
    pub policy: Policy,
    /// Whether nothing is claimed from it until it is resumed.
    pub paused: bool,
}

impl KindInfo {
    /// The status of a code.
    #[must_use]
    pub fn status(&self, code: i32) -> Option<&StatusInfo> {
        self.statuses.iter().find(|status| status.code == code)
    }
}

impl From<&Arc<Kind>> for KindInfo {
    fn from(kind: &Arc<Kind>) -> Self {
        Self {
            name: kind.name.clone(),
            steps: kind.graph.steps().map(str::to_owned).collect(),
            statuses: kind.graph.statuses().to_vec(),
            indexes: kind.indexes.clone(),
            uniques: kind
                .uniques
                .iter()
                .map(|(name, while_unfinished)| UniqueInfo { name: name.clone(), while_unfinished: *while_unfinished })
                .collect(),
            policy: kind.policy.clone(),
            paused: kind.paused,
        }
    }
}

impl<T: Schema> Tasks<T> {
    /// Returns the definition of the kind in the file: statuses, steps, keys, policy, pause.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn info(&self) -> Result<KindInfo> {
        self.shared.engine.read(|rows| Ok(KindInfo::from(&self.kind_in(rows)?)))
    }
}
