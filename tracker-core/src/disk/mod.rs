//! What touches the disk.
#![allow(dead_code, unused_imports)]

pub(crate) mod file;
