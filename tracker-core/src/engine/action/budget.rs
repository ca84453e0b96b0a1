//! `SetBudget` stores or removes the budget of a resource. Queued by `Tracker::set_budget` and `Tracker::remove_budget`; writes one row
//! through `Writer`.

use super::Action;
use crate::{engine::writer::Writer, model::error::Result};

/// Stores the budget of a resource; `None` removes it. Answers whether there was one.
#[derive(Clone, Debug)]
pub(crate) struct SetBudget {
    pub resource: String,
    pub amount: Option<u64>,
}

impl Action for SetBudget {
    type Out = bool;

    fn run(&self, writer: &mut Writer<'_>) -> Result<bool> {
        writer.put_budget(&self.resource, self.amount)
    }
}
