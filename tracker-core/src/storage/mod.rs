//! The redb file: keys, row encodings, tables, and the code that reads and writes them. The only module that knows bytes on disk. Called by
//! the engine, and for reads and keys by `api`, `portable` and `maintenance`.

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
