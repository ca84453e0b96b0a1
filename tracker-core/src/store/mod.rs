//! The rows of a tracker file: what is in them, how they are read, and the one place that writes a task.

mod apply;
mod body;
mod bulk;
mod find;
mod handles;
mod kind;
mod kinds;
mod lanes;
mod limits;
mod line;
mod needs;
mod new_task;
mod position;
mod pulse;
mod retime;
mod rows;
#[cfg(test)]
mod sample;
mod scan;
mod schema;
mod starts;
#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;
mod whole;

pub(crate) use apply::{Change, Runs};
pub(crate) use body::{Body, Progress};
pub(crate) use bulk::NewRow;
pub(crate) use find::Ready;
pub(crate) use handles::{FormatProblem, Handles, Source, init};
pub(crate) use kind::{Kind, KindSpec};
pub(crate) use kinds::Kinds;
pub(crate) use lanes::Place;
pub(crate) use limits::{
    MANY, NAME, TEXT, check_followers, check_id, check_kinds, check_payload, check_values, cut, shorten,
};
pub(crate) use line::Waiting;
pub(crate) use needs::Untold;
pub(crate) use new_task::{NewTask, Tie, TieOn};
pub(crate) use position::{Order, order, position};
pub(crate) use pulse::Pulse;
pub(crate) use retime::Redated;
pub(crate) use scan::{Mark, Stretch};
pub(crate) use whole::{NUMBERS, Whole};
