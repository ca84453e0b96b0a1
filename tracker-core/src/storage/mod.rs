//! Reads and writes the redb file or a store: keys, row encodings, tables. No other folder knows the bytes of rows on disk. Called by `engine`,
//! which reads and writes, by `api`, `portable` and `worker/heartbeats`, which read, and by `maintenance`. Touches the file, also through the
//! user's storage backend, and the tables of a transaction; decides no transition of a task.

pub(crate) mod definitions;
pub(crate) mod encoding;
pub(crate) mod file;
pub(crate) mod format;
pub(crate) mod keys;
pub(crate) mod limit_class;
pub(crate) mod order;
pub(crate) mod raw_rows;
pub(crate) mod read;
pub(crate) mod rows_of;
pub(crate) mod store;
pub(crate) mod tables;
pub(crate) mod write;
