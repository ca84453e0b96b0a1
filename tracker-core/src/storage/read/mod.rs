//! Reads rows from the tables of a transaction: claim order, listings, dependencies, whole tasks. Mostly methods of `Tables`; called by
//! `storage/write`, `engine`, `api`, `portable` and `maintenance`. While a store writes, the rows that are read are locked. The files
//! `dependencies` (with batches), `schedules` and `throttles` also write their tables; `expected_rows` is pure.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub(crate) mod claim_order;
pub(crate) mod dependencies;
pub(crate) mod expected_rows;
pub(crate) mod head_lists;
pub(crate) mod needs;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod schedules;
pub(crate) mod schema;
pub(crate) mod task_rows;
pub(crate) mod throttles;
pub(crate) mod type_check;
pub(crate) mod waiting;
