//! `PortableBudget` is the line of a budget of a resource. Used by `line`, `export` and `import`; `put` writes through `Writer`.

use serde::{Deserialize, Serialize};

use crate::{
    engine::Writer,
    model::{
        bounds::NAME,
        error::{Error, Result},
    },
};

/// The line of a budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortableBudget {
    /// The name of the resource.
    pub set_budget: String,
    pub amount: u64,
}

impl PortableBudget {
    /// Stores the budget. One that the file has already stays as it is.
    pub(super) fn put(&self, writer: &mut Writer<'_>) -> Result<()> {
        let Self { set_budget: resource, amount } = self;
        if *amount == 0 || !(1..=NAME).contains(&resource.len()) {
            return Err(Error::invalid(format!(
                "the budget of {resource:?}: an amount is at least 1, and a name has 1 to {NAME} bytes"
            )));
        }
        if !writer.rows().stored_budgets()?.0.contains_key(resource) {
            writer.put_budget(resource, Some(*amount))?;
        }
        Ok(())
    }
}
