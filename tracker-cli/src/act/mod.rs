//! What all commands that act have in common: which tasks are meant, the question before, the answer after.

mod acted;
mod confirm;
mod target;

pub use acted::Acted;
pub use confirm::ConfirmArg;
pub use target::{Deed, TargetArg};
