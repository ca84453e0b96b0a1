//! Tests of workers, leases and the handlers that they run.

pub(crate) mod budgets;
pub(crate) mod cancels;
pub(crate) mod foreign_code;
pub(crate) mod leases;
pub(crate) mod prefetch;
pub(crate) mod prefetch_pools;
pub(crate) mod resizes;
pub(crate) mod shutdowns;
pub(crate) mod skipped_claims;
pub(crate) mod start_conditions;
pub(crate) mod user_panics;
pub(crate) mod workers;
