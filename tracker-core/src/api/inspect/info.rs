//! `KindInfo`: the definition of a kind as the file holds it. Called by users and the program; reads only.

use serde::{Deserialize, Serialize};

use crate::{
    api::{schema::Schema, tasks::Tasks},
    model::{
        error::Result,
        kind::Kind,
        status::StatusInfo,
        task::{Policy, UniqueInfo},
    },
};

/// The definition of a kind in the file. As JSON it is the line that defines the kind in an export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KindInfo {
    /// Its name.
    #[serde(rename = "define")]
    pub name: String,
    /// The names of its steps in their order; one empty name where it has none.
    #[serde(default = "no_steps", skip_serializing_if = "is_without_steps")]
    pub steps: Vec<String>,
    /// Its statuses in the order of their declaration; each names its step by position.
    pub statuses: Vec<StatusInfo>,
    /// The fields that have an index.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// Its unique keys.
    #[serde(default)]
    pub uniques: Vec<UniqueInfo>,
    /// The field that holds the priority, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_field: Option<String>,
    /// Its limits and habits, as its latest opener declared them.
    #[serde(default)]
    pub policy: Policy,
    /// Whether nothing is claimed from it until it is resumed.
    #[serde(default)]
    pub paused: bool,
}

impl KindInfo {
    /// The status of a code.
    #[must_use]
    pub fn status(&self, code: i32) -> Option<&StatusInfo> {
        self.statuses.iter().find(|status| status.code == code)
    }
}

fn no_steps() -> Vec<String> {
    vec![String::new()]
}

fn is_without_steps(steps: &[String]) -> bool {
    steps == no_steps()
}

impl From<&Kind> for KindInfo {
    fn from(kind: &Kind) -> Self {
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
            priority_field: kind.priority_field.clone(),
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
        self.shared.engine.read(|rows| Ok(KindInfo::from(&*self.kind_in(rows)?)))
    }
}
