//! Operations on a whole file: `verify`, `recover`, `backup`.

pub(crate) mod backup;
pub(crate) mod recover;
pub(crate) mod time_repair;
pub(crate) mod verify;
