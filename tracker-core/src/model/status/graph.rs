//! `Graph` holds the statuses of a kind with their codes, roles and steps, and checks them when it is made. It decides which statuses are startable
//! or terminal, and which one follows a success or a failure. Read by `model/transition`, `storage`, `engine`, `api` and `portable`; pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Role, StatusGraph};

/// The statuses of a kind, checked and ready for the rules.
///
/// Built from a [`StatusGraph`], or from the stored definition of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    steps: Vec<Step>,
    statuses: Vec<StatusInfo>,
}

/// One status of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusInfo {
    /// The integer on disk.
    pub code: i32,
    /// The variant's name.
    pub name: String,
    /// Its meaning to the engine.
    pub role: Role,
    /// The position of its step.
    #[serde(default)]
    pub step: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    codes: [Option<i32>; Role::ALL.len()],
}

/// Why a set of statuses cannot be a kind's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphError(String);

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GraphError {}

impl Graph {
    /// Checks the statuses of an enum.
    ///
    /// # Errors
    /// If two statuses have the same code or the same role in a step, a needed role is missing, a step is out of range, or there are more than
    /// 1,024 statuses.
    pub fn of(graph: &StatusGraph) -> Result<Self, GraphError> {
        let statuses = graph.statuses.iter().map(|status| StatusInfo {
            code: status.code,
            name: status.name.to_owned(),
            role: status.role,
            step: status.step,
        });
        Self::new(graph.steps.iter().map(ToString::to_string).collect(), statuses.collect())
    }

    /// Checks steps and statuses by the same rules as [`Graph::of`].
    ///
    /// # Errors
    /// As [`Graph::of`].
    pub fn new(step_names: Vec<String>, statuses: Vec<StatusInfo>) -> Result<Self, GraphError> {
        if step_names.is_empty() || statuses.len() > 1024 {
            return Err(GraphError("a status type needs 1 to 1,024 statuses".to_owned()));
        }
        let mut steps: Vec<_> =
            step_names.into_iter().map(|name| Step { name, codes: [None; Role::ALL.len()] }).collect();
        for (at, status) in statuses.iter().enumerate() {
            if let Some(other_status) = statuses[..at].iter().find(|other| other.code == status.code) {
                return Err(GraphError(format!(
                    "{} and {} share the code {}",
                    other_status.name, status.name, status.code
                )));
            }
            let Some(step) = steps.get_mut(usize::from(status.step)) else {
                return Err(GraphError(format!("{} belongs to a step that does not exist", status.name)));
            };
            let slot = &mut step.codes[status.role as usize];
            if status.role != Role::Parked && slot.is_some() {
                return Err(GraphError(format!("{} doubles the role {}", status.name, status.role)));
            }
            *slot = slot.or(Some(status.code));
        }
        let graph = Self { steps, statuses };
        graph.check_roles()?;
        Ok(graph)
    }

    fn check_roles(&self) -> Result<(), GraphError> {
        for (at, step) in self.steps.iter().enumerate() {
            let missing = |what: &str| {
                let place = if step.name.is_empty() { String::new() } else { format!(" in step {:?}", step.name) };
                Err(GraphError(format!("no status has the role {what}{place}")))
            };
            let has = |role: Role| step.codes[role as usize].is_some();
            if at == 0 && !has(Role::Pending) {
                return missing("pending");
            }
            if !has(Role::InProgress) {
                return missing("in_progress");
            }
            if !has(Role::Succeeded) {
                return missing("succeeded");
            }
            if ![Role::Failed, Role::Exhausted, Role::Ignored].into_iter().any(has) {
                return missing("failed, exhausted or ignored");
            }
        }
        Ok(())
    }

    /// Returns every status in the order of declaration.
    #[must_use]
    pub fn statuses(&self) -> &[StatusInfo] {
        &self.statuses
    }

    /// Returns the names of the steps in their order; one empty name if the kind has no steps.
    #[must_use]
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    /// Returns the position of a step.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<u16> {
        let at = self.steps.iter().position(|step| step.name == name)?;
        u16::try_from(at).ok()
    }

    /// Returns the status of a code.
    #[must_use]
    pub fn status(&self, code: i32) -> Option<&StatusInfo> {
        self.statuses.iter().find(|status| status.code == code)
    }

    /// Returns the code that has this role in this step.
    #[must_use]
    pub fn code(&self, step: u16, role: Role) -> Option<i32> {
        self.steps.get(usize::from(step))?.codes[role as usize]
    }

    /// Returns whether this is the pipeline's last step.
    #[must_use]
    pub fn is_last(&self, step: u16) -> bool {
        usize::from(step) + 1 >= self.steps.len()
    }

    /// Returns whether tasks of this status have ended: only requeue, force or a changed fingerprint leads out.
    ///
    /// The succeeded of a step that is not the last is not terminal, because the next step starts from it.
    #[must_use]
    pub fn is_terminal(&self, status: &StatusInfo) -> bool {
        match status.role {
            Role::Succeeded => self.is_last(status.step),
            Role::Exhausted | Role::Ignored | Role::Cancelled => true,
            Role::Pending | Role::InProgress | Role::Failed | Role::Parked => false,
        }
    }

    /// Returns the codes from which a step starts by itself: its pending and failed, and if it has no pending, the
    /// succeeded of the step before.
    #[must_use]
    pub fn startable(&self, step: u16) -> Vec<i32> {
        let own = self.code(step, Role::Pending);
        let first = own.or_else(|| self.code(step.checked_sub(1)?, Role::Succeeded));
        first.into_iter().chain(self.code(step, Role::Failed)).collect()
    }

    /// Returns the status from which a task starts again in a step: its pending; without one, the succeeded of the step before.
    #[must_use]
    pub fn start_of(&self, step: u16) -> i32 {
        let own = self.code(step, Role::Pending);
        let before = || self.code(step.checked_sub(1)?, Role::Succeeded);
        // `new` has checked that the first step has a pending and that every step has a succeeded.
        own.or_else(before).unwrap_or_else(|| self.statuses[0].code)
    }

    /// Returns the status after a success in a step: the next step's pending if it has one, else this step's succeeded.
    #[must_use]
    pub fn after_success(&self, step: u16) -> i32 {
        let next = if self.is_last(step) { None } else { self.code(step + 1, Role::Pending) };
        next.or_else(|| self.code(step, Role::Succeeded)).unwrap_or_else(|| self.start_of(step))
    }

    /// Returns the status after a failure with attempts left: failed, or that of the start if the enum has no failed.
    #[must_use]
    pub fn after_failure(&self, step: u16) -> i32 {
        self.code(step, Role::Failed).unwrap_or_else(|| self.start_of(step))
    }

    /// Returns the last status of a task that has no attempts left: exhausted, or ignored if the enum has no exhausted, or failed
    /// if it has neither.
    #[must_use]
    pub fn after_last_failure(&self, step: u16) -> i32 {
        [Role::Exhausted, Role::Ignored, Role::Failed]
            .into_iter()
            .find_map(|role| self.code(step, role))
            .unwrap_or_else(|| self.start_of(step))
    }
}
