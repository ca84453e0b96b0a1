//! Tests of files: format, damage, recovery, sharing and JSON lines.

pub(crate) mod backups;
pub(crate) mod budgets;
pub(crate) mod damage;
#[cfg(unix)]
pub(crate) mod damaged_files;
pub(crate) mod damaged_writers;
pub(crate) mod file_compatibility;
pub(crate) mod files;
pub(crate) mod flushes;
pub(crate) mod foreign_lines;
pub(crate) mod hostile_numbers;
pub(crate) mod json_lines;
pub(crate) mod json_lines_batches;
pub(crate) mod json_lines_move;
#[cfg(target_os = "linux")]
pub(crate) mod network_file_systems;
pub(crate) mod permissions;
pub(crate) mod recover;
#[cfg(target_os = "linux")]
pub(crate) mod redo_logs;
#[cfg(unix)]
pub(crate) mod replaced;
pub(crate) mod schedules;
pub(crate) mod sharing;
mod stores;
mod stores_move;
mod stores_move_commits;
#[cfg(feature = "postgres")]
mod stores_move_connections;
mod stores_move_faults;
mod stores_move_places;
mod stores_move_speed;
mod stores_move_tables;
pub(crate) mod throttles;
pub(crate) mod time_repair;
pub(crate) mod verify;
