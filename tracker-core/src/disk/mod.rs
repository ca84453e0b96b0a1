//! What touches the disk: the file itself, and every byte in it.

pub(crate) mod file;
pub(crate) mod keys;
pub(crate) mod records;
pub(crate) mod tables;
