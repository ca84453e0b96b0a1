//! Shared parts of the tests: kinds, random numbers, a simulated disk, child processes.

#[cfg(unix)]
pub(crate) mod child_process;
pub(crate) mod disk_image;
#[cfg(feature = "postgres")]
#[path = "../../../tracker-postgres/tests/it/support/fault_proxy.rs"]
pub(crate) mod fault_proxy;
pub(crate) mod faulty_store;
pub(crate) mod kinds;
pub(crate) mod place;
pub(crate) mod random;
pub(crate) mod rows;
pub(crate) mod script;
pub(crate) mod snapshot;
pub(crate) mod subscriber;
pub(crate) mod test_disk;
