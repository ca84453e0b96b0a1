//! `KindInfo` is the definition of a kind as the file holds it. Made for users, `tracker-cli`, `tracker-web` and `api/inspect/metrics`; `portable`
//! exports and imports it as a line. Reads the kind, and writes nothing.

use serde::{Deserialize, Serialize};

use crate::{
    api::{
        schema::Schema,
        tasks::{Counts, Tasks},
    },
    model::{
        error::Result,
        kind::Kind,
        status::{Role, StatusInfo},
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
    /// The names of its steps in their order; `[""]` if it has none.
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
    /// Its limits and settings, as declared by the program that opened the kind last.
    #[serde(default)]
    pub policy: Policy,
    /// Whether nothing is claimed from it until it is resumed.
    #[serde(default)]
    pub paused: bool,
}

impl KindInfo {
    /// Returns the status of a code.
    #[must_use]
    pub fn status(&self, code: i32) -> Option<&StatusInfo> {
        self.statuses.iter().find(|status| status.code == code)
    }

    /// Returns whether tasks in this status have ended. `Succeeded` ends a task only in the last step.
    #[must_use]
    pub fn has_ended(&self, status: &StatusInfo) -> bool {
        match status.role {
            Role::Succeeded => usize::from(status.step) + 1 >= self.steps.len(),
            role => matches!(role, Role::Exhausted | Role::Ignored | Role::Cancelled),
        }
    }

    /// Returns the number of successful attempts that are still needed until every task has ended: one for each remaining step of a task.
    /// Parked, given-up, ignored and cancelled tasks count 0.
    #[must_use]
    pub fn attempts_left(&self, counts: &Counts) -> u64 {
        let left = self.statuses.iter().map(|status| {
            let steps = (self.steps.len() as u64).saturating_sub(u64::from(status.step));
            let attempts = match status.role {
                Role::Pending | Role::InProgress | Role::Failed => steps,
                Role::Succeeded => steps.saturating_sub(1),
                Role::Exhausted | Role::Ignored | Role::Cancelled | Role::Parked => 0,
            };
            attempts.saturating_mul(counts.of_code(status.code))
        });
        left.fold(0, u64::saturating_add)
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
