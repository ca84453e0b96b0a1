//! Stands in the place of `run/scheduled` on systems without `tracker run`: refuses commands on a schedule. Called by `schedule`; pure.

use std::ffi::OsString;

use crate::{error::CliError, file::FileControl};

pub const KIND: &str = "scheduled";

pub fn payload(_: &[OsString], _: bool) -> Result<String, CliError> {
    Err(CliError::usage("commands on a schedule need a Unix system: give --kind and --payload"))
}

#[expect(clippy::unnecessary_wraps, reason = "as on Unix systems")]
pub fn store_kind(_: &FileControl, _: &str) -> Result<(), CliError> {
    Ok(())
}
