//! Stores, lists and removes the budgets of resources that the file has for all processes. Called by users, `tracker-cli` and
//! `api/live/perform`; reads rows, and writes through `Engine`. `engine/action/claim` and `engine/action/submit` apply them.

use super::tracker::Tracker;
use crate::{
    engine::SetBudget,
    model::{
        bounds::NAME,
        error::{Error, ErrorKind, Result},
    },
};

/// The budget of a resource, and how much of it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceBudget {
    /// The name of the resource, as in [`Policy::needs`](crate::task::Policy::needs).
    pub resource: String,
    /// The budget, in the unit of the needs.
    pub amount: u64,
    /// The amount that the tasks in progress of all kinds need. It exceeds the budget if tasks were started by their ids, or the budget was lowered.
    pub in_use: u64,
}

impl Tracker {
    /// Stores the budget of a resource in the file, for all processes: 1 or more, in the unit of the needs
    /// ([`Policy::needs`](crate::task::Policy::needs)). It replaces the stored one. Where a pool has a budget of the resource too, the lower one
    /// holds.
    ///
    /// Claims start a task only if it fits. A task whose needs exceed a stored budget is refused at submit; one that waits already is left out.
    /// The end of an attempt and the expiry of its lease return the amounts.
    ///
    /// Amounts of fields count rounded up ([`NeededAmount::Field`](crate::task::NeededAmount::Field)). So that one task can use the whole budget,
    /// give a rounded amount, such as 6, 7, 8, 10, 12, 14 or 16 GiB: a task that needs all of 9 GiB counts as 10 and is refused.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a budget of 0, or a name that is empty or longer than 128 bytes. Or a [storage error](crate::ErrorKind#storage-errors).
    pub fn set_budget(&self, resource: &str, amount: u64) -> Result<()> {
        if !(1..=NAME).contains(&resource.len()) {
            return Err(Error::invalid(format!(
                "the name of a resource has 1 to {NAME} bytes, and {resource:?} has {}",
                resource.len()
            )));
        }
        if amount == 0 {
            return Err(Error::invalid(format!(
                "a budget of 0 would start no task that needs {resource:?}: give 1 or more, or remove the budget"
            )));
        }
        self.shared.engine.call(SetBudget { resource: resource.to_owned(), amount: Some(amount) }).map(drop)
    }

    /// Removes the budget of a resource from the file, so that it holds nothing back.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the file has no such budget. Or a [storage error](crate::ErrorKind#storage-errors).
    pub fn remove_budget(&self, resource: &str) -> Result<()> {
        let existed = self.shared.engine.call(SetBudget { resource: resource.to_owned(), amount: None })?;
        if existed {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::NotFound, format!("there is no budget of {resource:?}")))
        }
    }

    /// Returns the budgets that the file has, in the order of their names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn budgets(&self) -> Result<Vec<ResourceBudget>> {
        self.shared.engine.read(|rows| {
            let kinds: Vec<_> = rows.all_kinds()?.all().cloned().collect();
            let in_use = rows.amounts_in_use(&kinds)?;
            let budgets = rows.stored_budgets()?.0.into_iter();
            let budget = |(resource, amount): (String, u64)| {
                let in_use = in_use.get(&*resource).copied().unwrap_or(0);
                ResourceBudget { resource, amount, in_use }
            };
            Ok(budgets.map(budget).collect())
        })
    }
}
