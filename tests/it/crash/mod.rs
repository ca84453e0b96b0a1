//! Attacks: power cuts, disk faults, kills, clock jumps and random sequences of calls.

#[cfg(feature = "postgres")]
pub(crate) mod broken_connections;
pub(crate) mod clock_jumps;
pub(crate) mod disk_faults;
pub(crate) mod interruptions;
pub(crate) mod ownership_histories;
pub(crate) mod power_cuts;
pub(crate) mod prefetch_crash;
#[cfg(unix)]
pub(crate) mod process_kills;
pub(crate) mod random_calls;
#[cfg(unix)]
pub(crate) mod schedules;
