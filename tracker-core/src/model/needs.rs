//! `choose_start` decides which due task of a kind starts when tasks need amounts of resources. Called by `engine/action/claim`; its types,
//! such as the stored `Budgets`, are used by `storage`, `engine`, `api/tasks/start`, `worker` and `maintenance`. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{
    kind::Kind,
    task::{Need, NeededAmount, TaskRef, amount_of_value},
};

/// How many later tasks may overtake a task that does not fit.
pub(crate) const MAX_OVERTAKES: u32 = 16;

/// The budget of a resource, and how much of it the tasks in progress use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourceUse {
    /// `None` if the resource has no budget.
    pub budget: Option<u64>,
    pub in_use: u64,
}

/// A due task and its amounts: one per need of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub task: TaskRef,
    pub amounts: Vec<u64>,
}

/// A task that did not fit, and how many later tasks have started since. One per step of a kind is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overtaken {
    pub task: TaskRef,
    pub times: u32,
}

/// The choice among the due tasks of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartChoice {
    /// The task starts. `overtaken` is stored in place of the last one.
    Start { task: TaskRef, overtaken: Option<Overtaken> },
    /// A due task does not fit now, and nothing starts until a running task ends.
    Wait,
    /// No task is due, or all that are exceed a budget.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Now,
    Later,
    Never,
}

/// Chooses the first candidate in claim order that fits. The first one that does not fit now can be overtaken [`MAX_OVERTAKES`] times by later
/// ones. Then no later task starts, so that the running ones end and it fits. Candidates that exceed a budget are skipped.
pub(crate) fn choose_start(
    candidates: impl IntoIterator<Item = Candidate>,
    resources: &[ResourceUse],
    stored: Option<Overtaken>,
) -> StartChoice {
    let mut blocked: Option<Overtaken> = None;
    for Candidate { task, amounts } in candidates {
        match (fit(&amounts, resources), blocked) {
            (Fit::Now, None) => {
                return StartChoice::Start { task, overtaken: stored.filter(|overtaken| overtaken.task != task) };
            }
            (Fit::Now, Some(overtaken)) if overtaken.times < MAX_OVERTAKES => {
                return StartChoice::Start {
                    task,
                    overtaken: Some(Overtaken { times: overtaken.times + 1, ..overtaken }),
                };
            }
            (Fit::Later, None) => {
                blocked = stored.filter(|overtaken| overtaken.task == task).or(Some(Overtaken { task, times: 0 }));
            }
            (Fit::Never, _) | (_, Some(_)) => {}
        }
    }
    if blocked.is_some() { StartChoice::Wait } else { StartChoice::Nothing }
}

impl Candidate {
    /// The position of the first need that exceeds the budget of its resource.
    pub(crate) fn exceeded(&self, resources: &[ResourceUse]) -> Option<usize> {
        let exceeds = |(amount, resource): (&u64, &ResourceUse)| resource.budget.is_some_and(|budget| *amount > budget);
        self.amounts.iter().zip(resources).position(exceeds)
    }
}

/// A resource of which too little is free for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LackingResource {
    pub resource: String,
    pub amount: u64,
    pub in_use: u64,
    pub budget: u64,
}

impl LackingResource {
    /// The first resource whose budget the task exceeds; else the first of which the tasks in progress leave too little.
    pub(crate) fn of(kind: &Kind, candidate: &Candidate, resources: &[ResourceUse]) -> Option<Self> {
        let leaves_too_little = |(amount, resource): (&u64, &ResourceUse)| {
            resource.budget.is_some_and(|budget| *amount > 0 && resource.in_use.saturating_add(*amount) > budget)
        };
        let too_little = || candidate.amounts.iter().zip(resources).position(leaves_too_little);
        let number = candidate.exceeded(resources).or_else(too_little)?;
        let ResourceUse { budget, in_use } = *resources.get(number)?;
        let resource = kind.policy.needs.get(number)?.resource.to_string();
        Some(Self { resource, amount: *candidate.amounts.get(number)?, in_use, budget: budget? })
    }

    /// Whether the task cannot start with this budget.
    pub(crate) fn exceeds_budget(&self) -> bool {
        self.amount > self.budget
    }
}

/// The budgets of resources by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budgets(pub BTreeMap<String, u64>);

impl Budgets {
    /// The lower budget of each resource.
    pub(crate) fn lowest(mut self, other: &Self) -> Self {
        for (resource, amount) in &other.0 {
            self.0.entry(resource.clone()).and_modify(|lowest| *lowest = (*lowest).min(*amount)).or_insert(*amount);
        }
        self
    }

    /// The budgets and the amounts in use of the resources that a kind needs, in the order of its needs.
    pub(crate) fn resources(&self, kind: &Kind, in_use: &BTreeMap<&str, u64>) -> Vec<ResourceUse> {
        let of = |need: &Need| ResourceUse {
            budget: self.0.get(&*need.resource).copied(),
            in_use: in_use.get(&*need.resource).copied().unwrap_or(0),
        };
        kind.policy.needs.iter().map(of).collect()
    }
}

fn fit(amounts: &[u64], resources: &[ResourceUse]) -> Fit {
    let mut fit = Fit::Now;
    for (amount, resource) in amounts.iter().zip(resources) {
        match resource.budget {
            Some(budget) if *amount > budget => return Fit::Never,
            Some(budget) if *amount > 0 && resource.in_use.saturating_add(*amount) > budget => fit = Fit::Later,
            _ => {}
        }
    }
    fit
}

impl Kind {
    /// Whether tasks of this kind need amounts of resources.
    pub(crate) fn has_needs(&self) -> bool {
        !self.policy.needs.is_empty()
    }

    /// The amounts of a task, one per need, from the encoded values of its indexes.
    pub(crate) fn amounts<'k>(&'k self, indexes: &'k [Vec<u8>]) -> impl Iterator<Item = u64> + 'k {
        self.policy.needs.iter().map(move |need| match &need.amount {
            NeededAmount::Fixed(amount) => *amount,
            NeededAmount::Field(field) => {
                let number = self.indexes.iter().position(|index| index == field);
                number.and_then(|number| indexes.get(number)).map_or(u64::MAX, |value| amount_of_value(value))
            }
        })
    }
}
