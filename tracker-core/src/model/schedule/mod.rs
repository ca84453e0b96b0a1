//! Schedules of recurring tasks: the stored row, the rules that decide what is due, and the times of a definition. Called
//! by `api/schedule`, `engine`, `storage` and `portable`. Pure: the current time is a parameter.

#[cfg(feature = "schedules")]
mod cron;
#[cfg(any(feature = "schedules", test))]
pub(crate) mod decide;
#[cfg(feature = "schedules")]
pub(crate) mod definition;
#[cfg(feature = "schedules")]
pub(crate) mod occurrence;
pub(crate) mod row;
#[cfg(feature = "schedules")]
mod time_zone;
#[cfg(feature = "schedules")]
pub(crate) mod timing;

pub use row::{CatchUp, Overlap};
